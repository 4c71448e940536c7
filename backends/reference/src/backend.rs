//! The backend: one device, what a model takes on it, and loading.

use std::num::NonZero;
use std::sync::Arc;

use yardstick_api::{
    Backend, Device, DeviceClass, DeviceKind, DeviceStatus, Error, Footprint, Numerics, Options,
    Session, Unsupported,
};
use yardstick_model::arch::{Ffn, Layer};
use yardstick_model::{Architecture, Model, ModelInfo};

use crate::cache::Cache;
use crate::memory;
use crate::session::ReferenceSession;
use crate::weights::Weights;

/// The id of the only device.
pub(crate) const DEVICE: &str = "reference:f32";

/// Positions per sequence when the options leave it open: the model's own, up to this many.
const DEFAULT_CONTEXT: usize = 4096;

/// The oracle's backend.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reference;

impl Backend for Reference {
    fn name(&self) -> &str {
        "reference"
    }

    fn devices(&self) -> Vec<DeviceStatus> {
        vec![DeviceStatus::Ready(Device {
            id: DEVICE.into(),
            name: "readable f32 forward pass".into(),
            kind: DeviceKind::Cpu,
            class: DeviceClass::Software,
            numerics: vec![Numerics::F32],
            memory_bytes: memory::available(),
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
        let footprint = footprint(model, options);
        let available = memory::available();
        // The mapped file counts too: read over and over from disk it would take hours.
        let limit = available.value().copied().unwrap_or(isize::MAX as u64);
        if footprint.total() > limit {
            return Err(does_not_fit(&footprint, limit));
        }
        Ok(footprint)
    }

    fn load(
        &self,
        device: &Device,
        model: &Arc<Model>,
        options: &Options,
    ) -> Result<Box<dyn Session>, Error> {
        let mut footprint = self.plan(device, model.info(), options)?;
        model.check_unchanged()?;
        let weights = Weights::new(model.clone())?;
        footprint.copied_bytes = weights.decoded_bytes();
        let architecture = model.architecture();
        let cache = Cache::new(architecture, options.sequences, context(architecture, options))?;
        Ok(Box::new(ReferenceSession {
            weights,
            cache,
            threads: threads(options),
            chunk: options.chunk,
            footprint,
            logits: Vec::new(),
        }))
    }
}

fn check_options(device: &Device, options: &Options) -> Result<(), Unsupported> {
    let refuse = |reason: String, fix: &str| Err(Unsupported { reason, fix: Some(fix.into()) });
    if device.id != DEVICE {
        return refuse(format!("no device {}", device.id), "use reference:f32");
    }
    if let Some(numerics) = options.numerics.filter(|&numerics| numerics != Numerics::F32) {
        return refuse(format!("numerics {numerics:?} asked of an f32 device"), "ask for f32");
    }
    let counts = [
        ("threads", options.threads.unwrap_or(1)),
        ("context", options.context.unwrap_or(1)),
        ("sequences", options.sequences),
        ("chunk", options.chunk),
    ];
    match counts.into_iter().find(|&(_, count)| count == 0) {
        Some((name, _)) => refuse(format!("{name} is 0"), "use at least 1"),
        None => Ok(()),
    }
}

/// Threads beyond the processors would only wait for each other.
fn threads(options: &Options) -> usize {
    let usable = std::thread::available_parallelism().map_or(1, NonZero::get);
    options.threads.unwrap_or(usable).min(usable)
}

fn context(architecture: &Architecture, options: &Options) -> usize {
    options.context.unwrap_or_else(|| architecture.context.clamp(1, DEFAULT_CONTEXT))
}

/// Saturates instead of overflowing: a context of 2^64 - 1 is a question to be answered with "no".
fn footprint(model: &ModelInfo, options: &Options) -> Footprint {
    let architecture = &model.architecture;
    let positions = product(&[context(architecture, options), options.sequences]);
    let layers = &architecture.layers;
    let kv = layers.iter().fold(0_u64, |sum, layer| {
        sum.saturating_add(product(&[
            layer.kv_heads,
            layer.key_dim.saturating_add(layer.value_dim),
        ]))
    });
    let rows = positions.min(options.chunk as u64);
    let widest = layers.iter().map(|layer| width(architecture, layer)).max().unwrap_or(0);
    let head = product(&[architecture.vocab, options.sequences]).saturating_mul(3);
    let vectors = layers.len().saturating_mul(2).saturating_add(1);
    Footprint {
        mapped_bytes: model.tensor_bytes,
        copied_bytes: product(&[4, architecture.embedding, vectors]),
        kv_bytes: positions.saturating_mul(kv).saturating_mul(4),
        scratch_bytes: rows.saturating_mul(widest).saturating_add(head).saturating_mul(4),
    }
}

/// Values one row needs while it passes through a layer: the stream and its copies, and the wider of the two blocks
/// (a product exists twice while it is transposed).
fn width(architecture: &Architecture, layer: &Layer) -> u64 {
    let attention = product(&[layer.heads, layer.key_dim.saturating_add(layer.value_dim)])
        .saturating_add(product(&[layer.kv_heads, layer.key_dim.saturating_add(layer.value_dim)]));
    let inner = match layer.ffn {
        Ffn::Dense { width } | Ffn::Experts { width, .. } => product(&[3, width]),
    };
    product(&[4, architecture.embedding]).saturating_add(attention.max(inner))
}

fn product(factors: &[usize]) -> u64 {
    factors.iter().fold(1, |product: u64, &factor| product.saturating_mul(factor as u64))
}

fn does_not_fit(footprint: &Footprint, limit: u64) -> Unsupported {
    let mib = |bytes: u64| bytes >> 20;
    Unsupported {
        reason: format!(
            "needs {} MiB (weights {}, KV cache {}, scratch {}), {} MiB are available",
            mib(footprint.total()),
            mib(footprint.mapped_bytes.saturating_add(footprint.copied_bytes)),
            mib(footprint.kv_bytes),
            mib(footprint.scratch_bytes),
            mib(limit)
        ),
        fix: Some("use a smaller model, context or number of sequences, or free memory".into()),
    }
}
