//! The backend: one device, what a model takes on it, what is missing, and loading.

use std::sync::Arc;

use yardstick_api::{
    Backend, Device, DeviceClass, DeviceKind, DeviceStatus, Error, Footprint, KvType, Lengths,
    Numerics, Options, Session, Unsupported, host,
};
use yardstick_model::arch::Requirement;
use yardstick_model::{Model, ModelInfo};

use crate::cache::Cache;
use crate::footprint::{footprint, relaid, scratch};
use crate::formats::{Storage, storage};
use crate::forward::Engine;
use crate::rotary::Angles;
use crate::session::CandleSession;
use crate::threads;
use crate::weights::{Network, failed};

/// The id of the only device.
pub(crate) const DEVICE: &str = "candle:cpu";

/// What the forward pass here can do.
const SUPPORTED: &[Requirement] = &[
    Requirement::RotaryNeighbours,
    Requirement::RotaryHalves,
    Requirement::PartialRotary,
    Requirement::RotaryFactors,
    Requirement::RotaryFactorsByContext,
    Requirement::RotaryMagnitude,
    Requirement::QkvBias,
    Requirement::Experts,
    Requirement::UnequalLayers,
    Requirement::UnequalHeads,
];

/// Candle on the processor.
#[derive(Clone, Copy, Debug, Default)]
pub struct Candle;

impl Backend for Candle {
    fn name(&self) -> &str {
        "candle"
    }

    fn devices(&self) -> Vec<DeviceStatus> {
        let processor = host::processor();
        let processor = processor.value().map_or("processor", String::as_str);
        vec![DeviceStatus::Ready(Device {
            id: DEVICE.into(),
            name: format!("{processor}, candle {VERSION}"),
            kind: DeviceKind::Cpu,
            class: DeviceClass::Hardware,
            numerics: vec![Numerics::A8, Numerics::F32],
            memory_bytes: host::available_memory(),
            preferred: true,
        })]
    }

    fn plan(
        &self,
        device: &Device,
        model: &ModelInfo,
        options: &Options,
    ) -> Result<Footprint, Unsupported> {
        check_options(device, options)?;
        options.check(&model.architecture)?;
        check_model(model, options)?;
        let footprint = footprint(model, options);
        footprint.fit(&host::available_memory())?;
        Ok(footprint)
    }

    fn load(
        &self,
        device: &Device,
        model: &Arc<Model>,
        options: &Options,
    ) -> Result<Box<dyn Session>, Error> {
        self.plan(device, model.info(), options)?;
        let threads = threads::agree(options.threads)?;
        model.check_unchanged()?;
        let architecture = model.architecture();
        let context = options.context_of(architecture);
        let network = Network::new(model)?;
        let angles = architecture.rotary.iter().map(|rotary| {
            Angles::new(rotary, context, options.rotary_context.unwrap_or(context)).map_err(failed)
        });
        let angles = angles.collect::<Result<_, Error>>()?;
        let cache = Cache::new(&architecture.layers, options.sequences, context, options.kv);
        let engine = Engine { network, angles, cache: cache.map_err(failed)? };
        Ok(Box::new(CandleSession {
            engine,
            model: Arc::clone(model),
            chunk: options.chunk,
            threads,
            scratch_bytes: scratch(architecture, options, context),
            lengths: Lengths::new(options.sequences, context),
            logits: Vec::new(),
        }))
    }
}

/// Candle's version, as in the workspace's manifest; a test compares it with the lock file.
pub(crate) const VERSION: &str = "0.11.1";

fn refuse<T>(reason: String, fix: &str) -> Result<T, Unsupported> {
    Err(Unsupported::new(reason, fix))
}

fn check_options(device: &Device, options: &Options) -> Result<(), Unsupported> {
    if device.id != DEVICE {
        return refuse(format!("no device {}", device.id), "use candle:cpu");
    }
    if let Some(other @ (Numerics::F16 | Numerics::Bf16)) = options.numerics {
        return refuse(format!("numerics {other:?} asked of the processor"), "ask for a8 or f32");
    }
    if options.profile {
        return refuse("per-operation times are not recorded".into(), "leave profile off");
    }
    Ok(())
}

/// What this model needs that candle, or the forward pass here, does not have.
fn check_model(model: &ModelInfo, options: &Options) -> Result<(), Unsupported> {
    if let Some(missing) = model.architecture.missing(SUPPORTED) {
        let reason = format!("{missing}, which the forward pass over candle lacks");
        return refuse(reason, "use a model of the families llama or qwen2");
    }
    if options.kv == KvType::Q8_0 {
        return refuse("candle keeps no keys and values in 8 bits".into(), "use --kv f16 or f32");
    }
    for &(format, bytes) in &model.formats {
        let name = format.name();
        match storage(format) {
            None => {
                let reason = format!("candle {VERSION} has no {name}");
                return refuse(reason, "use Q4_0 to Q8_0, Q2_K to Q6_K, F16 or F32");
            }
            Some(Storage::Blocks(_)) if options.numerics == Some(Numerics::F32) => {
                let reason = format!("candle multiplies {name} with activations in 8 bits only");
                return refuse(reason, "ask for a8, or use F16 or F32 weights");
            }
            Some(_) if !options.repack && relaid(model, format, bytes) > 0 => {
                let reason =
                    format!("candle re-lays {name} into tiles, which cannot be turned off");
                return refuse(reason, "allow repacking");
            }
            Some(_) => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_named_is_the_one_locked() {
        let lock = concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.lock");
        let lock = std::fs::read_to_string(lock).expect("the workspace has a lock file");
        assert!(lock.contains(&format!("name = \"candle-core\"\nversion = \"{VERSION}\"\n")));
    }
}
