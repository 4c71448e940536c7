//! Asks a runtime's library what it is, through its C interface, without binding the process to it: `ort` takes one runtime a
//! process, and which one depends on the device. The only file beside `placement/assigned.rs` with unsafe code.

use std::ffi::{CStr, CString, c_char, c_void};
use std::path::Path;
use std::ptr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ort::memory::DeviceType;
use ort::sys::{
    OrtApi, OrtApiBase, OrtEnv, OrtEpDevice, OrtHardwareDeviceType, OrtLoggingLevel, OrtStatusPtr,
};

use super::log_line;

/// The oldest interface we speak: ONNX Runtime 1.24 tells which provider each node was given to.
pub(crate) const OLDEST: u32 = 24;

/// A library that is a runtime we can use.
pub(crate) struct Inspected {
    /// `1.31.1`
    pub(crate) version: String,
    /// Providers compiled in, `CPUExecutionProvider`.
    pub(crate) providers: Vec<String>,
    api: &'static OrtApi,
}

/// Why a library is no runtime we can use.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unusable {
    /// The system cannot load it.
    #[error("{0}")]
    Load(String),
    /// It exports no `OrtGetApiBase`.
    #[error("it is not ONNX Runtime: it does not export OrtGetApiBase")]
    Stranger,
    /// It is too old, or (if ever an interface is withdrawn) too new.
    #[error("it is ONNX Runtime {0}, which does not speak interface 1.{OLDEST}")]
    Version(String),
}

/// Loads a library and asks it. It stays loaded: runtimes leave threads and exit handlers behind.
pub(crate) fn inspect(path: &Path) -> Result<Inspected, Unusable> {
    // SAFETY: loading runs the library's initialisers; it is the file the user named or a package's own runtime, loaded as
    // Python would load it.
    let library = unsafe { libloading::Library::new(path) }
        .map_err(|error| Unusable::Load(error.to_string()))?;
    let library: &'static libloading::Library = Box::leak(Box::new(library));
    type Base = unsafe extern "C" fn() -> *const OrtApiBase;
    // SAFETY: a function of this name has this type in every version of ONNX Runtime's C interface.
    let base =
        unsafe { library.get::<Base>(b"OrtGetApiBase\0") }.map_err(|_| Unusable::Stranger)?;
    // SAFETY: it takes nothing and returns a pointer to a static table, or null.
    let base = unsafe { base().as_ref() }.ok_or(Unusable::Stranger)?;
    // SAFETY: a static text of the library, which is never unloaded.
    let version = unsafe { text((base.GetVersionString)()) };
    // SAFETY: null where the version is not spoken, else a static table of at least that version's functions.
    let api = unsafe { (base.GetApi)(OLDEST).as_ref() };
    let api = api.ok_or_else(|| Unusable::Version(version.clone()))?;
    Ok(Inspected { providers: providers(api), version, api })
}

/// A device that a plug-in offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Offered {
    pub(crate) provider: String,
    pub(crate) kind: DeviceType,
    pub(crate) vendor: String,
}

/// The environment in which plug-ins are registered and providers tried; released with what was registered in it.
pub(crate) struct Trial<'a> {
    api: &'a OrtApi,
    environment: *mut OrtEnv,
    /// No other trial runs: a runtime has one environment a process, and who asks for a second gets the first, logger and all.
    _alone: MutexGuard<'static, ()>,
}

/// What runtimes said while they failed. Static, because an environment that someone else keeps alive keeps its first logger.
static SAID: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Held by the trial that runs.
static ALONE: Mutex<()> = Mutex::new(());

impl Inspected {
    /// Starts the runtime for questions.
    pub(crate) fn trial(&self) -> Result<Trial<'_>, String> {
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        heard();
        let mut environment = ptr::null_mut();
        // SAFETY: the logger is a function and needs no parameter; the name is a static text; `environment` is written on
        // success.
        check(self.api, unsafe {
            (self.api.CreateEnvWithCustomLogger)(
                note,
                ptr::null_mut(),
                OrtLoggingLevel::ORT_LOGGING_LEVEL_ERROR,
                c"yardstick-trial".as_ptr(),
                &mut environment,
            )
        })?;
        Ok(Trial { api: self.api, environment, _alone: alone })
    }
}

