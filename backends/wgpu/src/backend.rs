//! The backend: adapters as devices, plans and loading.

use std::path::PathBuf;
use std::sync::Arc;

use yardstick_api::{
    Backend, Device, DeviceStatus, Error, Footprint, Known, Limit, Options, Reached, Session,
    Unsupported,
};
use yardstick_model::{Model, ModelInfo};

use crate::session::WgpuSession;
use crate::{adapters, ceiling, plan, weights};

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
        self.plan(device, model.info(), options)?;
        check_pairs(model)?;
        model.check_unchanged()?;
        Ok(Box::new(WgpuSession::new(&device.id, model, options, self.folder.as_deref())?))
    }

    fn ceiling(&self, device: &Device, limit: Limit, _: Option<usize>) -> Known<Reached> {
        ceiling::measure(&device.id, limit, self.folder.as_deref())
    }
}

/// Gate and up are multiplied together, which needs one format.
fn check_pairs(model: &Model) -> Result<(), Unsupported> {
    let layers = 0..model.architecture().layers.len();
    let mut mixed = layers.flat_map(|layer| weights::gate_formats(model, layer));
    match mixed.find(|(gate, up)| gate != up) {
        None => Ok(()),
        Some((gate, up)) => Err(Unsupported {
            reason: format!("ffn_gate is {}, ffn_up {}", gate.name(), up.name()),
            fix: Some("quantise both alike".into()),
        }),
    }
}
