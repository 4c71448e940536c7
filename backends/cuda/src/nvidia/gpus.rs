//! Which GPUs the driver offers, and why none, in one line.
#![allow(unsafe_code, reason = "calls of the driver")]

use cudarc::driver::result::{self, device};
use cudarc::driver::sys::{self, CUdevice_attribute as Attribute, cudaError_enum as Code};
use yardstick_api::{DeviceClass, Known};

use super::nvml::Nvml;
use super::nvrtc;
use crate::machine::{Gpu, Missing};

/// The oldest GPUs the kernels run on: Turing. `dp4a` alone would run on Pascal, `ldmatrix` does not.
const OLDEST: (u32, u32) = (7, 5);
/// The oldest driver: CUDA 12.0, whose functions the bindings name.
const OLDEST_DRIVER: i32 = 12_000;

/// Every GPU, fit or not.
pub(super) fn list() -> Result<Vec<Gpu>, Missing> {
    // SAFETY: loads the driver's library, whose initialisers are the vendor's.
    if !unsafe { sys::is_culib_present() } {
        return Err(Missing::new(
            "the NVIDIA driver's library libcuda cannot be loaded",
            "install the NVIDIA driver (nvidia-smi must work); in a container: docker run --gpus all",
        ));
    }
    result::init().map_err(|error| uninitialised(error.0))?;
    let version = driver_version().map_err(|error| uninitialised(error.0))?;
    if version < OLDEST_DRIVER {
        return Err(too_old(version));
    }
    let count = device::get_count().map_err(|error| uninitialised(error.0))?;
    if count <= 0 {
        return Err(uninitialised(Code::CUDA_ERROR_NO_DEVICE));
    }
    let nvml = Nvml::open();
    let compiler = nvrtc::Nvrtc::load();
    let compiler = compiler.and_then(|nvrtc| nvrtc.fits(version).map(|()| nvrtc.described()));
    (0..count).map(|ordinal| gpu(ordinal, version, nvml.as_ref(), &compiler)).collect()
}

