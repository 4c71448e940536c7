//! The driver's errors, sorted by what a caller can do about them.

use yardstick_api::Error;

use super::library::{Code, Library};

/// Codes of the driver (`CUresult` of its header) that are told apart; any other is reported in its own words.
pub(super) mod code {
    use super::Code;

    pub(in super::super) const SUCCESS: Code = Code(0);
    pub(in super::super) const OUT_OF_MEMORY: Code = Code(2);
    pub(in super::super) const DEINITIALIZED: Code = Code(4);
    pub(in super::super) const STUB_LIBRARY: Code = Code(34);
    pub(in super::super) const DEVICE_UNAVAILABLE: Code = Code(46);
    pub(in super::super) const NO_DEVICE: Code = Code(100);
    pub(in super::super) const INVALID_DEVICE: Code = Code(101);
    pub(in super::super) const INVALID_IMAGE: Code = Code(200);
    pub(in super::super) const NO_BINARY_FOR_GPU: Code = Code(209);
    pub(in super::super) const ECC_UNCORRECTABLE: Code = Code(214);
    pub(in super::super) const NVLINK_UNCORRECTABLE: Code = Code(220);
    pub(in super::super) const UNSUPPORTED_PTX_VERSION: Code = Code(222);
    pub(in super::super) const NOT_READY: Code = Code(600);
    pub(in super::super) const ILLEGAL_ADDRESS: Code = Code(700);
    pub(in super::super) const LAUNCH_OUT_OF_RESOURCES: Code = Code(701);
    pub(in super::super) const LAUNCH_TIMEOUT: Code = Code(702);
    pub(in super::super) const CONTEXT_IS_DESTROYED: Code = Code(709);
    pub(in super::super) const ASSERT: Code = Code(710);
    pub(in super::super) const HARDWARE_STACK_ERROR: Code = Code(714);
    pub(in super::super) const CONTAINED: Code = Code(721);
    pub(in super::super) const SYSTEM_NOT_READY: Code = Code(802);
    pub(in super::super) const SYSTEM_DRIVER_MISMATCH: Code = Code(803);
    pub(in super::super) const EXTERNAL_DEVICE: Code = Code(911);
    pub(in super::super) const UNKNOWN: Code = Code(999);
}

/// Success, or the error in our terms; `during` says what was tried.
pub(super) fn check(library: &Library, during: &str, code: Code) -> Result<(), Error> {
    if code == code::SUCCESS { Ok(()) } else { Err(sort(during, code, &library.words(code))) }
}

/// An error with the driver's words for it.
fn sort(during: &str, code: Code, words: &str) -> Error {
    let text = format!("{during}: {words}");
    match code {
        code::OUT_OF_MEMORY => Error::OutOfMemory(text),
        code::ECC_UNCORRECTABLE | code::NVLINK_UNCORRECTABLE | code::CONTAINED => {
            Error::DeviceLost(format!(
                "{text}; the GPU found damaged memory or a broken link, reset it (nvidia-smi -r)"
            ))
        }
        // Exclusive mode, or a board that another process holds.
        code::DEVICE_UNAVAILABLE => Error::Device(format!(
            "{text}; another process holds the GPU, or its mode is exclusive (nvidia-smi --query-compute-apps=pid,name --format=csv)"
        )),
        code::LAUNCH_OUT_OF_RESOURCES => Error::Device(format!(
            "{text}; a kernel takes more registers or shared memory than this GPU has"
        )),
        code::NO_BINARY_FOR_GPU | code::INVALID_IMAGE | code::UNSUPPORTED_PTX_VERSION => {
            Error::Device(format!(
                "{text}; the driver is older than the compiler, update the driver"
            ))
        }
        code if is_fatal(code) => Error::DeviceLost(text),
        _ => Error::Device(text),
    }
}

