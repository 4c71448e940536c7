//! The backend: which GPUs are there, what a model takes on one, what is missing, and loading.

use std::path::PathBuf;
use std::sync::Arc;

use yardstick_api::{
    Backend, Device, DeviceKind, DeviceStatus, Error, Footprint, Numerics, Options, Session,
    Unsupported,
};
use yardstick_model::{Model, ModelInfo};

use crate::machine::{Gpu, Machine};
use crate::nvidia::Nvidia;

/// GPUs through CUDA.
pub struct Cuda {
    machine: Box<dyn Machine>,
}

impl Cuda {
    /// NVIDIA's GPUs of this machine. `cache` is where compiled kernels are kept.
    pub fn new(cache: Option<PathBuf>) -> Cuda {
        Cuda::on(Nvidia { cache })
    }

    /// Any machine, for tests.
    pub fn on(machine: impl Machine + 'static) -> Cuda {
        Cuda { machine: Box::new(machine) }
    }
}

impl Backend for Cuda {
    fn name(&self) -> &str {
        "cuda"
    }

    fn devices(&self) -> Vec<DeviceStatus> {
        let gpus = match self.machine.gpus() {
            Ok(gpus) => gpus,
            Err(missing) => {
                let (reason, fix) = (missing.reason, missing.fix);
                return vec![DeviceStatus::Missing { id: "cuda:0".into(), reason, fix }];
            }
        };
        let preferred = gpus.iter().position(|gpu| gpu.unfit.is_none());
        let status = |(ordinal, gpu)| describe(ordinal, gpu, preferred == Some(ordinal));
        gpus.iter().enumerate().map(status).collect()
    }

    fn plan(&self, _: &Device, _: &ModelInfo, _: &Options) -> Result<Footprint, Unsupported> {
        Err(Unsupported { reason: "the CUDA backend runs no models yet".into(), fix: None })
    }

    fn load(
        &self,
        device: &Device,
        model: &Arc<Model>,
        options: &Options,
    ) -> Result<Box<dyn Session>, Error> {
        self.plan(device, model.info(), options)?;
        Err(Error::Device("planned and not loaded".into()))
    }
}

fn describe(ordinal: usize, gpu: &Gpu, preferred: bool) -> DeviceStatus {
    let id = format!("cuda:{ordinal}");
    if let Some(unfit) = &gpu.unfit {
        let reason = format!("{}: {}", gpu.name, unfit.reason);
        return DeviceStatus::Missing { id, reason, fix: unfit.fix.clone() };
    }
    DeviceStatus::Ready(Device {
        id,
        name: gpu.name.clone(),
        kind: DeviceKind::Gpu,
        class: gpu.class,
        numerics: vec![Numerics::A8, Numerics::Bf16, Numerics::F32],
        memory_bytes: gpu.memory_bytes.clone(),
        preferred,
    })
}
