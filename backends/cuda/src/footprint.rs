//! What a model takes on a GPU, from its description alone: weights repacked, KV cache, scratch. Saturates instead of
//! overflowing: a context of 2^64 - 1 is a question to be answered with "no".

use yardstick_api::{Footprint, Options};
use yardstick_model::arch::Layer;
use yardstick_model::{Architecture, Format, ModelInfo};

use crate::repack::Packed;
use crate::scratch::Sizes;

/// An upper bound, since a description does not say which tensor has which format.
pub(crate) fn footprint(model: &ModelInfo, options: &Options, processors: u32) -> Footprint {
    let architecture = &model.architecture;
    let context = options.context_of(architecture);
    let positions = product(&[context, options.sequences]);
    let kv = sum(architecture.layers.iter().map(|layer| {
        let width = |dim| options.kv.bytes_of(product(&[layer.kv_heads, dim]));
        width(layer.key_dim).saturating_add(width(layer.value_dim))
    }));
    Footprint {
        mapped_bytes: 0,
        copied_bytes: copied(model, context),
        kv_bytes: positions.saturating_mul(kv),
        scratch_bytes: Sizes::new(architecture, options, context, processors).bytes(),
    }
}

fn copied(model: &ModelInfo, context: usize) -> u64 {
    let architecture = &model.architecture;
    let matrices =
        sum(model.formats.iter().map(|&(format, bytes)| held(architecture, format, bytes)));
    let in_matrices = sum(model.formats.iter().map(|&(_, bytes)| bytes));
    // Norms and biases become f32, from at least a byte a value.
    let vectors = model.tensor_bytes.saturating_sub(in_matrices).saturating_mul(4);
    let learned = product(&[architecture.positions.unwrap_or(0), architecture.embedding, 4]);
    let turns = sum(architecture.rotary.iter().map(|rotary| product(&[context, rotary.dims, 4])));
    let temperature = architecture.temperature.map_or(0, |_| product(&[context, 4]));
    sum([matrices, vectors, learned, turns, temperature].into_iter())
}

/// Bytes that so many bytes of a format become: rows are filled up to whole units of 32.
fn held(architecture: &Architecture, format: Format, bytes: u64) -> u64 {
    let Some(packed) = Packed::of(format) else { return bytes };
    let weights = (bytes / format.block_bytes() as u64).saturating_mul(format.block_len() as u64);
    let specs = architecture.tensors();
    let padded = specs.iter().filter(|spec| spec.shape.len() > 1).fold(0_u64, |sum, spec| {
        let (cols, rows) = (spec.shape[0], product(&spec.shape[1..]));
        sum.saturating_add(rows.saturating_mul((cols.next_multiple_of(32) - cols) as u64))
    });
    packed.bytes(1, usize::try_from(weights.saturating_add(padded)).unwrap_or(usize::MAX))
}

/// Bytes of one sequence's keys or values of a layer.
pub(crate) fn kv_elements(layer: &Layer, context: usize, dim: usize) -> u64 {
    product(&[layer.kv_heads, context, dim])
}

pub(crate) fn product(factors: &[usize]) -> u64 {
    factors.iter().fold(1, |product: u64, &factor| product.saturating_mul(factor as u64))
}

pub(crate) fn sum(values: impl Iterator<Item = u64>) -> u64 {
    values.fold(0, u64::saturating_add)
}