fn gpu(
    ordinal: i32,
    version: i32,
    nvml: Option<&Nvml>,
    compiler: &Result<String, Missing>,
) -> Result<Gpu, Missing> {
    let failed = |error: cudarc::driver::DriverError| uninitialised(error.0);
    let handle = device::get(ordinal).map_err(failed)?;
    // SAFETY: `handle` comes from the call above.
    let number = |attribute| unsafe { device::get_attribute(handle, attribute) };
    let number = |attribute| number(attribute).map(|n| n.max(0) as u32).map_err(failed);
    let capability = (
        number(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?,
        number(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?,
    );
    let uuid = device::get_uuid(handle).ok().map(|uuid| uuid_text(uuid.bytes.map(|b| b as u8)));
    // SAFETY: as above.
    let total = unsafe { device::total_mem(handle) }.map(|bytes| bytes as u64);
    let board = nvml.zip(uuid.as_deref()).and_then(|(nvml, uuid)| nvml.board(uuid));
    let (mut notes, free, driver) = board.map_or_else(Default::default, |board| board.facts());
    let cuda = format!("{}.{}", version / 1000, version % 1000 / 10);
    let driver = driver.map_or(format!("CUDA {cuda}"), |d| format!("NVIDIA {d}, CUDA {cuda}"));
    let compiled = compiler.as_ref().map_or_else(
        |missing| Known::unavailable(missing.reason.clone()),
        |words| Known::Value(words.clone()),
    );
    notes.insert("compiler".into(), compiled);
    Ok(Gpu {
        name: device::get_name(handle).map_err(failed)?,
        capability,
        processors: number(Attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)?,
        memory_bytes: free.or(total.ok()).map_or_else(
            || Known::unavailable("the driver does not tell the GPU's memory"),
            Known::Value,
        ),
        driver: driver.into(),
        class: DeviceClass::Hardware,
        unfit: unfit(capability, number(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_MODE)?)
            .or_else(|| compiler.as_ref().err().cloned()),
        notes,
    })
}

/// Why a GPU cannot be used.
fn unfit((major, minor): (u32, u32), compute_mode: u32) -> Option<Missing> {
    if (major, minor) < OLDEST {
        let (a, b) = OLDEST;
        let reason =
            format!("compute capability {major}.{minor}, the kernels need {a}.{b} (Turing)");
        return Some(Missing { reason, fix: None });
    }
    // CU_COMPUTEMODE_PROHIBITED
    (compute_mode == 2).then(|| {
        Missing::new("its compute mode forbids computing", "sudo nvidia-smi --compute-mode=DEFAULT")
    })
}

fn driver_version() -> Result<i32, cudarc::driver::DriverError> {
    let mut version = 0;
    // SAFETY: `version` is a place for one number.
    unsafe { sys::cuDriverGetVersion(&raw mut version) }.result()?;
    Ok(version)
}

fn too_old(version: i32) -> Missing {
    let (major, minor) = (version / 1000, version % 1000 / 10);
    Missing::new(
        format!("the NVIDIA driver is of CUDA {major}.{minor}, 12.0 is needed"),
        "update the NVIDIA driver to 525 or newer",
    )
}

/// What a failed start of the driver means.
fn uninitialised(code: Code) -> Missing {
    match code {
        Code::CUDA_ERROR_NO_DEVICE | Code::CUDA_ERROR_INVALID_DEVICE => Missing::new(
            "the NVIDIA driver is installed and finds no GPU",
            "check nvidia-smi -L, and that CUDA_VISIBLE_DEVICES does not hide it",
        ),
        Code::CUDA_ERROR_STUB_LIBRARY => Missing::new(
            "the libcuda found is a stub for linking",
            "install the NVIDIA driver, or take the toolkit's stubs off LD_LIBRARY_PATH",
        ),
        Code::CUDA_ERROR_SYSTEM_DRIVER_MISMATCH => Missing::new(
            "libcuda is of another version than the loaded driver",
            "reboot, so that the new driver is loaded",
        ),
        Code::CUDA_ERROR_SYSTEM_NOT_READY => Missing::new(
            "the NVIDIA driver is not ready",
            "sudo systemctl start nvidia-fabricmanager, then try again",
        ),
        other => Missing {
            reason: format!("the NVIDIA driver does not start ({other:?})"),
            fix: Some("check that nvidia-smi works".into()),
        },
    }
}

/// NVML's way to write a UUID.
fn uuid_text(bytes: [u8; 16]) -> String {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
    format!("GPU-{}", parts.join("-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_driver_the_machine_says_so_in_one_line_and_does_not_panic() {
        match list() {
            Ok(gpus) => assert!(!gpus.is_empty()),
            Err(missing) => {
                assert!(!missing.reason.contains('\n') && missing.fix.is_some(), "{missing:?}");
            }
        }
    }

    #[test]
    fn what_keeps_a_gpu_from_being_used_is_told() {
        assert!(unfit((6, 1), 0).unwrap().reason.contains("6.1"));
        assert!(unfit((9, 0), 2).unwrap().fix.unwrap().contains("nvidia-smi"));
        assert_eq!(unfit((7, 5), 0), None);
        assert_eq!(unfit((12, 0), 3), None);
        assert!(too_old(11_080).reason.contains("11.8"));
        for code in [
            Code::CUDA_ERROR_NO_DEVICE,
            Code::CUDA_ERROR_STUB_LIBRARY,
            Code::CUDA_ERROR_SYSTEM_DRIVER_MISMATCH,
            Code::CUDA_ERROR_SYSTEM_NOT_READY,
            Code::CUDA_ERROR_UNKNOWN,
        ] {
            assert!(uninitialised(code).fix.is_some(), "{code:?}");
        }
    }

    #[test]
    fn uuids_are_written_as_nvml_does() {
        let bytes = std::array::from_fn(|i| i as u8 * 17);
        assert_eq!(uuid_text(bytes), "GPU-00112233-4455-6677-8899-aabbccddeeff");
    }
}
