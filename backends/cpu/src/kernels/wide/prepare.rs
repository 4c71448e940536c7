//! Unpacked panels requantised to signed bytes.

use super::BLOCK;
#[cfg(target_arch = "x86_64")]
use super::prepare_x86;
use crate::kernels::integer::{ROWS, Unpacked};
use crate::kernels::isa::per_isa;
use crate::kernels::packed::LINE;
use crate::kernels::{Grouping, Isa};

/// Adding and subtracting this rounds to the nearest integer, ties to even, for |x| < 2^22.
pub(super) const ROUND: f32 = 12_582_912.0;
/// How much too large columns are.
pub(super) const TOO_LARGE: i32 = 128;

/// The four weights of each row.
#[inline(always)]
pub(crate) fn words(line: &[u8; LINE]) -> [u32; ROWS] {
    // Loops: a closure is not always compiled for the instruction set of whoever calls this.
    let mut words = [0; ROWS];
    for r in 0..ROWS {
        words[r] =
            u32::from_le_bytes([line[4 * r], line[4 * r + 1], line[4 * r + 2], line[4 * r + 3]]);
    }
    words
}

/// Makes `deep` weights of each row 8 bits under one scale per row and 256, in place: what is lost is at most half of a 127th
/// of the largest of the 256. A scale that is no number makes all 256 weights of its row none.
pub(crate) fn requantise(isa: Isa, from: Grouping, panel: &mut Unpacked, deep: usize) {
    let lines = panel.q.all_mut()[..deep * ROWS].as_chunks_mut::<LINE>().0;
    let scales = panel.scales.all_mut().as_chunks_mut::<ROWS>().0;
    let excess = panel.excess.all_mut().as_chunks_mut::<ROWS>().0;
    let mins = panel.mins.all_mut().as_chunks::<ROWS>().0;
    #[cfg(target_arch = "x86_64")]
    if let Isa::Avx512Vnni(_) = isa {
        // SAFETY: the value proves the features.
        return unsafe { prepare_x86::requantise(from, lines, scales, mins, excess) };
    }
    requantise_lines(isa, from, lines, scales, mins, excess);
}

/// Whether integers stand for weights of which this is the largest: below, integers times the inverse are no numbers; f16 scales are
/// never so small.
#[inline(always)]
fn some(most: f32) -> bool {
    most.is_finite() && most > 1e-30
}

/// Steps in one, where `most` is so many steps; 0 where there is nothing to count.
#[inline(always)]
pub(crate) fn inverse(most: f32, steps: f32) -> f32 {
    if some(most) { steps / most } else { 0.0 }
}

/// What a step stands for; no number where `most` is none.
#[inline(always)]
pub(crate) fn step(most: f32, steps: f32) -> f32 {
    match most {
        most if !most.is_finite() => f32::NAN,
        most if some(most) => most / steps,
        _ => 0.0,
    }
}

per_isa! {
    /// As [`requantise`].
    fn requantise_lines(
        from: Grouping,
        lines: &mut [[u8; LINE]],
        scales: &mut [[f32; ROWS]],
        mins: &[[f32; ROWS]],
        excess: &mut [[i32; ROWS]],
    ) = requantise_body;
}

#[inline(always)]
fn requantise_body(
    from: Grouping,
    lines: &mut [[u8; LINE]],
    scales: &mut [[f32; ROWS]],
    mins: &[[f32; ROWS]],
    excess: &mut [[i32; ROWS]],
) {
    let group = from.group / 4;
    for (b, lines) in lines.chunks_mut(BLOCK / 4).enumerate() {
        let first = b * BLOCK / from.group;
        let min = |g: usize| if from.mins { mins[first + g] } else { [0.0; ROWS] };
        let most =
            plain_largest(from, lines, &scales[first..], mins.get(first..).unwrap_or_default());
        let inverse = most.map(|most| inverse(most, 127.0));
        let mut sums = [0_i32; ROWS];
        for (g, lines) in lines.chunks_mut(group).enumerate() {
            let (scale, min) = (scales[first + g], min(g));
            let (mut by, mut less) = ([0.0_f32; ROWS], [0.0_f32; ROWS]);
            for r in 0..ROWS {
                if inverse[r] > 0.0 {
                    by[r] = scale[r] * inverse[r];
                    less[r] = (scale[r] * from.offset + min[r]) * inverse[r];
                }
            }
            for line in lines {
                round_line(line, &by, &less, &mut sums);
            }
        }
        scales[b] = most.map(|most| step(most, 127.0));
        excess[b] = sums.map(|sum| -TOO_LARGE * sum);
    }
}

