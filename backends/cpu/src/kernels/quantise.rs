//! Activations in 8 bits: `x = scale * q` with one scale per 32, and the sums that offsets and minima need.

use super::Isa;
use super::isa::per_isa;
#[cfg(target_arch = "x86_64")]
use super::quantise_x86;

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

/// A row of n values, a multiple of 32, as the row kernels read it.
pub(crate) struct RowMut<'a> {
    /// (n)
    pub(crate) q: &'a mut [i8],
    /// The scale of each 4, (n / 4)
    pub(crate) lanes: &'a mut [f32],
    /// Minus the sum of each 4, (n / 4)
    pub(crate) fours: &'a mut [i32],
    /// Scale times sum of each 16, (n / 16)
    pub(crate) sums: &'a mut [f32],
    /// Scale of each 32, (n / 32)
    pub(crate) scale: &'a mut [f32],
    /// Minus the sums of each 16, and of each 32: (n / 32, 3)
    pub(crate) less: &'a mut [i32],
    /// Scale times sum of each 16, and of each 32: (n / 32, 3)
    pub(crate) more: &'a mut [f32],
}

/// Quantises a row.
pub(crate) fn quantise_row(isa: Isa, x: &[f32], to: &mut RowMut<'_>) {
    assert!(x.len().is_multiple_of(BLOCK));
    let (fours, blocks) = (x.len() / 4, x.len() / BLOCK);
    assert!(to.q.len() >= x.len() && to.lanes.len() >= fours && to.fours.len() >= fours);
    assert!(to.sums.len() >= 2 * blocks && to.scale.len() >= blocks);
    assert!(to.less.len() >= 3 * blocks && to.more.len() >= 3 * blocks);
    #[cfg(target_arch = "x86_64")]
    if let Isa::Avx512Vnni(_) = isa {
        // SAFETY: the value proves the features; the lengths are checked above.
        return unsafe { quantise_x86::row(x, to) };
    }
    plain_row(isa, x, to);
}

