//! NVIDIA's run-time compiler, bound by name from whichever version is there: its few functions have kept their shape
//! since CUDA 11. Kernels become machine code for one architecture, never PTX, which an older driver might not take.
#![allow(unsafe_code, reason = "calls into a C library")]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::path::{Path, PathBuf};

use libloading::Library;
use yardstick_api::Error;

use crate::machine::Missing;

/// The compiler.
pub struct Nvrtc {
    library: Library,
    file: PathBuf,
    version: (c_int, c_int),
}

/// Machine code, and what the compiler said.
pub struct Compiled {
    /// An ELF file for one architecture.
    pub code: Vec<u8>,
    /// Warnings and, where asked for, registers and spills.
    pub log: String,
}

type Program = *mut c_void;
type Create = unsafe extern "C" fn(
    *mut Program,
    *const c_char,
    *const c_char,
    c_int,
    *const *const c_char,
    *const *const c_char,
) -> c_int;
type Compile = unsafe extern "C" fn(Program, c_int, *const *const c_char) -> c_int;
type Size = unsafe extern "C" fn(Program, *mut usize) -> c_int;
type Fill = unsafe extern "C" fn(Program, *mut c_char) -> c_int;

/// Names the library goes by, newest first.
const NAMES: &[&str] = if cfg!(windows) {
    &["nvrtc64_130_0.dll", "nvrtc64_120_0.dll"]
} else {
    &["libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so"]
};
/// Folders where it is installed and not looked for by the loader.
const FOLDERS: &[&str] = &["/usr/local/cuda/lib64", "/opt/cuda/lib64"];

impl Nvrtc {
    /// Loads it: from the folder of this program, as the system's loader finds it, or from where toolkits put it.
    pub fn load() -> Result<Nvrtc, Missing> {
        let own = std::env::current_exe().ok().and_then(|exe| Some(exe.parent()?.to_owned()));
        let beside = own.into_iter().flat_map(|folder| NAMES.map_in(&folder));
        let named = NAMES.iter().map(PathBuf::from);
        let installed = FOLDERS.iter().flat_map(|folder| NAMES.map_in(Path::new(folder)));
        beside.chain(named).chain(installed).find_map(|file| Nvrtc::open(&file).ok()).ok_or_else(
            || {
                Missing::new(
                    "NVIDIA's run-time compiler libnvrtc cannot be loaded",
                    "install it (the CUDA toolkit's cuda-nvrtc package, or pip install nvidia-cuda-nvrtc), or put libnvrtc.so.13 and \
                     libnvrtc-builtins.so beside this program",
                )
            },
        )
    }

    /// Loads one file.
    pub fn open(file: &Path) -> Result<Nvrtc, Error> {
        // SAFETY: the file is NVIDIA's library or, at worst, another one of that name that the system loads.
        let library = unsafe { Library::new(file) };
        let library =
            library.map_err(|error| Error::Device(format!("{}: {error}", file.display())))?;
        let (mut major, mut minor) = (0, 0);
        {
            type Version = unsafe extern "C" fn(*mut c_int, *mut c_int) -> c_int;
            // SAFETY: nvrtcVersion has had this signature in every version.
            let version = unsafe { library.get::<Version>(b"nvrtcVersion\0") };
            let version = version.map_err(|error| Error::Device(error.to_string()))?;
            // SAFETY: two places for one number each.
            unsafe { version(&raw mut major, &raw mut minor) };
        }
        Ok(Nvrtc { library, file: file.to_owned(), version: (major, minor) })
    }

    /// Its version.
    pub fn version(&self) -> (i32, i32) {
        self.version
    }

    /// For facts.
    pub(super) fn described(&self) -> String {
        format!("NVRTC {}.{} ({})", self.version.0, self.version.1, self.file.display())
    }

    /// Machine code of a newer major version is not taken by an older driver; `driver` is CUDA's number, 12040.
    pub(super) fn fits(&self, driver: i32) -> Result<(), Missing> {
        fits(self.version, driver)
    }

