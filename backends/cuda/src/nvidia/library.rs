//! The driver's library, bound by name: the functions that are called here, with the signatures of NVIDIA's header for
//! CUDA 12.0, which every later driver still exports. Error codes stay numbers: a newer driver returns some that this
//! program has never heard of, which bindings with an enum for them could not hold. A test compares every signature with
//! bindings that were generated from the header.
#![allow(unsafe_code, reason = "loads a C library")]

use std::ffi::{CStr, c_char, c_int, c_uint, c_ulonglong, c_void};
use std::sync::OnceLock;

use crate::machine::Missing;

/// What a call of the driver returns; see [`super::error`] for the names.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub(super) struct Code(pub(super) u32);

/// Contexts, streams, modules, functions, graphs and events: pointers that only the driver follows.
pub(super) type Handle = *mut c_void;
/// An address in the device's memory.
pub(super) type Address = u64;

macro_rules! functions {
    ($($name:ident($($argument:ty),*);)*) => {
        /// The functions.
        #[allow(non_snake_case, reason = "the driver's names")]
        pub(super) struct Library {
            $(pub(super) $name: unsafe extern "C" fn($($argument),*) -> Code,)*
        }

        impl Library {
            /// Every function; or the name of the first that is not there.
            fn bind(library: &libloading::Library) -> Result<Library, &'static str> {
                Ok(Library {
                    $($name: {
                        let name = concat!(stringify!($name), "\0");
                        // SAFETY: the signature is the header's for the name.
                        let found = unsafe { library.get(name.as_bytes()) };
                        *found.map_err(|_| stringify!($name))?
                    },)*
                })
            }
        }
    };
}

functions! {
    cuInit(c_uint);
    cuDriverGetVersion(*mut c_int);
    cuGetErrorName(Code, *mut *const c_char);
    cuGetErrorString(Code, *mut *const c_char);
    cuDeviceGetCount(*mut c_int);
    cuDeviceGet(*mut c_int, c_int);
    cuDeviceGetName(*mut c_char, c_int, c_int);
    cuDeviceGetUuid(*mut [u8; 16], c_int);
    cuDeviceTotalMem_v2(*mut usize, c_int);
    cuDeviceGetAttribute(*mut c_int, c_int, c_int);
    cuDevicePrimaryCtxRetain(*mut Handle, c_int);
    cuDevicePrimaryCtxRelease_v2(c_int);
    cuCtxSetCurrent(Handle);
    cuMemGetInfo_v2(*mut usize, *mut usize);
    cuMemAlloc_v2(*mut Address, usize);
    cuMemFree_v2(Address);
    cuMemHostAlloc(*mut *mut c_void, usize, c_uint);
    cuMemFreeHost(*mut c_void);
    cuMemcpyHtoDAsync_v2(Address, *const c_void, usize, Handle);
    cuMemcpyDtoHAsync_v2(*mut c_void, Address, usize, Handle);
    cuMemcpyDtoDAsync_v2(Address, Address, usize, Handle);
    cuStreamCreate(*mut Handle, c_uint);
    cuStreamDestroy_v2(Handle);
    cuStreamQuery(Handle);
    cuStreamBeginCapture_v2(Handle, c_uint);
    cuStreamEndCapture(Handle, *mut Handle);
    cuModuleLoadData(*mut Handle, *const c_void);
    cuModuleUnload(Handle);
    cuModuleGetFunction(*mut Handle, Handle, *const c_char);
    cuFuncGetAttribute(*mut c_int, c_int, Handle);
    cuOccupancyMaxActiveBlocksPerMultiprocessor(*mut c_int, Handle, c_int, usize);
    cuLaunchKernel(
        Handle, c_uint, c_uint, c_uint, c_uint, c_uint, c_uint, c_uint, Handle, *mut *mut c_void, *mut *mut c_void
    );
    cuGraphInstantiateWithFlags(*mut Handle, Handle, c_ulonglong);
    cuGraphUpload(Handle, Handle);
    cuGraphLaunch(Handle, Handle);
    cuGraphDestroy(Handle);
    cuGraphExecDestroy(Handle);
    cuEventCreate(*mut Handle, c_uint);
    cuEventRecord(Handle, Handle);
    cuEventQuery(Handle);
    cuEventElapsedTime(*mut f32, Handle, Handle);
    cuEventDestroy_v2(Handle);
}

/// Names the library goes by. The one with a version is the driver's own; that without may be a stub for linking.
const NAMES: &[&str] =
    if cfg!(windows) { &["nvcuda.dll"] } else { &["libcuda.so.1", "libcuda.so"] };

/// The library, loaded once and for good; or why it cannot be.
pub(super) fn library() -> Result<&'static Library, Missing> {
    static LIBRARY: OnceLock<Result<Library, Missing>> = OnceLock::new();
    LIBRARY.get_or_init(load).as_ref().map_err(Clone::clone)
}

fn load() -> Result<Library, Missing> {
    // SAFETY: loads the driver's library, whose initialisers are the vendor's.
    let found = NAMES.iter().find_map(|name| unsafe { libloading::Library::new(*name) }.ok());
    let found = found.ok_or_else(|| {
        Missing::new(
            "the NVIDIA driver's library libcuda cannot be loaded",
            "install the NVIDIA driver (nvidia-smi must work); in a container: docker run --gpus all",
        )
    })?;
    let bound = Library::bind(&found);
    // Its functions are called until the process ends.
    std::mem::forget(found);
    bound.map_err(|name| {
        Missing::new(
            format!("the NVIDIA driver has no {name}: it is older than CUDA 12.0"),
            "update the NVIDIA driver to 525 or newer",
        )
    })
}

