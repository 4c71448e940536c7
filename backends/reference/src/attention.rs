//! Attention: each query against the keys of its sequence up to its own position, as far back as the window reaches.

use std::collections::BTreeMap;

use yardstick_api::Error;
use yardstick_model::arch::Layer;

use crate::cache::{Cache, KeysAndValues};
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
    let sequences = sequences(cache, layer, rows)?;
    let work: usize = rows.iter().map(|row| (row.position + 1) * heads * shape.key_dim).sum();
    let mut out = zeros(rows.len() * heads * value_dim)?;
    let threads = threads.min((work / WORTH_A_THREAD).max(1));
    share(threads, &mut out, value_dim, |first, part| {
        let mut scores = Vec::new();
        for (i, out) in part.chunks_exact_mut(value_dim).enumerate() {
            let (row, head) = (&rows[(first + i) / heads], (first + i) % heads);
            let query = &queries[(first + i) * shape.key_dim..][..shape.key_dim];
            let kv_head = head / (heads / shape.kv_heads);
            attend(
                shape,
                kv_head,
                query,
                &sequences[&row.sequence],
                row.position,
                &mut scores,
                out,
            );
        }
    })?;
    Ok(out)
}

/// What every sequence of a chunk holds up to its last row.
fn sequences<'a>(
    cache: &'a Cache,
    layer: usize,
    rows: &[Row],
) -> Result<BTreeMap<usize, KeysAndValues<'a>>, Error> {
    let mut lengths = BTreeMap::new();
    for row in rows {
        let length = lengths.entry(row.sequence).or_insert(0);
        *length = (*length).max(row.position + 1);
    }
    let read = |(sequence, length)| Ok((sequence, cache.rows(layer, sequence, length)?));
    lengths.into_iter().map(read).collect()
}

/// One head of one row: softmax of the scaled scores, then the weighted sum of the values, into `out` (value_dim), which is zero.
fn attend(
    shape: &Layer,
    kv_head: usize,
    query: &[f32],
    (keys, values): &KeysAndValues<'_>,
    position: usize,
    scores: &mut Vec<f32>,
    out: &mut [f32],
) {
    // The positions it sees: all up to its own, the last `window` of them where there is a window.
    let (key_width, value_width) =
        (shape.kv_heads * shape.key_dim, shape.kv_heads * shape.value_dim);
    let oldest = shape.window.map_or(0, |window| (position + 1).saturating_sub(window));
    let keys = &keys[oldest * key_width..(position + 1) * key_width];
    let values = &values[oldest * value_width..(position + 1) * value_width];

    let of_head = kv_head * shape.key_dim..(kv_head + 1) * shape.key_dim;
    scores.clear();
    scores.extend(keys.chunks_exact(key_width).map(|key| {
        let score = dot(query, [&key[of_head.clone()]])[0] * shape.attention_scale;
        shape.softcap.map_or(score, |cap| soft_cap(score, cap))
    }));
    softmax(scores);
    let of_head = kv_head * shape.value_dim..(kv_head + 1) * shape.value_dim;
    for (value, &score) in values.chunks_exact(value_width).zip(&*scores) {
        for (out, &value) in out.iter_mut().zip(&value[of_head.clone()]) {
            *out += score * value;
        }
    }
}

/// Nearly x where x is small, never beyond the cap.
pub(crate) fn soft_cap(x: f32, cap: f32) -> f32 {
    cap * (x / cap).tanh()
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
