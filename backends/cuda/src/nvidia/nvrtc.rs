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
    /// The same before the assembler, PTX; empty where the compiler does not keep it.
    pub ptx: Vec<u8>,
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
/// Folders where toolkits put it, which the loader does not look into.
const FOLDERS: &[&str] = &["/usr/local/cuda/lib64", "/opt/cuda/lib64"];
/// Folders of Python's packages; `*` is any name.
const PYTHON: &[&str] = &[
    "/usr/local/lib/python3*/*-packages",
    "/usr/lib/python3*/*-packages",
    "lib/python3*/site-packages",
];
/// Where a package of PyPI puts it: that of CUDA 12, and those of 13 and newer.
const PACKAGES: &[&str] = &["nvidia/cuda_nvrtc/lib", "nvidia/cu1*/lib", "nvidia/cuda_nvrtc/bin"];

impl Nvrtc {
    /// Loads it for a driver, `driver` being CUDA's number, 12040: from the folder of this program, as the system's loader
    /// finds it, or from where toolkits and Python's packages put it. One that the driver is too old for is passed over.
    pub fn load(driver: i32) -> Result<Nvrtc, Missing> {
        let own = own_folder();
        let mut passed_over = None;
        for file in places(own.as_deref()) {
            let Ok(nvrtc) = Nvrtc::open(&file) else { continue };
            match fits(nvrtc.version, driver) {
                Ok(()) => return Ok(nvrtc),
                Err(missing) => passed_over.get_or_insert(missing),
            };
        }
        Err(passed_over.unwrap_or_else(|| {
            Missing::new("NVIDIA's run-time compiler libnvrtc cannot be loaded", install(driver))
        }))
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

    /// Whether it makes code for a compute capability. One that cannot be asked is tried.
    pub(super) fn knows(&self, (major, minor): (u32, u32)) -> bool {
        type Count = unsafe extern "C" fn(*mut c_int) -> c_int;
        let (count, list) = (b"nvrtcGetNumSupportedArchs\0", b"nvrtcGetSupportedArchs\0");
        let functions = (self.function::<Count>(count), self.function::<Count>(list));
        let (Ok(count), Ok(list)) = functions else { return true };
        let mut number = 0;
        // SAFETY: a place for one number.
        if unsafe { count(&raw mut number) } != 0 || !(1..=1000).contains(&number) {
            return true;
        }
        let mut known = vec![0; number as usize];
        // SAFETY: a place for as many numbers as the library tells.
        let asked = unsafe { list(known.as_mut_ptr()) };
        asked != 0 || known.contains(&(major as c_int * 10 + minor as c_int))
    }

    /// Its version.
    pub fn version(&self) -> (i32, i32) {
        self.version
    }

    /// For facts.
    pub(super) fn described(&self) -> String {
        format!("NVRTC {}.{} ({})", self.version.0, self.version.1, self.file.display())
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
        // Only ever looked at: a compiler that does not tell it is as good to run with.
        let ptx = self.bytes(&program, b"nvrtcGetPTXSize\0", b"nvrtcGetPTX\0").unwrap_or_default();
        Ok(Compiled { code, ptx, log })
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

/// Machine code of a newer major version is not taken by an older driver.
fn fits((major, minor): (i32, i32), driver: i32) -> Result<(), Missing> {
    if major <= driver / 1000 {
        return Ok(());
    }
    let (d, e) = (driver / 1000, driver % 1000 / 10);
    Err(Missing::new(
        format!("NVRTC is of CUDA {major}.{minor}, the driver of {d}.{e}"),
        format!("update the NVIDIA driver, or {}", install(driver)),
    ))
}

/// The line that installs it for a driver, where it will be found.
pub(super) fn install(driver: i32) -> String {
    let package = match driver / 1000 {
        ..=12 => "nvidia-cuda-nvrtc-cu12".to_owned(),
        major => format!("'nvidia-cuda-nvrtc<{}'", major + 1),
    };
    let folder = own_folder().unwrap_or_else(|| PathBuf::from("."));
    format!("pip install --no-deps --target {} {package}", folder.join(BESIDE).display())
}

/// Folder beside this program for packages of PyPI.
const BESIDE: &str = "nvrtc";

fn own_folder() -> Option<PathBuf> {
    std::env::current_exe().ok().and_then(|exe| Some(exe.parent()?.to_owned()))
}

/// Every file that it might be, in the order in which they are tried.
fn places(own: Option<&Path>) -> Vec<PathBuf> {
    let in_folders = |folders: Vec<PathBuf>| {
        folders.into_iter().flat_map(|folder| NAMES.iter().map(move |name| folder.join(name)))
    };
    let mut folders: Vec<PathBuf> = own.map(Path::to_owned).into_iter().collect();
    folders.extend(own.map(|own| own.join(BESIDE)));
    folders.extend(own.into_iter().flat_map(|own| packages(&own.join(BESIDE))));
    let mut installed: Vec<PathBuf> = FOLDERS.iter().map(PathBuf::from).collect();
    let home = std::env::home_dir().map(|home| home.join(".local"));
    // A virtual environment holds this program's neighbours in `bin`.
    let around = own.and_then(Path::parent).map(Path::to_owned);
    for pattern in PYTHON {
        let roots = match pattern.starts_with('/') {
            true => vec![PathBuf::from("/")],
            false => home.iter().chain(&around).cloned().collect(),
        };
        let found = roots.iter().flat_map(|root| matching(root, pattern.trim_start_matches('/')));
        installed.extend(found.flat_map(|packages_of| packages(&packages_of)));
    }
    in_folders(folders)
        .chain(NAMES.iter().map(PathBuf::from))
        .chain(in_folders(installed))
        .collect()
}

/// Folders of NVIDIA's packages inside one of Python's.
fn packages(folder: &Path) -> Vec<PathBuf> {
    PACKAGES.iter().flat_map(|pattern| matching(folder, pattern)).collect()
}

/// Folders below `root` that a pattern names; `*` stands for anything within a name.
fn matching(root: &Path, pattern: &str) -> Vec<PathBuf> {
    let mut found = vec![root.to_owned()];
    for part in pattern.split('/') {
        found = match part.split_once('*') {
            None => found.into_iter().map(|path| path.join(part)).filter(|p| p.is_dir()).collect(),
            Some((begin, end)) => found.iter().flat_map(|path| entries(path, begin, end)).collect(),
        };
    }
    found
}

fn entries(folder: &Path, begin: &str, end: &str) -> Vec<PathBuf> {
    let Ok(list) = std::fs::read_dir(folder) else { return Vec::new() };
    let named = |path: &PathBuf| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        name.is_some_and(|name| name.starts_with(begin) && name.ends_with(end))
    };
    let mut paths: Vec<PathBuf> = list.flatten().map(|entry| entry.path()).filter(named).collect();
    // Newest first, and the same on every machine.
    paths.sort_unstable();
    paths.reverse();
    paths
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
    fn the_line_that_installs_the_compiler_is_the_drivers_and_where_it_says_is_looked() {
        assert!(install(12_040).ends_with(" nvidia-cuda-nvrtc-cu12"));
        assert!(install(13_000).ends_with(" 'nvidia-cuda-nvrtc<14'"));
        let folder = tempfile::tempdir().unwrap();
        let package = folder.path().join("nvrtc/nvidia/cu13/lib");
        std::fs::create_dir_all(&package).unwrap();
        let places = places(Some(folder.path()));
        let position = |file: &Path| places.iter().position(|place| place == file);
        let name = Path::new(NAMES[0]);
        let (inside, system) = (position(&package.join(name)), position(name));
        assert!(inside < system && inside.is_some(), "{places:?}");
        assert_eq!(position(&folder.path().join(name)), Some(0));
    }

    #[test]
    fn a_file_that_is_no_compiler_is_an_error() {
        assert!(Nvrtc::open(Path::new("/nonexistent/libnvrtc.so")).is_err());
    }
}
