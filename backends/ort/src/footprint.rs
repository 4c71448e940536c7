//! What a model takes in a runtime, from its description alone: an upper bound.

use yardstick_api::{Footprint, Options};
use yardstick_model::arch::Layer;
use yardstick_model::{Architecture, ModelInfo};

use crate::weights::{Scheme, bytes_needed};

/// Saturates instead of overflowing: a context of 2^64 - 1 is a question to be answered with "no".
pub(crate) fn footprint(
    model: &ModelInfo,
    options: &Options,
    scheme: Scheme,
    copies: u64,
) -> Footprint {
    let architecture = &model.architecture;
    let context = options.context_of(architecture);
    let positions = product(&[context, options.sequences]);
    let of_position =
        |layer: &Layer| product(&[layer.kv_heads, layer.key_dim.saturating_add(layer.value_dim)]);
    let kv = architecture.layers.iter().map(of_position).fold(0, u64::saturating_add);
    let dense = |&(format, bytes): &(yardstick_model::Format, u64)| {
        scheme.carrier(format).resident(bytes).saturating_sub(bytes)
    };
    let widened = model.formats.iter().map(dense).fold(0, u64::saturating_add);
    Footprint {
        mapped_bytes: 0,
        // The converted file is mapped while the runtime packs it into memory of its own.
        copied_bytes: bytes_needed(model, scheme).saturating_mul(copies).saturating_add(widened),
        kv_bytes: options.kv.bytes_of(positions.saturating_mul(kv)),
        scratch_bytes: scratch(architecture, options, context),
    }
}

/// Activations of the largest chunk, the tables of angles, the logits.
pub(crate) fn scratch(architecture: &Architecture, options: &Options, context: usize) -> u64 {
    let rows = options.chunk.min(context);
    let width = |layer: &Layer| {
        let heads = layer.heads.saturating_add(layer.kv_heads.saturating_mul(2));
        let attention = product(&[4, heads, layer.key_dim]);
        let scores = product(&[layer.heads, context.min(rows.saturating_mul(2))]);
        let inner = product(&[4, layer.ffn.width]);
        attention.max(inner).saturating_add(scores)
    };
    let widest = architecture.layers.iter().map(width).max().unwrap_or(0);
    let row = product(&[3, architecture.embedding]).saturating_add(widest);
    let angles = architecture.rotary.iter().map(|rotary| product(&[context, rotary.dims]));
    let angles = angles.fold(0, u64::saturating_add);
    let logits = product(&[architecture.vocab, options.sequences.max(2)]);
    product(&[rows])
        .saturating_mul(row)
        .saturating_add(angles)
        .saturating_add(logits)
        .saturating_mul(4)
}

fn product(factors: &[usize]) -> u64 {
    factors.iter().fold(1, |product: u64, &factor| product.saturating_mul(factor as u64))
}