/// Magnitude of the largest weight of each row, from its first group's scale and minimum on; infinite if one is no number.
pub(crate) fn largest(
    isa: Isa,
    from: Grouping,
    lines: &[[u8; LINE]],
    scales: &[[f32; ROWS]],
    mins: &[[f32; ROWS]],
) -> [f32; ROWS] {
    #[cfg(target_arch = "x86_64")]
    if let Isa::Avx512Vnni(_) = isa {
        // SAFETY: the value proves the features.
        return unsafe { prepare_x86::largest(from, lines, scales, mins) };
    }
    let _ = isa;
    plain_largest(from, lines, scales, mins)
}

/// As [`largest`].
#[inline(always)]
fn plain_largest(
    from: Grouping,
    lines: &[[u8; LINE]],
    scales: &[[f32; ROWS]],
    mins: &[[f32; ROWS]],
) -> [f32; ROWS] {
    let mut most = [0.0_f32; ROWS];
    for (g, lines) in lines.chunks(from.group / 4).enumerate() {
        let (low, high) = range(lines);
        let (scale, min) = (scales[g], if from.mins { mins[g] } else { [0.0; ROWS] });
        for r in 0..ROWS {
            let low = (scale[r] * (f32::from(low[r]) - from.offset) - min[r]).abs();
            let high = (scale[r] * (f32::from(high[r]) - from.offset) - min[r]).abs();
            let largest = if low > high { low } else { high };
            // What is no number must not hide behind those that are; a maximum would drop it.
            let none = (low + high).is_nan();
            let largest = if none { f32::INFINITY } else { largest };
            most[r] = if largest > most[r] { largest } else { most[r] };
        }
    }
    most
}

/// Smallest and largest byte of each row.
#[inline(always)]
fn range(lines: &[[u8; LINE]]) -> ([u8; ROWS], [u8; ROWS]) {
    let (mut low, mut high) = ([u8::MAX; LINE], [0_u8; LINE]);
    for line in lines {
        for i in 0..LINE {
            low[i] = low[i].min(line[i]);
            high[i] = high[i].max(line[i]);
        }
    }
    let (low, high) = (words(&low), words(&high));
    let (mut least, mut most) = ([u8::MAX; ROWS], [0_u8; ROWS]);
    for r in 0..ROWS {
        for j in 0..4 {
            least[r] = least[r].min((low[r] >> (8 * j)) as u8);
            most[r] = most[r].max((high[r] >> (8 * j)) as u8);
        }
    }
    (least, most)
}

/// `round(by * q - less)` of each weight, and the sums of the rows.
#[inline(always)]
fn round_line(line: &mut [u8; LINE], by: &[f32; ROWS], less: &[f32; ROWS], sums: &mut [i32; ROWS]) {
    let mut words = words(line);
    for r in 0..ROWS {
        let mut word = 0;
        for j in 0..4 {
            let q = ((words[r] >> (8 * j)) & 0xFF) as i32 as f32;
            let rounded = (q * by[r] - less[r] + ROUND).to_bits();
            sums[r] = sums[r].wrapping_add(rounded.wrapping_sub(ROUND.to_bits()) as i32);
            word |= (rounded & 0xFF) << (8 * j);
        }
        words[r] = word;
    }
    for r in 0..ROWS {
        line[4 * r..4 * r + 4].copy_from_slice(&words[r].to_le_bytes());
    }
}
