//! Values rounded to bf16, the upper half of an f32, two to a word.

use super::LINE;
use crate::kernels::integer::TILE;
use crate::kernels::isa::per_isa;

/// The nearest bf16 in the upper half, ties to even; what is no number stays none.
#[inline(always)]
fn round(x: f32) -> u32 {
    let bits = x.to_bits();
    let rounded = bits.wrapping_add(0x7FFF + (bits >> 16 & 1));
    // Rounding up must not carry a NaN over into zero.
    if bits & 0x7FFF_FFFF > 0x7F80_0000 { bits | 0x0040_0000 } else { rounded }
}

/// Two values, the first in the lower half.
#[inline(always)]
pub(crate) fn word(first: f32, second: f32) -> u32 {
    (round(first) >> 16) | (round(second) & 0xFFFF_0000)
}

per_isa! {
    /// A row into one column of a tile, (K / 2, 8 columns); of an odd length, the last value is paired with zero.
    fn brain_column(x: &[f32], tile: &mut [u32], column: usize) = brain_column_body;
}

#[inline(always)]
fn brain_column_body(x: &[f32], tile: &mut [u32], column: usize) {
    for (two, to) in x.chunks(2).zip(tile.as_chunks_mut::<TILE>().0) {
        to[column] = word(two[0], two.get(1).copied().unwrap_or(0.0));
    }
}

per_isa! {
    /// Lines of 16 f32 into half as many lines of 16 words, in place: f32 in name only from then on.
    fn brain_lines(lines: &mut [f32]) = brain_lines_body;
}

#[inline(always)]
fn brain_lines_body(lines: &mut [f32]) {
    let lines = lines.as_chunks_mut::<LINE>().0;
    for k in 0..lines.len().div_ceil(2) {
        let (first, second) = (lines[2 * k], lines.get(2 * k + 1).copied().unwrap_or([0.0; LINE]));
        // A loop: a closure is not always compiled for the instruction set of whoever calls this.
        for r in 0..LINE {
            lines[k][r] = f32::from_bits(word(first[r], second[r]));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::kernels::Isa;

    #[test]
    fn rounding_is_that_of_the_half_crate() {
        let odd =
            [0.0, -0.0, 1e-45, f32::MAX, f32::MIN, f32::INFINITY, f32::NEG_INFINITY, f32::NAN];
        let halves = (0..2000_u32).map(|i| f32::from_bits(0x3F80_0000 + i * 0x0800));
        let none = [0x7F80_0001, 0xFFFF_FFFF, 0x7FFF_FFFF].map(f32::from_bits);
        for x in odd.into_iter().chain(halves).chain(none) {
            let (ours, theirs) = ((round(x) >> 16) as u16, half::bf16::from_f32(x));
            assert!(ours == theirs.to_bits() || x.is_nan() && theirs.is_nan(), "{x}: {ours:x}");
            assert!(!x.is_nan() || half::bf16::from_bits(ours).is_nan());
        }
    }

    proptest! {
        #[test]
        fn every_isa_rounds_alike(x in prop::collection::vec(any::<f32>(), 48)) {
            let lines = |isa| {
                let mut lines = x.clone();
                brain_lines(isa, &mut lines);
                lines[..32].iter().map(|x| x.to_bits()).collect::<Vec<_>>()
            };
            let column = |isa| {
                let mut tile = vec![0; 24 * TILE];
                brain_column(isa, &x[..47], &mut tile, 5);
                tile
            };
            for isa in Isa::usable() {
                prop_assert_eq!(lines(isa), lines(Isa::Scalar));
                prop_assert_eq!(column(isa), column(Isa::Scalar));
            }
        }
    }
}
