//! Activations in 8 bits: `x = scale * q` with one scale per 32, and the sums that offsets and minima need.

use super::isa::per_isa;

/// Values per scale.
pub(crate) const BLOCK: usize = 32;
/// Columns of a tile.
pub(crate) const TILE: usize = 8;

/// One quantised block.
pub(crate) struct Block {
    /// (32)
    pub(crate) q: [i8; BLOCK],
    pub(crate) scale: f32,
    /// Sums of each 4 neighbours, (8)
    pub(crate) fours: [i32; 8],
}

/// Adding and subtracting this rounds to the nearest integer, ties to even, for |x| < 2^22.
const ROUND: f32 = 12_582_912.0;

/// Quantises 32 values; a NaN among them makes the scale NaN.
#[inline(always)]
pub(crate) fn quantise(x: &[f32]) -> Block {
    let x = &x[..BLOCK];
    // Absolute values compare as integers, and so a NaN wins.
    let mut largest = 0_u32;
    for &v in x {
        largest = largest.max(v.to_bits() & 0x7FFF_FFFF);
    }
    let largest = f32::from_bits(largest);
    let scale = largest / 127.0;
    let inverse = if largest > 0.0 { 127.0 / largest } else { 0.0 };
    let mut whole = [0_i32; BLOCK];
    for i in 0..BLOCK {
        whole[i] = ((x[i] * inverse + ROUND).to_bits() as i32).wrapping_sub(ROUND.to_bits() as i32);
    }
    let mut q = [0_i8; BLOCK];
    for i in 0..BLOCK {
        q[i] = whole[i] as i8;
    }
    let mut fours = [0; 8];
    for i in 0..8 {
        fours[i] = i32::from(q[4 * i])
            + i32::from(q[4 * i + 1])
            + i32::from(q[4 * i + 2])
            + i32::from(q[4 * i + 3]);
    }
    Block { q, scale, fours }
}

per_isa! {
    /// Quantises a row for the row kernels: `q` (n), `lanes` the scale of each 4 weights (n / 4), `fours` minus the sum of
    /// each 4 (n / 4), `sums` scale times sum of each 16 (n / 16).
    fn quantise_row(x: &[f32], q: &mut [i8], lanes: &mut [f32], fours: &mut [i32], sums: &mut [f32])
        = quantise_row_body;
}

#[inline(always)]
fn quantise_row_body(
    x: &[f32],
    q: &mut [i8],
    lanes: &mut [f32],
    fours: &mut [i32],
    sums: &mut [f32],
) {
    let blocks = x.chunks_exact(BLOCK).zip(q.chunks_exact_mut(BLOCK)).zip(
        lanes.chunks_exact_mut(8).zip(fours.chunks_exact_mut(8).zip(sums.chunks_exact_mut(2))),
    );
    for ((x, q), (lanes, (fours, sums))) in blocks {
        let block = quantise(x);
        q.copy_from_slice(&block.q);
        lanes.fill(block.scale);
        for i in 0..8 {
            fours[i] = -block.fours[i];
        }
        sums[0] = block.scale * block.fours[..4].iter().sum::<i32>() as f32;
        sums[1] = block.scale * block.fours[4..].iter().sum::<i32>() as f32;
    }
}

/// The parts of a tile of 8 columns, K = 32 b weights long.
pub(crate) struct TileMut<'a> {
    /// (b, 8 groups of 4, 8 columns, 4)
    pub(crate) q: &'a mut [i8],
    /// (b, 8)
    pub(crate) scale: &'a mut [f32],
    /// Minus the sums of each 16, and of each 32: (b, 3, 8)
    pub(crate) less: &'a mut [i32],
    /// Scale times sum of each 16, and of each 32: (b, 3, 8)
    pub(crate) sums: &'a mut [f32],
}

per_isa! {
    /// Quantises a row into one column of a tile.
    fn quantise_column(x: &[f32], tile: &mut TileMut<'_>, column: usize) = quantise_column_body;
}

#[inline(always)]
fn quantise_column_body(x: &[f32], tile: &mut TileMut<'_>, column: usize) {
    for (b, x) in x.chunks_exact(BLOCK).enumerate() {
        let block = quantise(x);
        let q = &mut tile.q[b * BLOCK * TILE..][..BLOCK * TILE];
        for k in 0..8 {
            q[k * 4 * TILE + column * 4..][..4].copy_from_slice(&block.q[4 * k..4 * k + 4]);
        }
        tile.scale[b * TILE + column] = block.scale;
        let low: i32 = block.fours[..4].iter().sum();
        let high: i32 = block.fours[4..].iter().sum();
        for (i, sum) in [low, high, low + high].into_iter().enumerate() {
            tile.less[(b * 3 + i) * TILE + column] = -sum;
            tile.sums[(b * 3 + i) * TILE + column] = block.scale * sum as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::kernels::Isa;

    proptest! {
        #[test]
        fn error_is_at_most_half_a_step(x in prop::collection::vec(-1e3_f32..1e3, 32)) {
            let block = quantise(&x);
            for (x, q) in x.iter().zip(block.q) {
                prop_assert!((x - block.scale * f32::from(q)).abs() <= block.scale * 0.5001);
            }
            prop_assert_eq!(
                block.fours.iter().sum::<i32>(),
                block.q.iter().map(|&q| i32::from(q)).sum::<i32>()
            );
        }

        #[test]
        fn every_isa_quantises_alike(x in prop::collection::vec(-9_f32..9.0, 96)) {
            let run = |isa| {
                let (mut q, mut lanes) = (vec![0; 96], vec![0.0; 24]);
                let (mut fours, mut sums) = (vec![0; 24], vec![0.0; 6]);
                quantise_row(isa, &x, &mut q, &mut lanes, &mut fours, &mut sums);
                (q, lanes, fours, sums)
            };
            for isa in Isa::usable() {
                prop_assert_eq!(run(isa), run(Isa::Scalar));
            }
        }
    }

    #[test]
    fn zeros_and_nan() {
        assert_eq!(quantise(&[0.0; 32]).scale, 0.0);
        let mut x = [1.0; 32];
        x[7] = f32::NAN;
        assert!(quantise(&x).scale.is_nan());
    }
}
