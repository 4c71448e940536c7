//! Attention of some rows of one key-value head: scores, softmax and weighted values over blocks of keys,
//! with running maxima, so that memory does not grow with the context.

use std::ops::Range;

use crate::kernels::Isa;
use crate::kernels::elementwise::{exponentials, largest, scale, soft_cap};
use crate::kernels::float::{Columns, LINE, Lines, accumulate};
use crate::kv::{LayerKv, value_width};

/// Rows of a task at most: query heads of a group, of consecutive tokens.
pub(crate) const ROWS: usize = 32;
/// Keys of a block.
const KEYS: usize = 64;
/// Columns of the line kernel.
const COLUMNS: usize = 8;

/// One thread's work space.
pub(crate) struct Scratch {
    /// Rotated and scaled queries: (ROWS, key_dim)
    pub(crate) queries: Vec<f32>,
    /// (ROWS, KEYS)
    scores: Vec<f32>,
    /// (ROWS, value_width)
    pub(crate) sums: Vec<f32>,
    keys: Vec<f32>,
    values: Vec<f32>,
    best: [f32; ROWS],
    total: [f32; ROWS],
}

impl Scratch {
    /// For heads up to these widths.
    pub(crate) fn new(key_dim: usize, value_dim: usize) -> Scratch {
        let value_width = value_width(value_dim);
        Scratch {
            queries: vec![0.0; ROWS * key_dim],
            scores: vec![0.0; ROWS * KEYS],
            sums: vec![0.0; ROWS * value_width],
            keys: vec![0.0; key_dim * LINE],
            values: vec![0.0; KEYS * value_width],
            best: [0.0; ROWS],
            total: [0.0; ROWS],
        }
    }

    /// Bytes of that.
    pub(crate) fn bytes(key_dim: usize, value_dim: usize) -> u64 {
        let value_width = value_width(value_dim) as u64;
        let key_dim = key_dim as u64;
        4 * (key_dim * 48 + (ROWS * KEYS) as u64 + 96 * value_width)
    }
}

/// Where the keys are.
#[derive(Clone, Copy)]
pub(crate) struct Head<'a> {
    pub(crate) kv: &'a LayerKv,
    pub(crate) sequence: usize,
    pub(crate) head: usize,
    pub(crate) key_dim: usize,
    pub(crate) value_dim: usize,
    /// Scores become `cap * tanh(score / cap)`.
    pub(crate) softcap: Option<f32>,
}

/// Row i of `scratch.queries` (`rows` of them) attends to the positions `sees(i)`, not none, neither end falling with i;
/// its result is row i of `scratch.sums`.
///
/// # Safety
/// Nobody writes those keys and values meanwhile.
pub(crate) unsafe fn attend(
    isa: Isa,
    at: Head<'_>,
    rows: usize,
    sees: impl Fn(usize) -> Range<usize>,
    scratch: &mut Scratch,
) {
    let width = value_width(at.value_dim);
    scratch.sums[..rows * width].fill(0.0);
    scratch.best = [f32::NEG_INFINITY; ROWS];
    scratch.total = [0.0; ROWS];
    let (first, last) = (sees(0).start, sees(rows - 1).end);
    // What nobody sees is not read.
    for block in (first / KEYS * KEYS..last).step_by(KEYS) {
        let count = (last - block).min(KEYS);
        // SAFETY: not written (the caller).
        unsafe { scores(isa, at, rows, block, count, scratch) };
        for row in 0..rows {
            let Range { start, end } = sees(row);
            let from = start.saturating_sub(block).min(count);
            let to = end.saturating_sub(block).min(count);
            weigh(isa, row, from, to, count, width, scratch);
        }
        let Scratch { scores, sums, values, .. } = scratch;
        // SAFETY: not written (the caller).
        let values = unsafe { at.kv.values(isa, at.sequence, at.head, block, count, values) };
        for tile in (0..rows).step_by(COLUMNS) {
            let columns = (rows - tile).min(COLUMNS);
            for line in (0..width).step_by(LINE) {
                let w = Lines { data: &values[line..], stride: width };
                let x = Columns { data: &scores[tile * KEYS..], column: KEYS, step: 1 };
                let out = &mut sums[tile * width + line..];
                accumulate(isa, count, columns, w, x, out, width);
            }
        }
    }
    for row in 0..rows {
        let sums = &mut scratch.sums[row * width..(row + 1) * width];
        scale(isa, sums, 1.0 / scratch.total[row]);
    }
}

/// Scores of `count` keys from `block` for every row.
///
/// # Safety
/// Nobody writes those keys meanwhile.
unsafe fn scores(
    isa: Isa,
    at: Head<'_>,
    rows: usize,
    block: usize,
    count: usize,
    scratch: &mut Scratch,
) {
    let Scratch { queries, scores, keys, .. } = scratch;
    scores[..rows * KEYS].fill(0.0);
    for sixteen in (0..count).step_by(LINE) {
        // SAFETY: not written (the caller).
        let keys = unsafe { at.kv.keys(isa, at.sequence, at.head, block + sixteen, keys) };
        for tile in (0..rows).step_by(COLUMNS) {
            let columns = (rows - tile).min(COLUMNS);
            let w = Lines { data: keys, stride: LINE };
            let x = Columns { data: &queries[tile * at.key_dim..], column: at.key_dim, step: 1 };
            let out = &mut scores[tile * KEYS + sixteen..];
            accumulate(isa, at.key_dim, columns, w, x, out, KEYS);
        }
    }
    if let Some(cap) = at.softcap {
        soft_cap(isa, &mut scores[..rows * KEYS], cap);
    }
}

/// Turns a row's scores `from .. to` into weights, the others into 0, and rescales what was summed before.
fn weigh(
    isa: Isa,
    row: usize,
    from: usize,
    to: usize,
    count: usize,
    width: usize,
    scratch: &mut Scratch,
) {
    let scores = &mut scratch.scores[row * KEYS..row * KEYS + count];
    if from >= to {
        scores.fill(0.0);
        return;
    }
    scores[..from].fill(0.0);
    scores[to..].fill(0.0);
    let seen = &mut scores[from..to];
    let best = largest(isa, seen).max(scratch.best[row]);
    let sum = exponentials(isa, seen, best);
    let mut fade = [scratch.best[row]];
    exponentials(isa, &mut fade, best);
    if fade[0] != 1.0 {
        scale(isa, &mut scratch.sums[row * width..(row + 1) * width], fade[0]);
    }
    scratch.total[row] = scratch.total[row] * fade[0] + sum;
    scratch.best[row] = best;
}
