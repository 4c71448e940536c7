//! The backend: adapters as devices, plans and loading.

use std::path::PathBuf;
use std::sync::Arc;

use yardstick_api::{
    Backend, Device, DeviceStatus, Error, Footprint, Known, Limit, Options, Reached, Session,
    Unsupported,
};
use yardstick_model::{Model, ModelInfo};

use crate::blocking::Blocking;
use crate::session::WgpuSession;
use crate::wait::block;
use crate::{adapters, ceiling, plan};

/// Every adapter of this machine.
#[derive(Clone, Debug, Default)]
pub struct Wgpu {
    folder: Option<PathBuf>,
}

impl Wgpu {
    /// The same, keeping compiled pipelines and what tuning chose in a folder between processes.
    pub fn keeping(folder: Option<PathBuf>) -> Wgpu {
        Wgpu { folder }
    }
}

impl Backend for Wgpu {
    fn name(&self) -> &str {
        "wgpu"
    }

    fn devices(&self) -> Vec<DeviceStatus> {
        adapters::devices()
    }

    fn plan(
        &self,
        device: &Device,
        model: &ModelInfo,
        options: &Options,
    ) -> Result<Footprint, Unsupported> {
        plan::plan(device, model, options)
    }

    fn load(
        &self,
        device: &Device,
        model: &Arc<Model>,
        options: &Options,
    ) -> Result<Box<dyn Session>, Error> {
        let session = WgpuSession::load(device, model, options, self.folder.as_deref());
        Ok(Box::new(Blocking(block(session)?)))
    }

    fn ceiling(&self, device: &Device, limit: Limit, _: Option<usize>) -> Known<Reached> {
        block(ceiling::measure(&device.id, limit, self.folder.as_deref()))
    }
}
