//! Results over parts of a context, put together: every part has its own largest score and total.

use super::vector::Scalar;
use super::{Scratch, fade_of};
use crate::kernels::Isa;
use crate::kernels::elementwise::add_scaled;
use crate::kv::value_width;

/// Floats a row of a part takes: its sums, its largest score, and its total.
pub(crate) fn partial_len(value_dim: usize) -> usize {
    value_width(value_dim) + 2
}

/// Rows of one part of a context: (rows, partial_len)
pub(crate) struct Partial<'a>(pub(crate) &'a mut [f32]);

impl Partial<'_> {
    /// Keeps the first `rows` rows of what [`super::attend`] left.
    pub(crate) fn keep(&mut self, scratch: &Scratch, rows: usize, value_dim: usize) {
        let (width, len) = (value_width(value_dim), partial_len(value_dim));
        for (row, part) in self.0.chunks_exact_mut(len).take(rows).enumerate() {
            part[..width].copy_from_slice(&scratch.sums[row * width..(row + 1) * width]);
            part[width] = scratch.running[row].best;
            part[width + 1] = scratch.running[row].total.iter().sum();
        }
    }
}

/// One row's result out of the same row of every part.
pub(crate) fn merge<'a>(isa: Isa, parts: impl Iterator<Item = &'a [f32]> + Clone, out: &mut [f32]) {
    let ends = |part: &[f32]| (part[part.len() - 2], part[part.len() - 1]);
    let best = parts.clone().map(|part| ends(part).0).fold(f32::NEG_INFINITY, f32::max);
    // SAFETY: plain Rust needs no features.
    let weight = |part: &[f32]| unsafe { fade_of::<Scalar>(ends(part).0 - best) };
    let total: f32 = parts.clone().map(|part| weight(part) * ends(part).1).sum();
    out.fill(0.0);
    for part in parts {
        add_scaled(isa, out, part, weight(part) / total);
    }
}