per_isa! {
    /// As [`quantise_row`], in plain Rust.
    fn plain_row(x: &[f32], to: &mut RowMut<'_>) = plain_row_body;
}

#[inline(always)]
fn plain_row_body(x: &[f32], to: &mut RowMut<'_>) {
    for (b, x) in x.chunks_exact(BLOCK).enumerate() {
        let block = quantise(x);
        to.q[b * BLOCK..][..BLOCK].copy_from_slice(&block.q);
        to.lanes[8 * b..][..8].fill(block.scale);
        for (to, four) in to.fours[8 * b..][..8].iter_mut().zip(block.fours) {
            *to = -four;
        }
        let halves = [&block.fours[..4], &block.fours[4..]].map(|half| half.iter().sum::<i32>());
        store_sums(b, block.scale, halves, to);
    }
}

/// What is kept of the sums of a block's halves.
#[inline(always)]
pub(super) fn store_sums(b: usize, scale: f32, [low, high]: [i32; 2], to: &mut RowMut<'_>) {
    let times = [low, high].map(|sum| scale * sum as f32);
    to.sums[2 * b..][..2].copy_from_slice(&times);
    to.scale[b] = scale;
    to.less[3 * b..][..3].copy_from_slice(&[-low, -high, -low - high]);
    to.more[3 * b..][..3].copy_from_slice(&[times[0], times[1], times[0] + times[1]]);
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

/// Quantises up to eight rows of `cols` into a tile, the rest of it zero. A row's values beyond the last whole block are not stored.
pub(crate) fn quantise_tile(isa: Isa, rows: &[f32], cols: usize, to: &mut TileMut<'_>) {
    let (blocks, count) = (cols / BLOCK, rows.len() / cols.max(1));
    assert!(count <= TILE && rows.len() == count * cols && to.q.len() >= blocks * BLOCK * TILE);
    assert!(to.scale.len() >= blocks * TILE && to.less.len() >= blocks * 3 * TILE);
    assert!(to.sums.len() >= blocks * 3 * TILE);
    #[cfg(target_arch = "x86_64")]
    if let Isa::Avx512Vnni(_) = isa {
        // SAFETY: the value proves the features; the lengths are checked above.
        return unsafe { quantise_x86::tile(rows, cols, to) };
    }
    if count < TILE {
        to.q.fill(0);
        to.scale.fill(0.0);
        to.less.fill(0);
        to.sums.fill(0.0);
    }
    for (column, row) in rows.chunks_exact(cols.max(1)).enumerate() {
        quantise_column(isa, row, to, column);
    }
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
        fn every_isa_quantises_alike(x in prop::collection::vec(-9_f32..9.0, 96), power in -140_i32..120) {
            let x: Vec<f32> = x.iter().map(|x| x * 2_f32.powi(power)).collect();
            for isa in Isa::usable() {
                prop_assert_eq!(row(isa, &x), row(Isa::Scalar, &x));
            }
        }
    }

    /// All that is stored of a row, bits.
    fn row(isa: Isa, x: &[f32]) -> (Vec<i8>, Vec<i32>, Vec<u32>) {
        let n = x.len();
        let (mut q, mut lanes, mut fours) = (vec![0; n], vec![0.0; n / 4], vec![0; n / 4]);
        let (mut sums, mut scale) = (vec![0.0; n / 16], vec![0.0; n / 32]);
        let (mut less, mut more) = (vec![0; n / 32 * 3], vec![0.0; n / 32 * 3]);
        quantise_row(
            isa,
            x,
            &mut RowMut {
                q: &mut q,
                lanes: &mut lanes,
                fours: &mut fours,
                sums: &mut sums,
                scale: &mut scale,
                less: &mut less,
                more: &mut more,
            },
        );
        let floats = [lanes, sums, scale, more].concat();
        (q, [fours, less].concat(), floats.into_iter().map(f32::to_bits).collect())
    }

    /// All that is stored of a tile, bits; what was there before must go.
    fn tile(isa: Isa, rows: &[f32], cols: usize) -> (Vec<i8>, Vec<i32>, Vec<u32>) {
        let blocks = cols / BLOCK;
        let (mut q, mut scale) = (vec![9; blocks * BLOCK * TILE], vec![9.0; blocks * TILE]);
        let (mut less, mut sums) = (vec![9; blocks * 3 * TILE], vec![9.0; blocks * 3 * TILE]);
        let mut to = TileMut { q: &mut q, scale: &mut scale, less: &mut less, sums: &mut sums };
        quantise_tile(isa, rows, cols, &mut to);
        (q, less, [scale, sums].concat().into_iter().map(f32::to_bits).collect())
    }

    proptest! {
        #[test]
        fn every_isa_makes_the_same_tile_and_its_columns_are_the_rows(
            x in prop::collection::vec(-9_f32..9.0, 8 * 96),
            count in 0..=TILE,
            power in -140_i32..120,
            bad in prop::option::of(0..8 * 96_usize),
        ) {
            let mut x: Vec<f32> = x.iter().map(|x| x * 2_f32.powi(power)).collect();
            if let Some(bad) = bad {
                x[bad] = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY][bad % 3];
            }
            let rows = &x[..count * 96];
            let (q, less, floats) = tile(Isa::Scalar, rows, 96);
            for isa in Isa::usable() {
                prop_assert_eq!(&tile(isa, rows, 96), &(q.clone(), less.clone(), floats.clone()));
            }
            for c in 0..TILE {
                let values = |k: usize| q[k / 4 * 4 * TILE + 4 * c + k % 4];
                let column: Vec<i8> = (0..96).map(values).collect();
                let own = rows.chunks_exact(96).nth(c).map(|x| row(Isa::Scalar, x).0);
                prop_assert_eq!(column, own.unwrap_or(vec![0; 96]));
            }
        }
    }

    #[test]
    fn no_number_stays_in_its_block_on_every_isa() {
        for (value, at) in [(f32::NAN, 5), (f32::INFINITY, 40), (f32::NEG_INFINITY, 31)] {
            let mut x = vec![1.5_f32; 96];
            x[at] = value;
            for isa in Isa::usable() {
                let (q, _, floats) = row(isa, &x);
                let scales =
                    floats[96 / 4 + 96 / 16..][..3].iter().map(|&bits| f32::from_bits(bits));
                for (b, scale) in scales.enumerate() {
                    assert_eq!(scale.is_finite(), b != at / 32, "{isa:?} {value} block {b}");
                }
                let own = at / 32 * 32..at / 32 * 32 + 32;
                let others = q.iter().enumerate().filter(|(k, _)| !own.contains(k));
                assert!(others.into_iter().all(|(_, &q)| q == 127), "{isa:?} {value}");
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
