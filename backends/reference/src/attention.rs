//! Attention: each query against the keys of its sequence up to its own position.

use yardstick_api::Error;
use yardstick_model::arch::Layer;

use crate::cache::Cache;
use crate::forward::Row;
use crate::matmul::dot;
use crate::memory::zeros;
use crate::threads::share;

/// Multiplications below which a second thread costs more than it brings.
const WORTH_A_THREAD: usize = 1 << 18;

/// `queries` (rows, heads, key_dim) against the cache, which already holds these rows: (rows, heads, value_dim).
/// Query heads share key and value heads in groups of `heads / kv_heads`.
pub(crate) fn attention(
    threads: usize,
    shape: &Layer,
    cache: &Cache,
    layer: usize,
    rows: &[Row],
    queries: &[f32],
) -> Result<Vec<f32>, Error> {
    let (heads, value_dim) = (shape.heads, shape.value_dim);
    let work: usize = rows.iter().map(|row| (row.position + 1) * heads * shape.key_dim).sum();
    let mut out = zeros(rows.len() * heads * value_dim)?;
    let threads = threads.min((work / WORTH_A_THREAD).max(1));
    share(threads, &mut out, value_dim, |first, part| {
        let mut scores = Vec::new();
        for (i, out) in part.chunks_exact_mut(value_dim).enumerate() {
            let (row, head) = (&rows[(first + i) / heads], (first + i) % heads);
            let query = &queries[(first + i) * shape.key_dim..][..shape.key_dim];
            let (keys, values) = cache.rows(layer, row.sequence, row.position + 1);
            let kv_head = head / (heads / shape.kv_heads);
            attend(shape, kv_head, query, keys, values, &mut scores, out);
        }
    })?;
    Ok(out)
}

/// One head of one row: softmax of the scaled scores, then the weighted sum of the values, into `out` (value_dim), which is zero.
fn attend(
    shape: &Layer,
    kv_head: usize,
    query: &[f32],
    keys: &[f32],
    values: &[f32],
    scores: &mut Vec<f32>,
    out: &mut [f32],
) {
    let scale = (1.0 / (shape.key_dim as f64).sqrt()) as f32;
    let of_head = kv_head * shape.key_dim..(kv_head + 1) * shape.key_dim;
    scores.clear();
    scores.extend(
        keys.chunks_exact(shape.kv_heads * shape.key_dim)
            .map(|key| dot(query, [&key[of_head.clone()]])[0] * scale),
    );
    softmax(scores);
    let of_head = kv_head * shape.value_dim..(kv_head + 1) * shape.value_dim;
    for (value, &score) in values.chunks_exact(shape.kv_heads * shape.value_dim).zip(&*scores) {
        for (out, &value) in out.iter_mut().zip(&value[of_head.clone()]) {
            *out += score * value;
        }
    }
}

/// Exponentials relative to the largest, normalised to sum 1.
pub(crate) fn softmax(scores: &mut [f32]) {
    let largest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sum = 0.0_f64;
    for score in &mut *scores {
        *score = (*score - largest).exp();
        sum += f64::from(*score);
    }
    let scale = (1.0 / sum) as f32;
    scores.iter_mut().for_each(|score| *score *= scale);
}
