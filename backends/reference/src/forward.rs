//! The forward pass, top to bottom. Everything else in this crate is a step of it.

use yardstick_api::{Error, Token};
use yardstick_model::arch::{Layer, QkNorm};

use crate::attention::{attention, soft_cap};
use crate::cache::Cache;
use crate::ffn::{Touched, feed_forward};
use crate::matmul::matmul;
use crate::memory::zeros;
use crate::norm::normalise;
use crate::rotary::Angles;
use crate::weights::{Weights, add_to_rows};

/// One token of a chunk: which sequence, where in it, and what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub(crate) sequence: usize,
    pub(crate) position: usize,
    pub(crate) token: Token,
    /// Its logits are wanted.
    pub(crate) wanted: bool,
}

/// What a forward pass reads and fills.
pub(crate) struct State {
    pub(crate) weights: Weights,
    pub(crate) cache: Cache,
    /// (rotary embeddings, pairs): radians per position.
    pub(crate) frequencies: Vec<Vec<f64>>,
    /// (layers): experts that ran.
    pub(crate) touched: Vec<Touched>,
}

/// Runs a chunk of rows, of any sequences in any mix; a sequence's rows are in order and follow what the cache holds.
/// Fills the cache at the rows' positions and returns the logits of the wanted rows, (wanted, vocab).
pub(crate) fn forward(state: &mut State, rows: &[Row]) -> Result<Vec<f32>, Error> {
    forward_watched(state, rows, &mut |_, _, _| Ok(()))
}

/// Hears, after each layer, the weights, the layer's number and the stream, (rows, embedding).
pub(crate) type Watch<'a> = &'a mut dyn FnMut(&Weights, usize, &[f32]) -> Result<(), Error>;

/// The same, heard after each layer.
pub(crate) fn forward_watched(
    state: &mut State,
    rows: &[Row],
    watch: Watch<'_>,
) -> Result<Vec<f32>, Error> {
    let State { weights, cache, frequencies, touched } = state;
    let architecture = weights.architecture();
    let angles: Vec<Angles> = architecture
        .rotary
        .iter()
        .zip(&*frequencies)
        .map(|(rotary, f)| Angles::new(rotary, f, rows.iter().map(|row| row.position)))
        .collect();

    // The residual stream: (rows, embedding)
    let mut x = embed(weights, rows)?;

    for (i, shape) in architecture.layers.iter().enumerate() {
        // Attention reads a normalised copy of the stream, and what it finds goes back into the stream
        let mut h = norm(weights, i, "attn_norm", &x)?;
        let turn = shape.rotary.map(|rotary| &angles[rotary]);
        let mut y = self_attention(weights, cache, i, shape, turn, rows, &h)?;
        if shape.post_norms {
            y = norm(weights, i, "post_attention_norm", &y)?;
        }
        add(&mut x, &y, architecture.residual_scale);

        // The feed-forward block reads another normalised copy, or the same where both blocks run side by side
        if !shape.parallel {
            h = norm(weights, i, "ffn_norm", &x)?;
        }
        let mut y = feed_forward(weights, i, &touched[i], &h)?;
        if shape.post_norms {
            y = norm(weights, i, "post_ffw_norm", &y)?;
        }
        add(&mut x, &y, architecture.residual_scale);
        watch(weights, i, &x)?;
    }

    head(weights, &select(&x, rows, architecture.embedding))
}

/// The tokens' rows of the embedding, and of the positions where those are learned: (rows, embedding).
fn embed(weights: &Weights, rows: &[Row]) -> Result<Vec<f32>, Error> {
    let architecture = weights.architecture();
    let table = weights.tensor("token_embd.weight")?;
    let mut x = zeros(rows.len() * table.cols)?;
    for (row, x) in rows.iter().zip(x.chunks_exact_mut(table.cols)) {
        table.format.decode(table.row(row.token as usize), x);
        x.iter_mut().for_each(|x| *x *= architecture.embedding_scale);
    }
    if architecture.positions.is_some() {
        let table = weights.tensor("position_embd.weight")?;
        let mut place = zeros(table.cols)?;
        for (row, x) in rows.iter().zip(x.chunks_exact_mut(table.cols)) {
            table.format.decode(table.row(row.position), &mut place);
            add(x, &place, 1.0);
        }
    }
    Ok(x)
}

/// A norm of the stream, `attn_norm`, of a layer.
fn norm(weights: &Weights, layer: usize, name: &str, x: &[f32]) -> Result<Vec<f32>, Error> {
    let name = format!("blk.{layer}.{name}");
    named_norm(weights, &name, x)
}

