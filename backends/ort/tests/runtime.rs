//! Runtimes that are none, too old, or lack the asked provider: what the devices say.

use std::path::{Path, PathBuf};
use std::process::Command;

use yardstick_api::{Backend, DeviceStatus};
use yardstick_ort::{Ort, Search, Settings};

mod support;

/// A library that calls itself ONNX Runtime and answers no interface: one so old, or (if interfaces are ever withdrawn) so new.
const STRANGE: &str = r#"
typedef struct { const void *(*get_api)(unsigned); const char *(*version)(void); } Base;
static const void *get_api(unsigned version) { (void)version; return 0; }
static const char *version(void) { return VERSION; }
static const Base base = { get_api, version };
const Base *OrtGetApiBase(void) { return &base; }
"#;

/// Compiled, or the line that says why not.
fn library(folder: &Path, version: &str) -> Result<PathBuf, String> {
    let (source, file) = (folder.join("strange.c"), folder.join("libonnxruntime.so"));
    std::fs::write(&source, STRANGE).expect("a temporary folder can be written");
    let defined = format!("-DVERSION=\"{version}\"");
    let built = Command::new("cc")
        .args(["-shared", "-fPIC", &defined, "-o"])
        .args([&file, &source])
        .status()
        .map_err(|error| format!("skipped: cc: {error}"))?;
    if built.success() { Ok(file) } else { Err("skipped: cc makes no shared library here".into()) }
}

fn missing(search: Search, id: &str) -> (String, String) {
    let backend = Ort::new(Settings { search, ..Settings::default() });
    let status = backend.devices().into_iter().find(|status| status.id() == id);
    match status {
        Some(DeviceStatus::Missing { reason, fix, .. }) => (reason, fix.unwrap_or_default()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_runtime_that_speaks_no_interface_of_ours_is_named_with_its_version_and_the_fix() {
    for version in ["1.16.3", "9.0.0"] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = match library(folder.path(), version) {
            Ok(file) => file,
            Err(line) => return println!("{line}"),
        };
        let search = Search { runtime: Some(file.clone()), ..Search::default() };
        let (reason, fix) = missing(search, "ort:cpu");
        let expected = format!("it is ONNX Runtime {version}, which does not speak interface 1.24");
        assert!(reason.contains(&expected) && reason.contains("libonnxruntime.so"), "{reason}");
        assert!(fix.contains("1.24 or newer"), "{fix}");
    }
}

#[test]
fn where_there_is_no_runtime_every_device_says_where_it_was_looked_for() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let search = Search { packages: vec![folder.path().to_owned()], ..Search::default() };
    for id in ["ort:cpu", "ort:openvino-npu", "ort:qnn-htp"] {
        let (reason, fix) = missing(search.clone(), id);
        assert!(reason.contains(&folder.path().display().to_string()), "{reason}");
        assert!(fix.contains("pip install onnxruntime"), "{fix}");
    }
}

#[test]
fn a_wheel_without_the_provider_and_a_provider_without_its_device_say_so() {
    let packages = support::packages();
    for (folder, id, reason, fix) in [
        (
            "onnxruntime",
            "ort:openvino-npu",
            "has OpenVINOExecutionProvider",
            "onnxruntime-openvino",
        ),
        ("openvino", "ort:openvino-npu", "NPU", "intel-npu-driver"),
        ("openvino", "ort:cuda", "has CUDAExecutionProvider", "onnxruntime-gpu"),
    ] {
        let packages = packages.join(folder);
        if !packages.is_dir() {
            return println!("skipped: no {}; ci/setup.sh runtimes", packages.display());
        }
        let search = Search { packages: vec![packages], ..Search::default() };
        let (found, advice) = missing(search, id);
        println!("{id}: {found}; {advice}");
        assert!(found.contains(reason) && advice.contains(fix), "{id}: {found}; {advice}");
    }
}
