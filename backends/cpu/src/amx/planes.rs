//! Weights as two planes of bytes: `w = scale / 64 * (64 * high + low)`, one scale per row and 512 weights.
//!
//! Sub-scales and minima of a format are folded into integers of 14 bits, so that sums need one floating-point step per 512
//! instead of one per 16 or 32. What is lost is at most a 16254th of the largest weight of the 512. Columns are two such planes
//! too, and of the four products of planes all but that of the lower ones is summed, which is a 65000th of the largest.

use super::columns::FOLDED;
#[cfg(target_arch = "x86_64")]
use super::planes_x86;
use super::unit::ROW_BYTES;
use crate::kernels::integer::{ROWS, Unpacked};
use crate::kernels::packed::LINE;
use crate::kernels::wide::{inverse, largest, step, words};
use crate::kernels::{Grouping, Isa};

/// Largest integer: high in -127 ..= 127, low in -32 ..= 31.
pub(super) const MOST: f32 = 8127.0;
/// Values of the lower plane, and their binary places.
pub(super) const LOW: u32 = 1 << PLACES;
pub(super) const PLACES: u32 = 6;
/// Adding this rounds to the nearest integer, ties to even, for |x| < 2^22, and leaves it, 32 too large, in the lowest bits.
pub(super) const ROUND: f32 = 12_582_912.0 + (LOW / 2) as f32;

/// Folds `deep` unpacked weights of each row, in place: the upper plane takes the place of the weights, and a scale per 512 that of
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

/// As [`fold`].
fn fold_lines(
    isa: Isa,
    from: Grouping,
    lines: &mut [[u8; LINE]],
    lows: &mut [[u8; LINE]],
    scales: &mut [[f32; ROWS]],
    mins: &[[f32; ROWS]],
) {
    let blocks = lines.chunks_mut(FOLDED / 4).zip(lows.chunks_mut(FOLDED / 4));
    for (b, (lines, lows)) in blocks.enumerate() {
        let first = b * FOLDED / from.group;
        let mins = mins.get(first..).unwrap_or_default();
        let most = largest(isa, from, lines, &scales[first..], mins);
        let inverse = most.map(|most| inverse(most, MOST));
        split(isa, from, lines, lows, &scales[first..], mins, &inverse);
        scales[b] = most.map(|most| LOW as f32 * step(most, MOST));
    }
}

/// `round((scale * (q - offset) - min) * inverse)` of each weight in two parts, the upper in place; zero where the inverse is.
fn split(
    isa: Isa,
    from: Grouping,
    lines: &mut [[u8; LINE]],
    lows: &mut [[u8; LINE]],
    scales: &[[f32; ROWS]],
    mins: &[[f32; ROWS]],
    inverse: &[f32; ROWS],
) {
    #[cfg(target_arch = "x86_64")]
    if let Isa::Avx512Vnni(_) = isa {
        // SAFETY: the value proves the features.
        return unsafe { planes_x86::split(from, lines, lows, scales, mins, inverse) };
    }
    let _ = isa;
    let group = from.group / 4;
    for (g, (lines, lows)) in lines.chunks_mut(group).zip(lows.chunks_mut(group)).enumerate() {
        let (scale, min) = (scales[g], if from.mins { mins[g] } else { [0.0; ROWS] });
        let (mut by, mut less) = ([0.0_f32; ROWS], [0.0_f32; ROWS]);
        for r in (0..ROWS).filter(|&r| inverse[r] > 0.0) {
            by[r] = scale[r] * inverse[r];
            less[r] = scale[r].mul_add(from.offset, min[r]) * inverse[r];
        }
        for (line, low) in lines.iter_mut().zip(lows) {
            split_line(line, low, &by, &less);
        }
    }
}

/// As [`split`], of four weights of each row.
fn split_line(line: &mut [u8; LINE], low: &mut [u8; LINE], by: &[f32; ROWS], less: &[f32; ROWS]) {
    let q = words(line);
    for r in 0..ROWS {
        let (mut upper, mut lower) = (0_u32, 0_u32);
        for j in 0..4 {
            let weight = ((q[r] >> (8 * j)) & 0xFF) as f32;
            let bits = (weight.mul_add(by[r], -less[r]) + ROUND).to_bits();
            upper |= ((bits >> PLACES) & 0xFF) << (8 * j);
            lower |= (bits & (LOW - 1)) << (8 * j);
        }
        let lower = ((lower | TOP) - LESS) ^ TOP;
        line[4 * r..4 * r + 4].copy_from_slice(&upper.to_le_bytes());
        low[4 * r..4 * r + 4].copy_from_slice(&lower.to_le_bytes());
    }
}

/// Bytes 32 less: their topmost bits keep them from borrowing of their neighbours.
pub(super) const LESS: u32 = LOW / 2 * 0x0101_0101;
pub(super) const TOP: u32 = 0x8080_8080;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Every instruction set makes the same planes; they stand for the weights within half a step of the largest one's 8127th.
        #[test]
        fn planes_stand_for_the_weights_and_every_isa_agrees(
            q in prop::collection::vec(any::<u8>(), 96 * LINE),
            scales in prop::collection::vec(-2.0_f32..2.0, 24 * ROWS),
            mins in prop::collection::vec(-2.0_f32..2.0, 24 * ROWS),
            small in any::<bool>(),
            with_mins in any::<bool>(),
            odd in 0..6_usize,
        ) {
            let group = if small { 16 } else { 32 };
            let from = Grouping { group, offset: 128.0, mins: with_mins };
            let mut scales: Vec<[f32; ROWS]> = scales.as_chunks().0.to_vec();
            let bad = [0.0, 1e-38, f32::INFINITY, f32::NAN, 1e30, -1e-20][odd];
            scales[1][5] = bad;
            let mins: &[[f32; ROWS]] = mins.as_chunks().0;
            let run = |isa: Isa| {
                let mut lines: Vec<[u8; LINE]> = q.as_chunks().0.to_vec();
                let (mut lows, mut scales) = (vec![[9; LINE]; 96], scales.clone());
                fold_lines(isa, from, &mut lines, &mut lows, &mut scales, mins);
                let bits: Vec<u32> = scales[..2].as_flattened().iter().map(|x| x.to_bits()).collect();
                (lines, lows, bits)
            };
            let (lines, lows, bits) = run(Isa::Scalar);
            for isa in Isa::usable() {
                prop_assert_eq!(run(isa), (lines.clone(), lows.clone(), bits.clone()));
            }
            for (line, (k, r)) in (0..96).flat_map(|l| (0..4).flat_map(move |j| (0..ROWS).map(move |r| (l, (j, r))))) {
                let (at, k) = (4 * r + k, 4 * line + k);
                let (scale, group) = (f32::from_bits(bits[k / FOLDED * ROWS + r]) / LOW as f32, k / group);
                let (high, low) = (i32::from(lines[line][at] as i8), i32::from(lows[line][at] as i8));
                prop_assert!((-127..=127).contains(&high) && (-32..=31).contains(&low));
                let min = if with_mins { f64::from(mins[group][r]) } else { 0.0 };
                let weight = f64::from(scales[group][r]) * (f64::from(q[line * LINE + at]) - 128.0) - min;
                if scale.is_nan() {
                    prop_assert!(r == 5 && k < FOLDED && !bad.is_finite());
                    continue;
                }
                let found = f64::from(scale) * f64::from(64 * high + low);
                prop_assert!((found - weight).abs() <= f64::from(scale) * 0.51 + 1e-30, "{} {}", found, weight);
            }
        }
    }
}
