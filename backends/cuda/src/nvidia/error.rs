//! The driver's errors, sorted by what a caller can do about them.
#![allow(unsafe_code, reason = "one call of the driver that names its errors")]

use std::ffi::CStr;

use cudarc::driver::DriverError;
use cudarc::driver::sys::{self, cudaError_enum as Code};
use yardstick_api::Error;

/// An error of the driver in our terms; `during` says what was tried.
pub(super) fn classify(during: &str, error: DriverError) -> Error {
    sort(during, error.0, &words(error.0))
}

/// As [`classify`], with the driver's words given.
fn sort(during: &str, code: Code, words: &str) -> Error {
    let text = format!("{during}: {words}");
    match code {
        Code::CUDA_ERROR_OUT_OF_MEMORY => Error::OutOfMemory(text),
        Code::CUDA_ERROR_ECC_UNCORRECTABLE | Code::CUDA_ERROR_NVLINK_UNCORRECTABLE => {
            Error::DeviceLost(format!(
                "{text}; memory of the GPU is damaged, reset it (nvidia-smi -r)"
            ))
        }
        // After these every further call in this process fails: the context is gone.
        Code::CUDA_ERROR_ILLEGAL_ADDRESS
        | Code::CUDA_ERROR_LAUNCH_TIMEOUT
        | Code::CUDA_ERROR_ASSERT
        | Code::CUDA_ERROR_HARDWARE_STACK_ERROR
        | Code::CUDA_ERROR_ILLEGAL_INSTRUCTION
        | Code::CUDA_ERROR_MISALIGNED_ADDRESS
        | Code::CUDA_ERROR_INVALID_ADDRESS_SPACE
        | Code::CUDA_ERROR_INVALID_PC
        | Code::CUDA_ERROR_LAUNCH_FAILED
        | Code::CUDA_ERROR_CONTEXT_IS_DESTROYED
        | Code::CUDA_ERROR_DEINITIALIZED
        | Code::CUDA_ERROR_UNKNOWN => Error::DeviceLost(text),
        Code::CUDA_ERROR_NO_BINARY_FOR_GPU
        | Code::CUDA_ERROR_INVALID_IMAGE
        | Code::CUDA_ERROR_UNSUPPORTED_PTX_VERSION => Error::Device(format!(
            "{text}; the driver is older than the compiler, update the driver"
        )),
        _ => Error::Device(text),
    }
}

/// What the driver calls an error.
fn words(code: Code) -> String {
    let mut text = std::ptr::null();
    // SAFETY: an error exists only after the library was loaded; `text` is a place for one pointer.
    let found = unsafe { sys::cuGetErrorString(code, &raw mut text) };
    if found != Code::CUDA_SUCCESS || text.is_null() {
        return format!("{code:?}");
    }
    // SAFETY: the driver's texts are constants that end in 0.
    let text = unsafe { CStr::from_ptr(text) }.to_string_lossy();
    format!("{text} ({code:?})")
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
            (Code::CUDA_ERROR_OUT_OF_MEMORY, "memory", "replaying: words"),
            (Code::CUDA_ERROR_ECC_UNCORRECTABLE, "lost", "damaged"),
            (Code::CUDA_ERROR_LAUNCH_FAILED, "lost", "words"),
            (Code::CUDA_ERROR_ILLEGAL_ADDRESS, "lost", "words"),
            (Code::CUDA_ERROR_LAUNCH_TIMEOUT, "lost", "words"),
            (Code::CUDA_ERROR_INVALID_IMAGE, "device", "update the driver"),
            (Code::CUDA_ERROR_NO_BINARY_FOR_GPU, "device", "update the driver"),
            (Code::CUDA_ERROR_INVALID_VALUE, "device", "words"),
        ] {
            let (found, text) = kind(code);
            assert!(found == expected && text.contains(part), "{code:?}: {found}: {text}");
        }
    }
}
