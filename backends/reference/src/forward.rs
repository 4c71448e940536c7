//! The forward pass, top to bottom. Everything else in this crate is a step of it.

use yardstick_api::{Error, Token};
use yardstick_model::arch::Ffn;

use crate::attention::attention;
use crate::cache::Cache;
use crate::ffn::{Experts, gated, mixture};
use crate::matmul::matmul;
use crate::memory::zeros;
use crate::norm::rms_norm;
use crate::rotary::Angles;
use crate::weights::Weights;

/// One token of a chunk: which sequence, where in it, and what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub(crate) sequence: usize,
    pub(crate) position: usize,
    pub(crate) token: Token,
    /// Its logits are wanted.
    pub(crate) wanted: bool,
}

/// Runs a chunk of rows, of any sequences in any mix; a sequence's rows are in order and follow what the cache holds.
/// Fills the cache at the rows' positions and returns the logits of the wanted rows, (wanted, vocab).
pub(crate) fn forward(
    weights: &Weights,
    cache: &mut Cache,
    threads: usize,
    rows: &[Row],
) -> Result<Vec<f32>, Error> {
    let architecture = weights.architecture();
    let eps = architecture.norm_eps;
    let frequencies = architecture.rotary.frequencies();
    let positions = rows.iter().map(|row| row.position);
    let angles = Angles::new(&architecture.rotary, &frequencies, positions);

    // The residual stream: (rows, embedding)
    let mut x = embed(weights, rows)?;

    for (i, shape) in architecture.layers.iter().enumerate() {
        let vectors = &weights.layers[i];

        // Attention reads a normalised copy of the stream: (rows, embedding)
        let h = rms_norm(&x, &vectors.attn_norm, eps)?;

        // Queries (rows, heads, key_dim), keys (rows, kv_heads, key_dim), values (rows, kv_heads, value_dim)
        let mut q = matmul(threads, weights.matrix(i, "attn_q")?, &h)?;
        let mut k = matmul(threads, weights.matrix(i, "attn_k")?, &h)?;
        let mut v = matmul(threads, weights.matrix(i, "attn_v")?, &h)?;
        if let Some([q_bias, k_bias, v_bias]) = &vectors.qkv_bias {
            add_bias(&mut q, q_bias);
            add_bias(&mut k, k_bias);
            add_bias(&mut v, v_bias);
        }

        // Queries and keys learn their positions
        angles.rotate(&mut q, shape.heads, shape.key_dim);
        angles.rotate(&mut k, shape.kv_heads, shape.key_dim);

        // Keys and values are kept for every later row, those of this chunk included
        let k_rows = k.chunks_exact(shape.kv_heads * shape.key_dim);
        let v_rows = v.chunks_exact(shape.kv_heads * shape.value_dim);
        for ((row, k), v) in rows.iter().zip(k_rows).zip(v_rows) {
            cache.store(i, row.sequence, row.position, k, v);
        }

        // (rows, heads, value_dim), and back into the stream
        let attended = attention(threads, shape, cache, i, rows, &q)?;
        add(&mut x, &matmul(threads, weights.matrix(i, "attn_output")?, &attended)?);

        // The feed-forward block reads another normalised copy
        let h = rms_norm(&x, &vectors.ffn_norm, eps)?;
        add(&mut x, &feed_forward(weights, threads, i, &shape.ffn, &h)?);
    }

    // The head, for the wanted rows only: (wanted, vocab)
    let x = select(&x, rows, architecture.embedding);
    if x.is_empty() {
        return Ok(Vec::new());
    }
    matmul(threads, weights.head()?, &rms_norm(&x, &weights.output_norm, eps)?)
}

/// The tokens' rows of the embedding: (rows, embedding).
fn embed(weights: &Weights, rows: &[Row]) -> Result<Vec<f32>, Error> {
    let table = weights.embedding()?;
    let mut x = zeros(rows.len() * table.cols)?;
    for (row, x) in rows.iter().zip(x.chunks_exact_mut(table.cols)) {
        table.format.decode(table.row(row.token as usize), x);
    }
    Ok(x)
}

/// (rows, embedding) to (rows, embedding)
fn feed_forward(
    weights: &Weights,
    threads: usize,
    layer: usize,
    ffn: &Ffn,
    h: &[f32],
) -> Result<Vec<f32>, Error> {
    let matrix = |name| weights.matrix(layer, name);
    match *ffn {
        Ffn::Dense { .. } => {
            gated(threads, matrix("ffn_gate")?, matrix("ffn_up")?, matrix("ffn_down")?, h)
        }
        Ffn::Experts { experts, used, .. } => {
            let experts = Experts {
                router: matrix("ffn_gate_inp")?,
                gate: matrix("ffn_gate_exps")?,
                up: matrix("ffn_up_exps")?,
                down: matrix("ffn_down_exps")?,
                count: experts,
                used,
            };
            mixture(threads, &experts, h)
        }
    }
}

/// The wanted rows of `x` (rows, width).
fn select(x: &[f32], rows: &[Row], width: usize) -> Vec<f32> {
    let wanted = x.chunks_exact(width).zip(rows).filter(|(_, row)| row.wanted);
    wanted.flat_map(|(x, _)| x).copied().collect()
}

fn add(x: &mut [f32], y: &[f32]) {
    x.iter_mut().zip(y).for_each(|(x, y)| *x += y);
}

/// Adds `bias` (width) to every row of `x` (rows, width).
fn add_bias(x: &mut [f32], bias: &[f32]) {
    x.chunks_exact_mut(bias.len()).for_each(|row| add(row, bias));
}
