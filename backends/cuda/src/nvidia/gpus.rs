//! Which GPUs the driver offers, and why none, in one line.
#![allow(unsafe_code, reason = "calls of the driver")]

use std::ffi::{CStr, c_char, c_int};

use yardstick_api::{DeviceClass, Known};

use super::error::code;
use super::library::{Code, Library, library};
use super::nvml::Nvml;
use super::nvrtc;
use crate::machine::{Gpu, Missing};

/// The oldest GPUs the kernels run on: Turing. `dp4a` alone would run on Pascal, `ldmatrix` does not.
const OLDEST: (u32, u32) = (7, 5);
/// The oldest driver: CUDA 12.0, whose functions the bindings name.
const OLDEST_DRIVER: i32 = 12_000;

/// `CUdevice_attribute`: compute capability, multiprocessors, compute mode.
const MAJOR: c_int = 75;
const MINOR: c_int = 76;
const PROCESSORS: c_int = 16;
const COMPUTE_MODE: c_int = 20;

/// Every GPU, fit or not.
pub(super) fn list() -> Result<Vec<Gpu>, Missing> {
    let cuda = library()?;
    let checked = |code| if code == code::SUCCESS { Ok(()) } else { Err(failed(cuda, code)) };
    // SAFETY: takes no pointer.
    checked(unsafe { (cuda.cuInit)(0) })?;
    let (mut version, mut count) = (0, 0);
    // SAFETY: a place for a number.
    checked(unsafe { (cuda.cuDriverGetVersion)(&raw mut version) })?;
    if version < OLDEST_DRIVER {
        return Err(too_old(version));
    }
    // SAFETY: a place for a number.
    checked(unsafe { (cuda.cuDeviceGetCount)(&raw mut count) })?;
    if count <= 0 {
        return Err(failed(cuda, code::NO_DEVICE));
    }
    let nvml = Nvml::open();
    let compiler = nvrtc::Nvrtc::load(version);
    (0..count)
        .map(|ordinal| {
            let found = gpu(cuda, ordinal, version, nvml.as_ref(), &compiler);
            found.map_err(|code| failed(cuda, code))
        })
        .collect()
}

fn gpu(
    cuda: &Library,
    ordinal: c_int,
    version: c_int,
    nvml: Option<&Nvml>,
    compiler: &Result<nvrtc::Nvrtc, Missing>,
) -> Result<Gpu, Code> {
    let ok = |code| if code == code::SUCCESS { Ok(()) } else { Err(code) };
    let mut handle = 0;
    // SAFETY: a place for a number.
    ok(unsafe { (cuda.cuDeviceGet)(&raw mut handle, ordinal) })?;
    let number = |attribute| {
        let mut value = 0;
        // SAFETY: a place for a number; `handle` comes from the call above.
        let code = unsafe { (cuda.cuDeviceGetAttribute)(&raw mut value, attribute, handle) };
        ok(code).map(|()| value.max(0) as u32)
    };
    let capability = (number(MAJOR)?, number(MINOR)?);
    let (mut uuid, mut total, mut name) = ([0; 16], 0, [0 as c_char; 256]);
    // SAFETY: places for 16 bytes, for a number, and for as many characters as are told.
    let (uuid_code, total_code, name_code) = unsafe {
        (
            (cuda.cuDeviceGetUuid)(&raw mut uuid, handle),
            (cuda.cuDeviceTotalMem_v2)(&raw mut total, handle),
            (cuda.cuDeviceGetName)(name.as_mut_ptr(), 255, handle),
        )
    };
    ok(name_code)?;
    // SAFETY: the last of the characters is still the 0 it was made as.
    let name = unsafe { CStr::from_ptr(name.as_ptr()) }.to_string_lossy().into_owned();
    let uuid = ok(uuid_code).ok().map(|()| uuid_text(uuid));
    let total = ok(total_code).ok().map(|()| total as u64);
    let board = nvml.zip(uuid.as_deref()).and_then(|(nvml, uuid)| nvml.board(uuid));
    let (mut notes, free, driver) = board.map_or_else(Default::default, |board| board.facts());
    // A board has more free memory than a part of it could have.
    let free = free.zip(total).map(|(free, total)| free.min(total)).or(total);
    let cuda_version = format!("CUDA {}.{}", version / 1000, version % 1000 / 10);
    let driver = driver.map_or(cuda_version.clone(), |d| format!("NVIDIA {d}, {cuda_version}"));
    let compiled = compiler.as_ref().map_or_else(
        |missing| Known::unavailable(missing.reason.clone()),
        |nvrtc| Known::Value(nvrtc.described()),
    );
    notes.insert("compiler".into(), compiled);
    Ok(Gpu {
        name,
        capability,
        processors: number(PROCESSORS)?,
        memory_bytes: free.map_or_else(
            || Known::unavailable("the driver does not tell the GPU's memory"),
            Known::Value,
        ),
        driver: driver.into(),
        class: DeviceClass::Hardware,
        unfit: unfit(capability, number(COMPUTE_MODE)?)
            .or_else(|| uncompiled(capability, version, compiler)),
        notes,
    })
}

