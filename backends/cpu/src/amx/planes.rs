//! Weights as two planes of bytes: `w = scale * (64 * high + low)`, one scale per row and 256 weights.
//!
//! Sub-scales and minima of a format are folded into integers of 14 bits, so that sums need one floating-point step per 256
//! instead of one per 16 or 32. What is lost is at most a 16254th of the largest weight of the 256: a thousandth of the error
//! that activations in 8 bits make.

use super::columns::BLOCK;
use super::unit::ROW_BYTES;
use crate::kernels::integer::{ROWS, Unpacked};
use crate::kernels::isa::per_isa;
use crate::kernels::packed::LINE;
use crate::kernels::wide::{largest, words};
use crate::kernels::{Grouping, Isa};

/// Largest integer: high in -127 ..= 127, low in -32 ..= 31.
const MOST: f32 = 8127.0;
/// Values of the lower plane.
const LOW: u32 = 64;
/// Adding this rounds to the nearest integer, ties to even, for |x| < 2^22, and leaves it, 32 too large, in the lowest bits.
const ROUND: f32 = 12_582_912.0 + (LOW / 2) as f32;

/// Folds `deep` unpacked weights of each row, in place: the upper plane takes the place of the weights, and a scale per 256 that of
/// the scales. A weight that is no number makes the scale none.
pub(crate) fn fold(isa: Isa, from: Grouping, panel: &mut Unpacked, deep: usize) {
    let lines = panel.q.all_mut()[..deep * ROWS].as_chunks_mut::<LINE>().0;
    let lows = panel.low.all_mut()[..deep * ROWS].as_chunks_mut::<LINE>().0;
    let scales = panel.scales.all_mut().as_chunks_mut::<ROWS>().0;
    let mins = panel.mins.all_mut().as_chunks::<ROWS>().0;
    fold_lines(isa, from, lines, lows, scales, mins);
}

/// Makes the rest of the last tile of `deep` weights zero, in both planes.
pub(crate) fn pad(panel: &mut Unpacked, deep: usize) {
    let rest = deep * ROWS..deep.next_multiple_of(ROW_BYTES) * ROWS;
    panel.q.all_mut()[rest.clone()].fill(0);
    panel.low.all_mut()[rest].fill(0);
}

/// As [`pad`], of weights in bf16.
pub(crate) fn pad_brain(panel: &mut Unpacked, deep: usize) {
    let line = |values: usize| values / 2 * ROWS;
    let rest = line(deep.next_multiple_of(2))..line(deep.next_multiple_of(ROW_BYTES / 2));
    panel.float.all_mut()[rest].fill(0.0);
}

per_isa! {
    /// As [`fold`].
    fn fold_lines(
        from: Grouping,
        lines: &mut [[u8; LINE]],
        lows: &mut [[u8; LINE]],
        scales: &mut [[f32; ROWS]],
        mins: &[[f32; ROWS]],
    ) = fold_body;
}

#[inline(always)]
fn fold_body(
    from: Grouping,
    lines: &mut [[u8; LINE]],
    lows: &mut [[u8; LINE]],
    scales: &mut [[f32; ROWS]],
    mins: &[[f32; ROWS]],
) {
    let group = from.group / 4;
    let blocks = lines.chunks_mut(BLOCK / 4).zip(lows.chunks_mut(BLOCK / 4));
    for (b, (lines, lows)) in blocks.enumerate() {
        let first = b * BLOCK / from.group;
        let mins = mins.get(first..).unwrap_or_default();
        let most = largest(from, lines, &scales[first..], mins);
        // Below this, 8127 times the inverse is no number; f16 scales are never so small.
        let some = |most: f32| most.is_finite() && most > 1e-30;
        let inverse = most.map(|most| if some(most) { MOST / most } else { 0.0 });
        let groups = lines.chunks_mut(group).zip(lows.chunks_mut(group));
        for (g, (lines, lows)) in groups.enumerate() {
            let (scale, min) = (scales[first + g], if from.mins { mins[g] } else { [0.0; ROWS] });
            let (mut by, mut less) = ([0.0_f32; ROWS], [0.0_f32; ROWS]);
            for r in 0..ROWS {
                if inverse[r] > 0.0 {
                    by[r] = scale[r] * inverse[r];
                    less[r] = (scale[r] * from.offset + min[r]) * inverse[r];
                }
            }
            for (line, low) in lines.iter_mut().zip(lows) {
                split(line, low, &by, &less);
            }
        }
        scales[b] = most.map(|most| match most {
            most if !most.is_finite() => f32::NAN,
            most if some(most) => most / MOST,
            _ => 0.0,
        });
    }
}

/// `round(by * q - less)` of each weight in two parts.
#[inline(always)]
fn split(line: &mut [u8; LINE], low: &mut [u8; LINE], by: &[f32; ROWS], less: &[f32; ROWS]) {
    let q = words(line);
    let (mut upper, mut lower) = ([0_u32; ROWS], [0_u32; ROWS]);
    for r in 0..ROWS {
        for j in 0..4 {
            let w = ((q[r] >> (8 * j)) & 0xFF) as i32 as f32 * by[r] - less[r];
            let bits = (w + ROUND).to_bits();
            upper[r] |= ((bits >> LOW.trailing_zeros()) & 0xFF) << (8 * j);
            lower[r] |= (bits & (LOW - 1)) << (8 * j);
        }
        // Each byte 32 less: the topmost bit keeps it from borrowing of its neighbour.
        lower[r] = ((lower[r] | 0x8080_8080) - LOW / 2 * 0x0101_0101) ^ 0x8080_8080;
    }
    for r in 0..ROWS {
        line[4 * r..4 * r + 4].copy_from_slice(&upper[r].to_le_bytes());
        low[4 * r..4 * r + 4].copy_from_slice(&lower[r].to_le_bytes());
    }
}
