//! The backend: its devices, what a session takes, and loading.

use std::sync::Arc;

use yardstick_api::{
    Backend, Device, DeviceClass, DeviceKind, DeviceStatus, Error, Footprint, Known, Numerics,
    Options, Session, Unsupported,
};
use yardstick_model::{Model, ModelInfo};

use crate::answers::State;
use crate::misbehave::{ALL, Misbehaviour, Place};
use crate::session::NullSession;

/// Positions of all sequences together: far more than a test needs, far less than would hurt.
const MOST_POSITIONS: u64 = 1 << 24;

/// Positions per sequence when the options leave it open.
const DEFAULT_CONTEXT: usize = 4096;

/// The null backend.
#[derive(Clone, Copy, Debug, Default)]
pub struct Null {
    misbehaving: bool,
}

/// How a device misbehaves, and whether only while measuring.
pub(crate) struct Behaviour {
    pub(crate) what: Misbehaviour,
    pub(crate) late: bool,
}

impl Null {
    /// With `null:ok` alone.
    pub fn new() -> Null {
        Null { misbehaving: false }
    }

    /// With the devices that misbehave too. They crash, hang and flood the process that calls them:
    /// register this only where a test asked for it, and run them in workers.
    pub fn misbehaving() -> Null {
        Null { misbehaving: true }
    }
}

impl Backend for Null {
    fn name(&self) -> &str {
        "null"
    }

    fn devices(&self) -> Vec<DeviceStatus> {
        let bad = ALL.iter().filter(|_| self.misbehaving);
        let bad = bad.flat_map(|what| ["", "-late"].map(|late| format!("{}{late}", what.name)));
        std::iter::once("ok".to_owned()).chain(bad).map(|name| device(&name)).collect()
    }

    fn plan(
        &self,
        device: &Device,
        _model: &ModelInfo,
        options: &Options,
    ) -> Result<Footprint, Unsupported> {
        let refuse = |reason: String, fix: &str| Err(Unsupported { reason, fix: Some(fix.into()) });
        if !self.devices().iter().any(|known| known.id() == device.id) {
            return refuse(format!("no device {}", device.id), "use null:ok");
        }
        let context = options.context.unwrap_or(DEFAULT_CONTEXT);
        if [context, options.sequences, options.chunk, options.threads.unwrap_or(1)].contains(&0) {
            let reason = "context, sequences, chunk or threads is 0".to_owned();
            return refuse(reason, "use at least 1 of each");
        }
        let positions = (context as u64).saturating_mul(options.sequences as u64);
        if positions > MOST_POSITIONS {
            let reason = format!("{positions} positions asked for, {MOST_POSITIONS} are the most");
            return refuse(reason, "use a smaller context or fewer sequences");
        }
        let kv_bytes = positions * size_of::<State>() as u64;
        Ok(Footprint { kv_bytes, ..Footprint::default() })
    }

    fn load(
        &self,
        device: &Device,
        model: &Arc<Model>,
        options: &Options,
    ) -> Result<Box<dyn Session>, Error> {
        let footprint = self.plan(device, model.info(), options)?;
        let behaviour = behaviour(&device.id);
        if let Some(Behaviour { what, .. }) = &behaviour
            && what.place == Place::Load
        {
            (what.act)()?;
        }
        Ok(Box::new(NullSession {
            device: device.id.clone(),
            behaviour,
            vocab: model.architecture().vocab,
            context: options.context.unwrap_or(DEFAULT_CONTEXT),
            chunk: options.chunk,
            footprint,
            sequences: vec![Vec::new(); options.sequences],
            wanted: Vec::new(),
            logits: Vec::new(),
        }))
    }
}

fn device(name: &str) -> DeviceStatus {
    DeviceStatus::Ready(Device {
        id: format!("null:{name}"),
        name: "fixed answers".into(),
        kind: DeviceKind::None,
        class: DeviceClass::Software,
        numerics: vec![Numerics::F32],
        memory_bytes: Known::unavailable("the null backend keeps no weights"),
        preferred: name == "ok",
    })
}

fn behaviour(id: &str) -> Option<Behaviour> {
    let name = id.strip_prefix("null:")?;
    let (name, late) = name.strip_suffix("-late").map_or((name, false), |name| (name, true));
    ALL.iter().find(|what| what.name == name).map(|&what| Behaviour { what, late })
}