fn named_norm(weights: &Weights, name: &str, x: &[f32]) -> Result<Vec<f32>, Error> {
    let weight = weights.needed(&format!("{name}.weight"))?;
    let bias = weights.vector(&format!("{name}.bias"));
    normalise(weights.architecture().norm, x, weight.len(), weight, bias)
}

/// (rows, embedding) to (rows, embedding); keys and values of the rows go into the cache.
fn self_attention(
    weights: &Weights,
    cache: &mut Cache,
    layer: usize,
    shape: &Layer,
    angles: Option<&Angles>,
    rows: &[Row],
    h: &[f32],
) -> Result<Vec<f32>, Error> {
    // Queries (rows, heads, key_dim), keys (rows, kv_heads, key_dim), values (rows, kv_heads, value_dim)
    let [mut q, mut k, v] = queries_keys_values(weights, layer, shape, h)?;

    // Queries and keys are brought to a common length
    if let Some(span) = shape.qk_norm {
        q = head_norm(weights, layer, "attn_q_norm", shape, span, &q)?;
        k = head_norm(weights, layer, "attn_k_norm", shape, span, &k)?;
    }

    // Queries and keys learn their positions
    if let Some(angles) = angles {
        angles.rotate(&mut q, shape.heads, shape.key_dim);
        angles.rotate(&mut k, shape.kv_heads, shape.key_dim);
    }

    // Keys and values are kept for every later row, those of this chunk included
    let k_rows = k.chunks_exact(shape.kv_heads * shape.key_dim);
    let v_rows = v.chunks_exact(shape.kv_heads * shape.value_dim);
    for ((row, k), v) in rows.iter().zip(k_rows).zip(v_rows) {
        cache.store(layer, row.sequence, row.position, k, v);
    }

    // Some models let queries grow with the position
    if let Some(temperature) = weights.architecture().temperature {
        for (row, q) in rows.iter().zip(q.chunks_exact_mut(shape.heads * shape.key_dim)) {
            q.iter_mut().for_each(|q| *q *= temperature.at(row.position));
        }
    }

    // (rows, heads, value_dim)
    let attended = attention(weights.threads, shape, cache, layer, rows, &q)?;
    weights.product(layer, "attn_output", &attended)
}

/// From three tensors, or from one that holds all their rows.
fn queries_keys_values(
    weights: &Weights,
    layer: usize,
    shape: &Layer,
    h: &[f32],
) -> Result<[Vec<f32>; 3], Error> {
    if !shape.fused_qkv {
        let product = |name| weights.product(layer, name, h);
        return Ok([product("attn_q")?, product("attn_k")?, product("attn_v")?]);
    }
    let [q, k, v] = shape.qkv_rows();
    let product = |rows| weights.product_of_rows(layer, "attn_qkv", rows, h);
    Ok([product(0..q)?, product(q..q + k)?, product(q + k..q + k + v)?])
}

/// A norm of queries or keys: of each head with shared or own weights, or of all heads together.
fn head_norm(
    weights: &Weights,
    layer: usize,
    name: &str,
    shape: &Layer,
    span: QkNorm,
    x: &[f32],
) -> Result<Vec<f32>, Error> {
    let weight = weights.needed(&format!("blk.{layer}.{name}.weight"))?;
    let width = match span {
        QkNorm::Head | QkNorm::EachHead => shape.key_dim,
        QkNorm::Whole => weight.len(),
    };
    normalise(weights.architecture().norm, x, width, weight, None)
}

/// Logits of some rows of the stream: (rows, vocab).
pub(crate) fn head(weights: &Weights, x: &[f32]) -> Result<Vec<f32>, Error> {
    if x.is_empty() {
        return Ok(Vec::new());
    }
    let architecture = weights.architecture();
    let h = named_norm(weights, "output_norm", x)?;
    let mut logits = matmul(weights.threads, weights.head()?, weights.anew, &h)?;
    if let Some(bias) = weights.vector("output.bias") {
        add_to_rows(&mut logits, bias);
    }
    for logit in &mut logits {
        *logit *= architecture.logit_scale;
        *logit = architecture.logit_softcap.map_or(*logit, |cap| soft_cap(*logit, cap));
    }
    Ok(logits)
}

/// The wanted rows of `x` (rows, width).
fn select(x: &[f32], rows: &[Row], width: usize) -> Vec<f32> {
    let wanted = x.chunks_exact(width).zip(rows).filter(|(_, row)| row.wanted);
    wanted.flat_map(|(x, _)| x).copied().collect()
}

/// Adds `scale * y` to `x`.
fn add(x: &mut [f32], y: &[f32], scale: f32) {
    x.iter_mut().zip(y).for_each(|(x, y)| *x += scale * y);
}
