//! The forward pass, top to bottom, in candle's operations.

use candle_core::{Device, Result, Tensor};
use yardstick_api::{Piece, Step};
use yardstick_model::Architecture;
use yardstick_model::arch::Layer;

use crate::attention::{attend, causal};
use crate::cache::Cache;
use crate::rotary::{Angles, Turn};
use crate::weights::{FeedForward, LayerWeights, Network};

/// What does not change between steps.
pub(crate) struct Engine {
    pub(crate) network: Network,
    /// One for each rotary embedding of the architecture.
    pub(crate) angles: Vec<Angles>,
    pub(crate) cache: Cache,
}

/// Runs a step, fills the cache at its rows' positions, and returns the wanted logits, (wanted, vocab).
pub(crate) fn forward(
    engine: &Engine,
    architecture: &Architecture,
    step: &Step,
) -> Result<Vec<f32>> {
    let (network, eps) = (&engine.network, architecture.norm.eps);
    let runs: Vec<_> = step.pieces.iter().map(|piece| (piece.position, piece.rows.len())).collect();
    let turns =
        engine.angles.iter().map(|angles| angles.turn(&runs)).collect::<Result<Vec<_>>>()?;
    let masks =
        runs.iter().map(|&(position, n)| causal(position, n)).collect::<Result<Vec<_>>>()?;

    // The residual stream: (rows, embedding)
    let ids = Tensor::new(&step.tokens[..], &Device::Cpu)?;
    let mut x = network.embedding.rows(&ids)?;

    for (i, (layer, shape)) in network.layers.iter().zip(&architecture.layers).enumerate() {
        let h = candle_nn::ops::rms_norm(&x, &layer.attn_norm, eps)?;
        let turn = shape.rotary.map(|rotary| &turns[rotary]);
        let attended = attention(engine, layer, shape, i, step, turn, &masks, &h)?;
        x = (layer.output.forward(&attended)? + x)?;

        let h = candle_nn::ops::rms_norm(&x, &layer.ffn_norm, eps)?;
        x = (layer.ffn.forward(&h)? + x)?;
    }

    // The head, for the wanted rows only
    if step.wanted.is_empty() {
        return Ok(Vec::new());
    }
    let x = match step.wanted.len() == step.tokens.len() {
        true => x,
        false => {
            let wanted: Vec<u32> = step.wanted.iter().map(|&row| row as u32).collect();
            x.index_select(&Tensor::new(wanted, &Device::Cpu)?, 0)?
        }
    };
    let x = candle_nn::ops::rms_norm(&x, &network.output_norm, eps)?;
    network.head().forward(&x)?.flatten_all()?.to_vec1()
}

/// `h` (rows, embedding) to (rows, heads * value_dim), by way of the cache.
#[expect(clippy::too_many_arguments, reason = "the state of a layer in a step, used once")]
fn attention(
    engine: &Engine,
    layer: &LayerWeights,
    shape: &Layer,
    index: usize,
    step: &Step,
    turn: Option<&Turn<'_>>,
    masks: &[Option<Tensor>],
    h: &Tensor,
) -> Result<Tensor> {
    let rows = step.tokens.len();
    // (rows, heads * dim) to (1, heads, rows, dim)
    let by_head = |x: Tensor, heads: usize, dim: usize| {
        x.reshape((1, rows, heads, dim))?.transpose(1, 2)?.contiguous()
    };
    let q = by_head(layer.q.forward(h)?, shape.heads, shape.key_dim)?;
    let k = by_head(layer.k.forward(h)?, shape.kv_heads, shape.key_dim)?;
    let v = by_head(layer.v.forward(h)?, shape.kv_heads, shape.value_dim)?.squeeze(0)?;
    let turned = |x: Tensor| turn.map_or(Ok(x.clone()), |turn| turn.apply(&x))?.squeeze(0);
    let (q, k) = ((turned(q)? * f64::from(shape.attention_scale))?, turned(k)?);
    let of_piece = |(piece, mask): (&Piece, &Option<Tensor>)| {
        let (start, n) = (piece.rows.start, piece.rows.len());
        let part = |x: &Tensor| x.narrow(1, start, n)?.contiguous();
        let pair = engine.cache.pair(piece.sequence, index);
        pair.store(piece.position, &part(&k)?, &part(&v)?)?;
        let (keys, values) = pair.first(piece.position + n)?;
        attend(&part(&q)?, &keys, &values, mask.as_ref())
    };
    let mut parts = step.pieces.iter().zip(masks).map(of_piece).collect::<Result<Vec<_>>>()?;
    match parts.len() {
        1 => Ok(parts.remove(0)),
        _ => Tensor::cat(&parts, 0),
    }
}

impl FeedForward {
    fn forward(&self, h: &Tensor) -> Result<Tensor> {
        match self {
            FeedForward::Dense(gated) => gated.forward(h),
            FeedForward::Mixture(experts) => experts.forward(h),
        }
    }
}