impl Library {
    /// What the driver calls an error, and its words for it.
    pub(super) fn words(&self, code: Code) -> String {
        let ask = |function: unsafe extern "C" fn(Code, *mut *const c_char) -> Code| {
            let mut text = std::ptr::null();
            // SAFETY: `text` is a place for one pointer.
            let found = unsafe { function(code, &raw mut text) };
            // SAFETY: the driver's texts are constants that end in 0.
            (found.0 == 0 && !text.is_null()).then(|| unsafe { CStr::from_ptr(text) })
        };
        let text = |found: Option<&CStr>| found.map(|text| text.to_string_lossy().into_owned());
        let name = text(ask(self.cuGetErrorName)).unwrap_or_else(|| format!("error {}", code.0));
        match text(ask(self.cuGetErrorString)) {
            Some(words) => format!("{words} ({name})"),
            None => name,
        }
    }
}

/// A table whose entries end the program when called: for tests that only need one to be there.
#[cfg(test)]
pub(super) fn never() -> Library {
    unsafe extern "C" fn nothing() {
        std::process::abort();
    }
    let entries = [nothing as unsafe extern "C" fn(); size_of::<Library>() / size_of::<usize>()];
    // SAFETY: a struct of nothing but function pointers, which nobody calls.
    unsafe { std::mem::transmute::<[unsafe extern "C" fn(); _], Library>(entries) }
}

#[cfg(test)]
mod tests {
    use cudarc::driver::sys;

    use super::*;

    /// Bytes of a function's arguments, in order.
    trait Shape {
        fn shape(self) -> Vec<usize>;
    }

    macro_rules! shapes {
        ($($argument:ident)*) => {
            impl<R, $($argument),*> Shape for unsafe extern "C" fn($($argument),*) -> R {
                fn shape(self) -> Vec<usize> {
                    vec![$(size_of::<$argument>(),)* size_of::<R>()]
                }
            }
            impl<R, $($argument),*> Shape for unsafe fn($($argument),*) -> R {
                fn shape(self) -> Vec<usize> {
                    vec![$(size_of::<$argument>(),)* size_of::<R>()]
                }
            }
        };
    }
    shapes!(A);
    shapes!(A B);
    shapes!(A B C);
    shapes!(A B C D);
    shapes!(A B C D E F G H I J K);

    macro_rules! same {
        ($check:ident: $($name:ident $count:tt)*) => {
            $(
                let ours = |library: &Library| library.$name.shape();
                let theirs = (sys::$name as same!(@ $count)).shape();
                $check(stringify!($name), ours, theirs);
            )*
        };
        (@ 1) => { unsafe fn(_) -> _ };
        (@ 2) => { unsafe fn(_, _) -> _ };
        (@ 3) => { unsafe fn(_, _, _) -> _ };
        (@ 4) => { unsafe fn(_, _, _, _) -> _ };
        (@ 11) => { unsafe fn(_, _, _, _, _, _, _, _, _, _, _) -> _ };
    }

    #[test]
    fn every_signature_has_the_shape_of_the_bindings_made_from_the_header() {
        let mut compared = 0;
        // A table of functions that are never called.
        let library = never();
        let mut check = |name: &str, ours: fn(&Library) -> Vec<usize>, theirs: Vec<usize>| {
            assert_eq!(ours(&library), theirs, "{name}");
            compared += 1;
        };
        same! {
            check: cuInit 1 cuDriverGetVersion 1 cuGetErrorName 2 cuGetErrorString 2 cuDeviceGetCount 1
            cuDeviceGet 2 cuDeviceGetName 3 cuDeviceGetUuid 2 cuDeviceTotalMem_v2 2
            cuDeviceGetAttribute 3 cuDevicePrimaryCtxRetain 2 cuDevicePrimaryCtxRelease_v2 1
            cuCtxSetCurrent 1 cuMemGetInfo_v2 2 cuMemAlloc_v2 2 cuMemFree_v2 1 cuMemHostAlloc 3
            cuMemFreeHost 1 cuMemcpyHtoDAsync_v2 4 cuMemcpyDtoHAsync_v2 4 cuMemcpyDtoDAsync_v2 4
            cuStreamCreate 2 cuStreamDestroy_v2 1 cuStreamQuery 1 cuStreamBeginCapture_v2 2
            cuStreamEndCapture 2 cuModuleLoadData 2 cuModuleUnload 1 cuModuleGetFunction 3
            cuFuncGetAttribute 3 cuOccupancyMaxActiveBlocksPerMultiprocessor 4 cuLaunchKernel 11
            cuGraphInstantiateWithFlags 3 cuGraphUpload 2 cuGraphLaunch 2 cuGraphDestroy 1
            cuGraphExecDestroy 1 cuEventCreate 2 cuEventRecord 2 cuEventQuery 1
            cuEventElapsedTime 3 cuEventDestroy_v2 1
        }
        assert_eq!(compared, size_of::<Library>() / size_of::<usize>());
    }
}
