//! Columns in 8 bits under one scale per 256 values.

use super::BLOCK;
use crate::kernels::integer::TILE;
use crate::kernels::isa::per_isa;

/// Adding and subtracting this rounds to the nearest integer, ties to even, for |x| < 2^22.
const ROUND: f32 = 12_582_912.0;

/// A tile of eight columns of K values as the kernels read it.
#[derive(Clone, Copy)]
pub(crate) struct Wide<'a> {
    /// (K / 4, 8 columns, 4), each 128 too large
    pub(crate) q: &'a [u8],
    /// (K / 256, 8)
    pub(crate) scale: &'a [f32],
    /// Bytes from a value in `q` to that of the next tile, to prefetch it
    #[cfg_attr(not(target_arch = "x86_64"), allow(dead_code, reason = "for vector kernels"))]
    pub(crate) next: usize,
}

impl<'a> Wide<'a> {
    /// The tile's values from `k`, a multiple of 256, on.
    pub(crate) fn from(&self, k: usize) -> Wide<'a> {
        let (q, scale) = (&self.q[k * TILE..], &self.scale[k / BLOCK * TILE..]);
        Wide { q, scale, next: self.next }
    }
}

/// The same, to write.
pub(crate) struct WideMut<'a> {
    pub(crate) q: &'a mut [u8],
    pub(crate) scale: &'a mut [f32],
}

per_isa! {
    /// Quantises a row, a multiple of 32 values, into one column of a tile.
    fn quantise_column(x: &[f32], tile: &mut WideMut<'_>, column: usize) = quantise_column_body;
}

#[inline(always)]
fn quantise_column_body(x: &[f32], tile: &mut WideMut<'_>, column: usize) {
    for (b, x) in x.chunks(BLOCK).enumerate() {
        // Absolute values compare as integers, and so a NaN wins.
        let largest = x.iter().fold(0_u32, |most, x| most.max(x.to_bits() & 0x7FFF_FFFF));
        let largest = f32::from_bits(largest);
        tile.scale[b * TILE + column] = largest / 127.0;
        let inverse = if largest > 0.0 { 127.0 / largest } else { 0.0 };
        for (i, x) in x.as_chunks::<32>().0.iter().enumerate() {
            let at = b * BLOCK + i * 32;
            let mut whole = [0_i32; 32];
            for k in 0..32 {
                let rounded = (x[k] * inverse + ROUND).to_bits() as i32;
                whole[k] = rounded.wrapping_sub(ROUND.to_bits() as i32);
            }
            let bytes = whole.map(|q| q as u8 ^ 0x80);
            let to = tile.q[at * TILE..][..32 * TILE].as_chunks_mut::<{ 4 * TILE }>().0;
            for (to, four) in to.iter_mut().zip(bytes.as_chunks::<4>().0) {
                to[4 * column..4 * column + 4].copy_from_slice(four);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::kernels::Isa;

    /// Bytes and scales of one column, the others untouched.
    fn column(isa: Isa, x: &[f32]) -> (Vec<u8>, Vec<f32>) {
        let k = x.len();
        let (mut q, mut scale) = (vec![7; k * TILE], vec![7.0; k.div_ceil(BLOCK) * TILE]);
        let mut tile = WideMut { q: &mut q, scale: &mut scale };
        quantise_column(isa, x, &mut tile, 3);
        (q, scale)
    }

    proptest! {
        #[test]
        fn error_is_at_most_half_a_step_and_every_isa_agrees(
            blocks in 1..12_usize,
            mut x in prop::collection::vec(-1e3_f32..1e3, 12 * 32),
        ) {
            x.truncate(blocks * 32);
            let (q, scale) = column(Isa::Scalar, &x);
            for (k, x) in x.iter().enumerate() {
                let q = f32::from(q[k / 4 * 4 * TILE + 3 * 4 + k % 4]) - 128.0;
                let scale = scale[k / BLOCK * TILE + 3];
                prop_assert!((x - scale * q).abs() <= scale * 0.5001);
            }
            for isa in Isa::usable() {
                prop_assert_eq!(&column(isa, &x), &(q.clone(), scale.clone()));
            }
        }
    }

    #[test]
    fn a_value_that_is_no_number_makes_the_scale_none_and_no_other() {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut x = vec![1.0; 512];
            x[300] = bad;
            for isa in Isa::usable() {
                let (_, scale) = column(isa, &x);
                assert!(scale[3].is_finite() && !scale[TILE + 3].is_finite(), "{isa:?} {bad}");
            }
        }
        assert_eq!(column(Isa::Scalar, &[0.0; 32]).1[3], 0.0);
    }
}
