//! Runtimes for tests: where `ci/setup.sh runtimes` put them, or where `YARDSTICK_ORT_PACKAGES` says.
#![allow(dead_code, unused_imports, reason = "not every test uses every part")]

mod conforms;
mod weights;

use std::path::{Path, PathBuf};

pub(crate) use conforms::{golden_models, made_up_models};
pub(crate) use weights::answers_as_the_reference_with_the_same_weights;

use yardstick_api::{Backend, Device, DeviceStatus};
use yardstick_ort::{Ort, Search, Settings};

/// The folder of packages.
pub(crate) fn packages() -> PathBuf {
    match std::env::var_os("YARDSTICK_ORT_PACKAGES") {
        Some(folder) => PathBuf::from(folder),
        None => Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("tools").join("onnxruntime"),
    }
}

/// Those packages, and a cache that lives for the test program.
pub(crate) fn settings() -> Settings {
    let search = Search { packages: vec![packages()], ..Search::default() };
    Settings { search, cache: Some(cache()), ..Settings::default() }
}

/// The backend over them.
pub(crate) fn backend() -> Ort {
    Ort::new(settings())
}

/// Where these tests keep converted models.
pub(crate) fn cache() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("onnx")
}

/// A usable device, or the line that says why the test is skipped.
pub(crate) fn device(backend: &dyn Backend, id: &str) -> Result<Device, String> {
    match backend.devices().into_iter().find(|status| status.id() == id) {
        Some(DeviceStatus::Ready(device)) => Ok(device),
        Some(DeviceStatus::Missing { reason, .. }) => {
            Err(format!("skipped: {id}: {reason}; ci/setup.sh runtimes"))
        }
        None => Err(format!("skipped: there is no {id}")),
    }
}

/// One device of a backend and nothing else of it.
pub(crate) struct Only {
    pub(crate) backend: Ort,
    pub(crate) device: Device,
}

impl Backend for Only {
    fn name(&self) -> &str {
        self.backend.name()
    }

    fn devices(&self) -> Vec<DeviceStatus> {
        vec![DeviceStatus::Ready(Device { preferred: true, ..self.device.clone() })]
    }

    fn plan(
        &self,
        device: &Device,
        model: &yardstick_model::ModelInfo,
        options: &yardstick_api::Options,
    ) -> Result<yardstick_api::Footprint, yardstick_api::Unsupported> {
        if device.id != self.device.id {
            let reason = format!("no device {}", device.id);
            return Err(yardstick_api::Unsupported { reason, fix: None });
        }
        self.backend.plan(device, model, options)
    }

    fn load(
        &self,
        device: &Device,
        model: &std::sync::Arc<yardstick_model::Model>,
        options: &yardstick_api::Options,
    ) -> Result<Box<dyn yardstick_api::Session>, yardstick_api::Error> {
        self.plan(device, model.info(), options)?;
        // Waiting threads spin, which on a busy machine makes two many times slower than one.
        let threads = Some(options.threads.unwrap_or(1));
        self.backend.load(device, model, &yardstick_api::Options { threads, ..options.clone() })
    }
}