impl Trial<'_> {
    /// What a plug-in offers here.
    pub(crate) fn plugin(&self, provider: &str, path: &Path) -> Result<Vec<Offered>, String> {
        let name = CString::new(provider).map_err(|error| error.to_string())?;
        let file = os_path(path)?;
        // SAFETY: both texts end with zero and outlive the call; the environment is alive.
        let registered = unsafe {
            (self.api.RegisterExecutionProviderLibrary)(
                self.environment,
                name.as_ptr(),
                file.as_ptr(),
            )
        };
        let own = match check(self.api, registered) {
            Ok(()) => true,
            // The runtime has one environment a process: a session of ours has registered it.
            Err(error) if error.contains("already registered") => false,
            Err(error) => return Err(self.with_said(error)),
        };
        let offered = self.devices();
        if own {
            // SAFETY: the environment is alive and no session uses what was registered here.
            let gone = unsafe {
                (self.api.UnregisterExecutionProviderLibrary)(self.environment, name.as_ptr())
            };
            check(self.api, gone)?;
        }
        Ok(offered?.into_iter().filter(|offered| offered.provider == provider).collect())
    }

    fn devices(&self) -> Result<Vec<Offered>, String> {
        let (mut devices, mut count) = (ptr::null::<*const OrtEpDevice>(), 0);
        // SAFETY: on success the pointer is to `count` device pointers, valid until a library is registered or removed.
        let listed = unsafe { (self.api.GetEpDevices)(self.environment, &mut devices, &mut count) };
        check(self.api, listed)?;
        if devices.is_null() {
            return Ok(Vec::new());
        }
        // SAFETY: as above; nothing is registered or removed while the slice lives.
        let devices = unsafe { std::slice::from_raw_parts(devices, count) };
        let read = |&device: &*const OrtEpDevice| {
            // SAFETY: each is a valid device whose texts and hardware live as long as it does.
            unsafe {
                let hardware = (self.api.EpDevice_Device)(device);
                let kind = match (self.api.HardwareDevice_Type)(hardware) {
                    OrtHardwareDeviceType::OrtHardwareDeviceType_CPU => DeviceType::CPU,
                    OrtHardwareDeviceType::OrtHardwareDeviceType_GPU => DeviceType::GPU,
                    OrtHardwareDeviceType::OrtHardwareDeviceType_NPU => DeviceType::NPU,
                };
                Offered {
                    provider: text((self.api.EpDevice_EpName)(device)),
                    vendor: text((self.api.HardwareDevice_Vendor)(hardware)),
                    kind,
                }
            }
        };
        Ok(devices.iter().map(read).collect())
    }

    /// Whether a provider that is compiled in starts with these options; else its own reason.
    pub(crate) fn starts(&self, provider: &str, options: &[(&str, &str)]) -> Result<(), String> {
        let texts = |texts: &mut dyn Iterator<Item = &str>| -> Result<Vec<CString>, String> {
            texts.map(|text| CString::new(text).map_err(|error| error.to_string())).collect()
        };
        let name = CString::new(provider).map_err(|error| error.to_string())?;
        let keys = texts(&mut options.iter().map(|option| option.0))?;
        let values = texts(&mut options.iter().map(|option| option.1))?;
        let pointers = |texts: &[CString]| -> Vec<*const c_char> {
            texts.iter().map(|text| text.as_ptr()).collect()
        };
        let (keys, values) = (pointers(&keys), pointers(&values));
        let mut session = ptr::null_mut();
        // SAFETY: written on success, released below.
        check(self.api, unsafe { (self.api.CreateSessionOptions)(&mut session) })?;
        // SAFETY: `keys` and `values` are as long as said; all texts outlive the call.
        let appended = unsafe {
            (self.api.SessionOptionsAppendExecutionProvider)(
                session,
                name.as_ptr(),
                keys.as_ptr(),
                values.as_ptr(),
                keys.len(),
            )
        };
        let outcome = check(self.api, appended).map_err(|error| self.with_said(error));
        // SAFETY: created above, used by nothing else.
        unsafe { (self.api.ReleaseSessionOptions)(session) };
        outcome
    }

    /// The error, and what the runtime logged: providers tell the reason there.
    fn with_said(&self, error: String) -> String {
        match heard().last() {
            Some(reason) if !error.contains(reason.as_str()) => format!("{reason} ({error})"),
            _ => error,
        }
    }
}

