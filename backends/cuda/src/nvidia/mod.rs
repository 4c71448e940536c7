//! The machine as NVIDIA's driver shows it. Libraries are loaded at run time and looked for before they are called,
//! since the bindings panic without them.

mod cache;
mod driver;
mod error;
mod gpus;
mod nvml;
pub mod nvrtc;

use std::path::PathBuf;
use std::sync::OnceLock;

use yardstick_api::Error;

use crate::machine::{Driver, Gpu, Machine, Missing};

/// See the file's head.
pub(crate) struct Nvidia {
    /// Where compiled kernels are kept; `None`: nowhere.
    pub(crate) cache: Option<PathBuf>,
}

impl Machine for Nvidia {
    fn gpus(&self) -> Result<Vec<Gpu>, Missing> {
        // They do not change while a process lives, and asking takes tens of milliseconds.
        static GPUS: OnceLock<Result<Vec<Gpu>, Missing>> = OnceLock::new();
        GPUS.get_or_init(gpus::list).clone()
    }

    fn open(&self, ordinal: usize) -> Result<Box<dyn Driver>, Error> {
        let gpus = self.gpus().map_err(|missing| Error::Device(missing.reason))?;
        let gpu = gpus.into_iter().nth(ordinal);
        let gpu = gpu.ok_or_else(|| Error::Device(format!("no GPU {ordinal}")))?;
        let cache = cache::Cache::new(self.cache.clone());
        Ok(Box::new(driver::Context::open(ordinal, gpu, cache)?))
    }
}
