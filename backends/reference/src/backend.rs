//! The backend: one device, what a model takes on it, and loading.

use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use yardstick_api::{
    Backend, Device, DeviceClass, DeviceKind, DeviceStatus, Error, Footprint, Lengths, Numerics,
    Options, Session, Unsupported, WeightScheme, host, unfit_heads,
};
use yardstick_model::arch::Layer;
use yardstick_model::{Architecture, Model, ModelInfo};

use crate::cache::Cache;
use crate::forward::State;
use crate::session::ReferenceSession;
use crate::weights::Weights;

/// The id of the only device.
pub(crate) const DEVICE: &str = "reference:f32";

/// The oracle's backend.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reference;

impl Backend for Reference {
    fn name(&self) -> &str {
        "reference"
    }

    fn devices(&self) -> Vec<DeviceStatus> {
        vec![DeviceStatus::Ready(Reference::device())]
    }

    fn plan(
        &self,
        device: &Device,
        model: &ModelInfo,
        options: &Options,
    ) -> Result<Footprint, Unsupported> {
        check(device, &model.architecture, options)?;
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
        Ok(Box::new(self.session(device, model, options)?))
    }

    fn takes_weights(&self, _: &Device, _: WeightScheme) -> bool {
        true
    }
}

impl Reference {
    /// The device there always is.
    pub(crate) fn device() -> Device {
        Device {
            id: DEVICE.into(),
            name: "readable f32 forward pass".into(),
            kind: DeviceKind::Cpu,
            class: DeviceClass::Software,
            numerics: vec![Numerics::F32],
            memory_bytes: host::available_memory(),
            preferred: true,
        }
    }

    /// A model made resident.
    pub(crate) fn session(
        &self,
        device: &Device,
        model: &Arc<Model>,
        options: &Options,
    ) -> Result<ReferenceSession, Error> {
        let mut footprint = self.plan(device, model.info(), options)?;
        model.check_unchanged()?;
        let mut weights = Weights::new(model.clone(), threads(options))?;
        weights.anew = options.weights;
        footprint.copied_bytes = weights.decoded_bytes();
        let architecture = model.architecture();
        let context = options.context_of(architecture);
        let cache = Cache::new(architecture, options.sequences, context, options.kv)?;
        let chosen_by = options.rotary_context.unwrap_or(context);
        let frequencies = architecture.rotary.iter().map(|r| r.frequencies(chosen_by)).collect();
        let words = |layer: &Layer| layer.ffn.experts.map_or(0, |e| e.count.div_ceil(64));
        let empty = |layer: &Layer| (0..words(layer)).map(|_| AtomicU64::new(0)).collect();
        let touched = architecture.layers.iter().map(empty).collect();
        Ok(ReferenceSession {
            state: State { weights, cache, frequencies, touched },
            chunk: options.chunk,
            footprint,
            lengths: Lengths::new(options.sequences, context),
            logits: Vec::new(),
        })
    }
}

fn check(
    device: &Device,
    architecture: &Architecture,
    options: &Options,
) -> Result<(), Unsupported> {
    if device.id != DEVICE {
        return Err(Unsupported::new(format!("no device {}", device.id), "use reference:f32"));
    }
    if let Some(numerics) = options.numerics.filter(|&numerics| numerics != Numerics::F32) {
        let reason = format!("numerics {numerics:?} asked of an f32 device");
        return Err(Unsupported::new(reason, "ask for f32"));
    }
    options.check(architecture)?;
    match unfit_heads(architecture, options.kv) {
        Some(reason) => Err(Unsupported::new(reason, "use an f16 or f32 cache")),
        None => Ok(()),
    }
}

/// Threads beyond the processors would only wait for each other.
fn threads(options: &Options) -> usize {
    let usable = std::thread::available_parallelism().map_or(1, NonZero::get);
    options.threads.unwrap_or(usable).min(usable)
}

/// Saturates instead of overflowing: a context of 2^64 - 1 is a question to be answered with "no".
fn footprint(model: &ModelInfo, options: &Options) -> Footprint {
    let architecture = &model.architecture;
    let positions = product(&[options.context_of(architecture), options.sequences]);
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