impl Drop for Trial<'_> {
    fn drop(&mut self) {
        // SAFETY: created by `trial`, and nothing made from it is left.
        unsafe { (self.api.ReleaseEnv)(self.environment) };
    }
}

/// The runtime's logger.
unsafe extern "system" fn note(
    _: *mut c_void,
    _: OrtLoggingLevel,
    _: *const c_char,
    _: *const c_char,
    _: *const c_char,
    message: *const c_char,
) {
    // SAFETY: the runtime's message lives for the call.
    let message = unsafe { text(message) };
    let mut said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
    // Nobody asks what came long before a failure.
    if said.len() >= 64 {
        said.clear();
    }
    said.push(log_line(&message));
}

/// Takes what was said.
fn heard() -> Vec<String> {
    std::mem::take(&mut *SAID.lock().unwrap_or_else(PoisonError::into_inner))
}

fn providers(api: &OrtApi) -> Vec<String> {
    let (mut list, mut count) = (ptr::null_mut(), 0);
    // SAFETY: on success the pointer is to `count` texts, released below.
    if check(api, unsafe { (api.GetAvailableProviders)(&mut list, &mut count) }).is_err()
        || list.is_null()
    {
        return Vec::new();
    }
    // SAFETY: as above.
    let names = unsafe { std::slice::from_raw_parts(list, count.max(0) as usize) };
    // SAFETY: each is a text that ends with zero.
    let names = names.iter().map(|&name| unsafe { text(name) }).collect();
    // SAFETY: what GetAvailableProviders returned, once.
    let released = unsafe { (api.ReleaseAvailableProviders)(list, count) };
    let _ = check(api, released);
    names
}

/// The message of a status that is not good.
fn check(api: &OrtApi, status: OrtStatusPtr) -> Result<(), String> {
    if status.0.is_null() {
        return Ok(());
    }
    // SAFETY: a status that is not null has a message, and is ours to release.
    unsafe {
        let message = text((api.GetErrorMessage)(status.0));
        (api.ReleaseStatus)(status.0);
        Err(message)
    }
}

/// A text of the runtime's; empty where there is none.
///
/// # Safety
/// Null, or a text that ends with zero and lives for the call.
unsafe fn text(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: the caller's.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

/// A path as the runtime takes it.
#[cfg(not(windows))]
fn os_path(path: &Path) -> Result<Vec<c_char>, String> {
    let name = CString::new(path.as_os_str().as_encoded_bytes()).map_err(|e| e.to_string())?;
    Ok(name.into_bytes_with_nul().into_iter().map(|byte| byte as c_char).collect())
}

/// A path as the runtime takes it.
#[cfg(windows)]
fn os_path(path: &Path) -> Result<Vec<u16>, String> {
    use std::os::windows::ffi::OsStrExt;
    Ok(path.as_os_str().encode_wide().chain([0]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_runtime_is_named_as_such() {
        assert!(matches!(inspect(Path::new("/nonexistent.so")), Err(Unusable::Load(_))));
        let folder = tempfile::tempdir().unwrap();
        let text = folder.path().join("libonnxruntime.so");
        std::fs::write(&text, "not a library").unwrap();
        assert!(matches!(inspect(&text), Err(Unusable::Load(_))));
        #[cfg(target_os = "linux")]
        assert_eq!(inspect(Path::new("libm.so.6")).err(), Some(Unusable::Stranger));
    }
}