/// After these every further call in this process fails: the context is gone.
fn is_fatal(code: Code) -> bool {
    let kernels = code::HARDWARE_STACK_ERROR.0..=code::CONTAINED.0;
    let others = [
        code::DEINITIALIZED,
        code::ECC_UNCORRECTABLE,
        code::NVLINK_UNCORRECTABLE,
        code::ILLEGAL_ADDRESS,
        code::LAUNCH_TIMEOUT,
        code::CONTEXT_IS_DESTROYED,
        code::ASSERT,
        code::EXTERNAL_DEVICE,
        code::UNKNOWN,
    ];
    // 720, a cooperative launch that is too large, leaves the context as it was.
    others.contains(&code) || kernels.contains(&code.0) && code.0 != 720
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_sorted_by_what_can_be_done_about_them() {
        let kind = |code| match sort("replaying", code, "words") {
            Error::OutOfMemory(text) => ("memory", text),
            Error::DeviceLost(text) => ("lost", text),
            Error::Device(text) => ("device", text),
            other => panic!("{other}"),
        };
        for (code, expected, part) in [
            (code::OUT_OF_MEMORY, "memory", "replaying: words"),
            (code::ECC_UNCORRECTABLE, "lost", "damaged"),
            (code::CONTAINED, "lost", "reset it"),
            (Code(719), "lost", "words"),
            (code::ILLEGAL_ADDRESS, "lost", "words"),
            (code::LAUNCH_TIMEOUT, "lost", "words"),
            (Code(716), "lost", "words"),
            (Code(720), "device", "words"),
            (code::LAUNCH_OUT_OF_RESOURCES, "device", "registers"),
            (code::DEVICE_UNAVAILABLE, "device", "another process"),
            (code::INVALID_IMAGE, "device", "update the driver"),
            (code::NO_BINARY_FOR_GPU, "device", "update the driver"),
            (Code(1), "device", "words"),
            // One that no header of today has.
            (Code(12_345), "device", "words"),
        ] {
            let (found, text) = kind(code);
            assert!(found == expected && text.contains(part), "{}: {found}: {text}", code.0);
        }
    }

    /// The numbers here are those of the header.
    #[test]
    fn codes_are_those_of_the_bindings() {
        use cudarc::driver::sys::cudaError_enum as Theirs;
        for (ours, theirs) in [
            (code::OUT_OF_MEMORY, Theirs::CUDA_ERROR_OUT_OF_MEMORY),
            (code::DEINITIALIZED, Theirs::CUDA_ERROR_DEINITIALIZED),
            (code::STUB_LIBRARY, Theirs::CUDA_ERROR_STUB_LIBRARY),
            (code::DEVICE_UNAVAILABLE, Theirs::CUDA_ERROR_DEVICE_UNAVAILABLE),
            (code::NO_DEVICE, Theirs::CUDA_ERROR_NO_DEVICE),
            (code::INVALID_DEVICE, Theirs::CUDA_ERROR_INVALID_DEVICE),
            (code::INVALID_IMAGE, Theirs::CUDA_ERROR_INVALID_IMAGE),
            (code::NO_BINARY_FOR_GPU, Theirs::CUDA_ERROR_NO_BINARY_FOR_GPU),
            (code::ECC_UNCORRECTABLE, Theirs::CUDA_ERROR_ECC_UNCORRECTABLE),
            (code::NVLINK_UNCORRECTABLE, Theirs::CUDA_ERROR_NVLINK_UNCORRECTABLE),
            (code::UNSUPPORTED_PTX_VERSION, Theirs::CUDA_ERROR_UNSUPPORTED_PTX_VERSION),
            (code::NOT_READY, Theirs::CUDA_ERROR_NOT_READY),
            (code::ILLEGAL_ADDRESS, Theirs::CUDA_ERROR_ILLEGAL_ADDRESS),
            (code::LAUNCH_OUT_OF_RESOURCES, Theirs::CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES),
            (code::LAUNCH_TIMEOUT, Theirs::CUDA_ERROR_LAUNCH_TIMEOUT),
            (code::CONTEXT_IS_DESTROYED, Theirs::CUDA_ERROR_CONTEXT_IS_DESTROYED),
            (code::ASSERT, Theirs::CUDA_ERROR_ASSERT),
            (code::HARDWARE_STACK_ERROR, Theirs::CUDA_ERROR_HARDWARE_STACK_ERROR),
            (Code(719), Theirs::CUDA_ERROR_LAUNCH_FAILED),
            (Code(720), Theirs::CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE),
            (code::SYSTEM_NOT_READY, Theirs::CUDA_ERROR_SYSTEM_NOT_READY),
            (code::SYSTEM_DRIVER_MISMATCH, Theirs::CUDA_ERROR_SYSTEM_DRIVER_MISMATCH),
            (code::EXTERNAL_DEVICE, Theirs::CUDA_ERROR_EXTERNAL_DEVICE),
            (code::UNKNOWN, Theirs::CUDA_ERROR_UNKNOWN),
        ] {
            assert_eq!(ours.0, theirs as u32, "{theirs:?}");
        }
    }
}