/// Why nothing can be compiled for a GPU.
fn uncompiled(
    capability: (u32, u32),
    version: c_int,
    compiler: &Result<nvrtc::Nvrtc, Missing>,
) -> Option<Missing> {
    let nvrtc = match compiler {
        Err(missing) => return Some(missing.clone()),
        Ok(nvrtc) if nvrtc.knows(capability) => return None,
        Ok(nvrtc) => nvrtc,
    };
    let (major, minor) = capability;
    let reason =
        format!("{} makes no code for compute capability {major}.{minor}", nvrtc.described());
    Some(Missing::new(reason, nvrtc::install(version)))
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

/// CUDA's number of the driver, 12040; the oldest that is taken where it does not say.
pub(super) fn version(cuda: &Library) -> c_int {
    let mut version = 0;
    // SAFETY: a place for a number.
    let code = unsafe { (cuda.cuDriverGetVersion)(&raw mut version) };
    if code == code::SUCCESS { version } else { OLDEST_DRIVER }
}

fn too_old(version: i32) -> Missing {
    let (major, minor) = (version / 1000, version % 1000 / 10);
    Missing::new(
        format!("the NVIDIA driver is of CUDA {major}.{minor}, 12.0 is needed"),
        "update the NVIDIA driver to 525 or newer",
    )
}

/// What a failed start of the driver means.
fn failed(cuda: &Library, code: Code) -> Missing {
    uninitialised(code, &cuda.words(code))
}

fn uninitialised(code: Code, words: &str) -> Missing {
    match code {
        code::NO_DEVICE | code::INVALID_DEVICE => Missing::new(
            "the NVIDIA driver is installed and finds no GPU",
            "check nvidia-smi -L, and that CUDA_VISIBLE_DEVICES does not hide it",
        ),
        code::STUB_LIBRARY => Missing::new(
            "the libcuda found is a stub for linking",
            "install the NVIDIA driver, or take the toolkit's stubs off LD_LIBRARY_PATH",
        ),
        code::SYSTEM_DRIVER_MISMATCH => Missing::new(
            "libcuda is of another version than the loaded driver",
            "reboot, so that the new driver is loaded",
        ),
        code::SYSTEM_NOT_READY => Missing::new(
            "the NVIDIA driver is not ready",
            "sudo systemctl start nvidia-fabricmanager, then try again",
        ),
        code::DEVICE_UNAVAILABLE => Missing::new(
            "another process holds the GPU, or its mode is exclusive",
            "see nvidia-smi for who it is, or wait",
        ),
        _ => Missing::new(
            format!("the NVIDIA driver does not start: {words}"),
            "check that nvidia-smi works",
        ),
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
            code::NO_DEVICE,
            code::STUB_LIBRARY,
            code::SYSTEM_DRIVER_MISMATCH,
            code::SYSTEM_NOT_READY,
            code::DEVICE_UNAVAILABLE,
            code::UNKNOWN,
        ] {
            let missing = uninitialised(code, "unknown error");
            assert!(missing.fix.is_some() && !missing.reason.contains('\n'), "{missing:?}");
        }
        assert!(uninitialised(Code(12_345), "words").reason.contains("words"));
    }

    #[test]
    fn uuids_are_written_as_nvml_does() {
        let bytes = std::array::from_fn(|i| i as u8 * 17);
        assert_eq!(uuid_text(bytes), "GPU-00112233-4455-6677-8899-aabbccddeeff");
    }

    /// The numbers here are those of the header.
    #[test]
    fn attributes_are_those_of_the_bindings() {
        use cudarc::driver::sys::CUdevice_attribute_enum as Theirs;
        for (ours, theirs) in [
            (MAJOR, Theirs::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR),
            (MINOR, Theirs::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR),
            (PROCESSORS, Theirs::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT),
            (COMPUTE_MODE, Theirs::CU_DEVICE_ATTRIBUTE_COMPUTE_MODE),
        ] {
            assert_eq!(ours, theirs as i32);
        }
    }
}