    /// Compiles a source for an architecture, `sm_90`. With `verbose` the log tells registers and spills.
    pub fn compile(&self, name: &str, source: &str, options: &[String]) -> Result<Compiled, Error> {
        let text = |text: &str| {
            CString::new(text).map_err(|_| Error::Device(format!("{name}: a zero in its source")))
        };
        let (source, title) = (text(source)?, text(&format!("{name}.cu"))?);
        let options = options.iter().map(|option| text(option)).collect::<Result<Vec<_>, _>>()?;
        let options: Vec<*const c_char> = options.iter().map(|option| option.as_ptr()).collect();
        let program = self.create(&source, &title)?;
        // SAFETY: a live program and pointers to texts that outlive the call.
        let status = unsafe {
            self.function::<Compile>(b"nvrtcCompileProgram\0")?(
                program.handle,
                options.len() as c_int,
                options.as_ptr(),
            )
        };
        let log = self.bytes(&program, b"nvrtcGetProgramLogSize\0", b"nvrtcGetProgramLog\0")?;
        let log = String::from_utf8_lossy(&log).trim_end_matches('\0').to_owned();
        if status != 0 {
            return Err(Error::Device(format!(
                "{name} does not compile (NVRTC error {status}): {log}"
            )));
        }
        let code = self.bytes(&program, b"nvrtcGetCUBINSize\0", b"nvrtcGetCUBIN\0")?;
        Ok(Compiled { code, log })
    }

    fn create(&self, source: &CStr, title: &CStr) -> Result<Owned<'_>, Error> {
        let mut handle = std::ptr::null_mut();
        let none = std::ptr::null();
        // SAFETY: a place for a handle, texts that end in 0, and no headers.
        let status = unsafe {
            self.function::<Create>(b"nvrtcCreateProgram\0")?(
                &raw mut handle,
                source.as_ptr(),
                title.as_ptr(),
                0,
                none,
                none,
            )
        };
        match status {
            0 => Ok(Owned { nvrtc: self, handle }),
            _ => Err(Error::Device(format!("NVRTC makes no program (error {status})"))),
        }
    }

    /// One of the program's outputs.
    fn bytes(&self, program: &Owned<'_>, size: &[u8], fill: &[u8]) -> Result<Vec<u8>, Error> {
        let mut length = 0;
        // SAFETY: a live program and a place for one number.
        let status = unsafe { self.function::<Size>(size)?(program.handle, &raw mut length) };
        let mut bytes = vec![0; length];
        if status == 0 && length > 0 {
            // SAFETY: as many bytes as the library asked for.
            unsafe { self.function::<Fill>(fill)?(program.handle, bytes.as_mut_ptr().cast()) };
        }
        Ok(bytes)
    }

    fn function<F: Copy>(&self, name: &[u8]) -> Result<F, Error> {
        // SAFETY: callers give the signature that NVRTC documents for the name.
        let found = unsafe { self.library.get::<F>(name) };
        found
            .map(|f| *f)
            .map_err(|error| Error::Device(format!("{}: {error}", self.file.display())))
    }
}

/// See [`Nvrtc::fits`].
fn fits((major, minor): (i32, i32), driver: i32) -> Result<(), Missing> {
    if major <= driver / 1000 {
        return Ok(());
    }
    let (d, e) = (driver / 1000, driver % 1000 / 10);
    Err(Missing::new(
        format!("NVRTC is of CUDA {major}.{minor}, the driver of {d}.{e}"),
        format!("update the NVIDIA driver, or pip install nvidia-cuda-nvrtc-cu{d}"),
    ))
}

/// Every name in a folder.
trait In {
    fn map_in(&self, folder: &Path) -> Vec<PathBuf>;
}

impl In for [&str] {
    fn map_in(&self, folder: &Path) -> Vec<PathBuf> {
        self.iter().map(|name| folder.join(name)).collect()
    }
}

/// A program that is destroyed in the end.
struct Owned<'n> {
    nvrtc: &'n Nvrtc,
    handle: Program,
}

impl Drop for Owned<'_> {
    fn drop(&mut self) {
        type Destroy = unsafe extern "C" fn(*mut Program) -> c_int;
        if let Ok(destroy) = self.nvrtc.function::<Destroy>(b"nvrtcDestroyProgram\0") {
            // SAFETY: the handle is live until here.
            unsafe { destroy(&raw mut self.handle) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compiler_newer_than_the_driver_is_refused_and_an_older_one_is_not() {
        assert!(fits((13, 0), 12_040).unwrap_err().reason.contains("12.4"));
        assert_eq!((fits((12, 9), 13_000), fits((13, 2), 13_000)), (Ok(()), Ok(())));
    }

    #[test]
    fn a_file_that_is_no_compiler_is_an_error() {
        assert!(Nvrtc::open(Path::new("/nonexistent/libnvrtc.so")).is_err());
    }
}
