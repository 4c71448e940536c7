//! What a model takes here, from its description alone: an upper bound, since a description does not say which tensor
//! has which format.

use yardstick_api::{Footprint, Options};
use yardstick_model::arch::Layer;
use yardstick_model::{Architecture, Format, ModelInfo};

use crate::formats::{Storage, amx_bytes, storage, tile_bytes};
use crate::machine::{Tier, amx};

/// Saturates instead of overflowing: a context of 2^64 - 1 is a question to be answered with "no".
pub(crate) fn footprint(model: &ModelInfo, options: &Options) -> Footprint {
    let architecture = &model.architecture;
    let context = options.context_of(architecture);
    let positions = product(&[context, options.sequences]);
    let of_position =
        |layer: &Layer| product(&[layer.kv_heads, layer.key_dim.saturating_add(layer.value_dim)]);
    let kv = sum(architecture.layers.iter().map(of_position));
    Footprint {
        // Candle copies everything it uses.
        mapped_bytes: 0,
        copied_bytes: copied(model),
        kv_bytes: options.kv.bytes_of(positions.saturating_mul(kv)),
        scratch_bytes: scratch(architecture, options, context),
    }
}

/// Copies, f32 of dense formats, small vectors, and tiles.
fn copied(model: &ModelInfo) -> u64 {
    let matrices = sum(model.formats.iter().map(|&(format, bytes)| held(format, bytes)));
    let tiles = sum(model.formats.iter().map(|&(format, bytes)| relaid(model, format, bytes)));
    let in_matrices = sum(model.formats.iter().map(|&(_, bytes)| bytes));
    // Norms and biases are F32, seldom F16.
    let vectors = model.tensor_bytes.saturating_sub(in_matrices).saturating_mul(2);
    matrices.saturating_add(tiles).saturating_add(vectors)
}

/// Bytes candle's copy of so many bytes of a format takes.
fn held(format: Format, bytes: u64) -> u64 {
    match storage(format) {
        Some(Storage::Dense) => weights(format, bytes).saturating_mul(4),
        _ => bytes,
    }
}

/// At most so many bytes of tiles: all tensors of a shape that can be tiled, as far as there are weights of the format.
pub(crate) fn relaid(model: &ModelInfo, format: Format, bytes: u64) -> u64 {
    let tier = Tier::detect();
    // One tile stands for all: tiles have the same bytes per weight in any shape.
    let Some(of_tile) = tile_bytes(format, tier, 16, 256, 2) else { return 0 };
    let of_tile = of_tile + if amx() { amx_bytes(format, 16, 256) } else { 0 };
    let specs = model.architecture.tensors();
    let shapes = specs.iter().filter(|spec| spec.shape.len() > 1);
    let tileable = sum(shapes.filter_map(|spec| {
        let fits = tile_bytes(format, tier, spec.shape[1], spec.shape[0], 2).is_some();
        fits.then(|| product(&spec.shape))
    }));
    (tileable.min(weights(format, bytes)) / (16 * 256)).saturating_mul(of_tile)
}

fn weights(format: Format, bytes: u64) -> u64 {
    (bytes / format.block_bytes() as u64).saturating_mul(format.block_len() as u64)
}

/// Activations of the largest chunk (every operation of candle's makes a new tensor), the angles, the logits.
pub(crate) fn scratch(architecture: &Architecture, options: &Options, context: usize) -> u64 {
    let rows = options.chunk.min(context.saturating_mul(options.sequences));
    let widest = architecture.layers.iter().map(|layer| width(architecture, layer)).max();
    // Scores and their softmax, for the sequence's rows against all positions; the mask.
    let heads = architecture.layers.iter().map(|layer| layer.heads).max().unwrap_or(0);
    let scores = product(&[heads.saturating_mul(2).saturating_add(1), rows.min(context), context]);
    let angles = sum(architecture
        .rotary
        .iter()
        .map(|rotary| product(&[context.saturating_add(rows), rotary.dims])));
    let head = product(&[architecture.vocab, options.sequences]).saturating_mul(2);
    let values = product(&[rows]).saturating_mul(widest.unwrap_or(0));
    sum([values, scores, angles, head].into_iter()).saturating_mul(4)
}

/// Values one row needs while it passes through a layer.
fn width(architecture: &Architecture, layer: &Layer) -> u64 {
    let both = layer.key_dim.saturating_add(layer.value_dim);
    let attention = product(&[3, layer.heads.saturating_add(layer.kv_heads), both]);
    let inner = product(&[4, layer.ffn.width]);
    product(&[3, architecture.embedding]).saturating_add(attention.max(inner))
}

fn product(factors: &[usize]) -> u64 {
    factors.iter().fold(1, |product: u64, &factor| product.saturating_mul(factor as u64))
}

fn sum(values: impl Iterator<Item = u64>) -> u64 {
    values.fold(0, u64::saturating_add)
}
