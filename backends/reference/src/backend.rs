//! The backend: one device, what a model takes on it, and loading.

use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use yardstick_api::{
    Backend, Device, DeviceClass, DeviceKind, DeviceStatus, Error, Footprint, Numerics, Options,
    Session, Unsupported,
};
use yardstick_model::arch::Layer;
use yardstick_model::{Architecture, Model, ModelInfo};

use crate::cache::Cache;
use crate::forward::State;
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
        check_model(&model.architecture, options)?;
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
        let weights = Weights::new(model.clone(), threads(options))?;
        footprint.copied_bytes = weights.decoded_bytes();
        let architecture = model.architecture();
        let context = context(architecture, options);
        let cache = Cache::new(architecture, options.sequences, context, options.kv)?;
        let chosen_by = options.rotary_context.unwrap_or(context);
        let frequencies = architecture.rotary.iter().map(|r| r.frequencies(chosen_by)).collect();
        let words = |layer: &Layer| layer.ffn.experts.map_or(0, |e| e.count.div_ceil(64));
        let empty = |layer: &Layer| (0..words(layer)).map(|_| AtomicU64::new(0)).collect();
        let touched = architecture.layers.iter().map(empty).collect();
        Ok(Box::new(ReferenceSession {
            state: State { weights, cache, frequencies, touched },
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

/// What only the model and the options together say.
fn check_model(architecture: &Architecture, options: &Options) -> Result<(), Unsupported> {
    let refuse = |reason: String, fix: &str| Err(Unsupported { reason, fix: Some(fix.into()) });
    let context = context(architecture, options);
    if let Some(longest) = architecture.longest().filter(|&longest| longest < context) {
        let reason = format!("a context of {context}, the model has learned {longest} positions");
        return refuse(reason, "ask for a shorter context");
    }
    if let Some(reason) = yardstick_api::unfit_heads(architecture, options.kv) {
        return refuse(reason, "use an f16 or f32 cache");
    }
    Ok(())
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
        let width = [layer.key_dim, layer.value_dim]
            .map(|dim| options.kv.bytes_of(product(&[layer.kv_heads, dim])));
        sum.saturating_add(width[0]).saturating_add(width[1])
    });
    let rows = positions.min(options.chunk as u64);
    let widest = layers.iter().map(|layer| width(architecture, layer)).max().unwrap_or(0);
    let head = product(&[architecture.vocab, options.sequences]).saturating_mul(3);
    let vectors = layers.len().saturating_mul(2).saturating_add(1);
    Footprint {
        mapped_bytes: model.tensor_bytes,
        copied_bytes: product(&[4, architecture.embedding, vectors]),
        kv_bytes: positions.saturating_mul(kv),
        scratch_bytes: rows.saturating_mul(widest).saturating_add(head).saturating_mul(4),
    }
}

/// Values one row needs while it passes through a layer: the stream and its copies, and the wider of the two blocks
/// (a product exists twice while it is transposed).
fn width(architecture: &Architecture, layer: &Layer) -> u64 {
    let attention = product(&[layer.heads, layer.key_dim.saturating_add(layer.value_dim)])
        .saturating_add(product(&[layer.kv_heads, layer.key_dim.saturating_add(layer.value_dim)]));
    let inner = product(&[3, layer.ffn.width]);
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
