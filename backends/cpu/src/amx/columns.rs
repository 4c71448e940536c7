//! Many columns as tiles of 16 rows of 64 bytes: 8 bits with one scale per column and 256 values, or bf16.

use std::ops::Range;

use yardstick_api::Error;

use super::unit::{ROW_BYTES, ROWS};
use crate::buffer::Buffer;
use crate::kernels::activations::Forms;
use crate::kernels::float::word;
use crate::kernels::isa::per_isa;
use crate::kernels::{Isa, TILE};

/// Values that share a scale.
pub(super) const BLOCK: usize = 256;
/// 32-bit words of a row of a tile, and the bf16 in them.
const ROW_WORDS: usize = ROW_BYTES / 4;
const ROW_BRAINS: usize = ROW_BYTES / 2;

/// Columns of a chunk, shared by the crew; K is their length padded with zeros to whole rows of a tile.
pub(crate) struct Columns {
    /// (columns / 16, K / 64, 16, 64)
    q: Buffer<i8>,
    /// (columns / 8, blocks of 256, 8)
    scales: Buffer<f32>,
    /// Two bf16 a word, (columns / 16, K / 32, 16, 16)
    brain: Buffer<u32>,
}

impl Columns {
    /// Room for `columns` columns of up to `cols` values in the forms that are a matrix unit's.
    pub(crate) fn new(columns: usize, cols: usize, forms: Forms) -> Result<Columns, Error> {
        // Tiles are multiplied in twos.
        let columns = columns.next_multiple_of(2 * ROWS);
        let (bytes, brain) = kinds(forms);
        let when = |wanted: bool, each: usize| if wanted { columns * each } else { 0 };
        Ok(Columns {
            q: Buffer::zeroed(when(bytes, cols.next_multiple_of(ROW_BYTES)))?,
            scales: Buffer::zeroed(when(bytes, cols.div_ceil(BLOCK)))?,
            brain: Buffer::zeroed(when(brain, cols.next_multiple_of(ROW_BRAINS) / 2))?,
        })
    }

    /// Bytes of that; saturates.
    pub(crate) fn bytes(columns: usize, cols: usize, forms: Forms) -> u64 {
        let columns = columns.checked_next_multiple_of(2 * ROWS).unwrap_or(usize::MAX) as u64;
        let when = |wanted: bool, each: usize| if wanted { each as u64 } else { 0 };
        let (bytes, brain) = kinds(forms);
        let int8 = when(bytes, cols.next_multiple_of(ROW_BYTES) + 4 * cols.div_ceil(BLOCK));
        let brain = when(brain, 2 * cols.next_multiple_of(ROW_BRAINS));
        columns.saturating_mul(int8 + brain)
    }

    /// Stores up to eight columns of `cols` values as the tile'th eight, in the forms that are a matrix unit's.
    ///
    /// # Safety
    /// Nobody else reads or writes these columns meanwhile.
    pub(crate) unsafe fn fill(
        &self,
        isa: Isa,
        tile: usize,
        columns: &[f32],
        cols: usize,
        forms: Forms,
    ) {
        let (bytes, brain) = kinds(forms);
        for (i, x) in columns.chunks_exact(cols).enumerate() {
            if bytes {
                // SAFETY: the column is the caller's.
                unsafe { self.put(isa, tile * TILE + i, x) };
            }
            if brain {
                // SAFETY: the column is the caller's.
                unsafe { self.put_brain(isa, tile * TILE + i, x) };
            }
        }
    }

    /// Stores a column in 8 bits.
    ///
    /// # Safety
    /// Nobody else reads or writes it meanwhile.
    unsafe fn put(&self, isa: Isa, column: usize, x: &[f32]) {
        let first = place(column, x.len().div_ceil(ROW_BYTES)) * ROW_BYTES;
        let mut line = [0; BLOCK];
        for (b, block) in x.chunks(BLOCK).enumerate() {
            line[block.len()..].fill(0);
            let scale = quantise(isa, block, &mut line[..block.len()]);
            let strips = line.as_chunks::<ROW_BYTES>().0;
            for (i, strip) in strips[..block.len().div_ceil(ROW_BYTES)].iter().enumerate() {
                let at = first + (b * BLOCK / ROW_BYTES + i) * ROWS * ROW_BYTES;
                // SAFETY: the column is the caller's.
                unsafe { self.q.write(at..at + ROW_BYTES) }.copy_from_slice(strip);
            }
            let at = (column / TILE * x.len().div_ceil(BLOCK) + b) * TILE + column % TILE;
            // SAFETY: the column is the caller's.
            unsafe { self.scales.set(at, scale) };
        }
    }

    /// Stores a column in bf16.
    ///
    /// # Safety
    /// Nobody else reads or writes it meanwhile.
    unsafe fn put_brain(&self, isa: Isa, column: usize, x: &[f32]) {
        let first = place(column, x.len().div_ceil(ROW_BRAINS)) * ROW_WORDS;
        for (i, strip) in x.chunks(ROW_BRAINS).enumerate() {
            let at = first + i * ROWS * ROW_WORDS;
            // SAFETY: the column is the caller's.
            let to = unsafe { self.brain.write(at..at + ROW_WORDS) };
            to.fill(0);
            brain(isa, strip, to);
        }
    }

    /// The tiles of 16 columns of `cols` values, of those that begin at a multiple of a tile's row: consecutive, 1024 bytes each.
    /// In 8 bits.
    ///
    /// # Safety
    /// Nobody writes them meanwhile.
    pub(super) unsafe fn bytes_of(&self, tile: usize, cols: usize, deep: &Range<usize>) -> &[u8] {
        let first = place(tile * ROWS, cols.div_ceil(ROW_BYTES)) * ROW_BYTES;
        let tiles = deep.start / ROW_BYTES..deep.end.div_ceil(ROW_BYTES);
        let of = |tile: usize| first + tile * ROWS * ROW_BYTES;
        // SAFETY: not written (the caller).
        let q = unsafe { self.q.read(of(tiles.start)..of(tiles.end)) };
        // SAFETY: the same bytes as unsigned ones.
        unsafe { std::slice::from_raw_parts(q.as_ptr().cast(), q.len()) }
    }

    /// As [`Columns::bytes_of`], in bf16.
    ///
    /// # Safety
    /// As there.
    pub(super) unsafe fn brains_of(&self, tile: usize, cols: usize, deep: &Range<usize>) -> &[u8] {
        let first = place(tile * ROWS, cols.div_ceil(ROW_BRAINS)) * ROW_WORDS;
        let tiles = deep.start / ROW_BRAINS..deep.end.div_ceil(ROW_BRAINS);
        let of = |tile: usize| first + tile * ROWS * ROW_WORDS;
        // SAFETY: not written (the caller).
        let words = unsafe { self.brain.read(of(tiles.start)..of(tiles.end)) };
        // SAFETY: the bytes of the words.
        unsafe { std::slice::from_raw_parts(words.as_ptr().cast(), words.len() * 4) }
    }

    /// Scales of eight columns of `cols` values in a block.
    ///
    /// # Safety
    /// Nobody writes them meanwhile.
    pub(super) unsafe fn scales_of(&self, tile: usize, cols: usize, block: usize) -> &[f32; TILE] {
        let at = (tile * cols.div_ceil(BLOCK) + block) * TILE;
        // SAFETY: not written (the caller).
        unsafe { self.scales.read(at..at + TILE) }.as_array().expect("eight of them")
    }
}

/// Whether there are columns in 8 bits, and in bf16.
fn kinds(forms: Forms) -> (bool, bool) {
    (forms.matrix && forms.bytes(), forms.matrix && forms.brain)
}

/// Rows of tiles before a column's first, when a column takes `tiles`.
fn place(column: usize, tiles: usize) -> usize {
    column / ROWS * ROWS * tiles + column % ROWS
}

/// Adding and subtracting this rounds to the nearest integer, ties to even, for |x| < 2^22.
const ROUND: f32 = 12_582_912.0;

per_isa! {
    /// Values in 8 bits under one scale, which is returned; no number if one of them is none.
    fn quantise(x: &[f32], q: &mut [i8]) -> f32 = quantise_body;
}

#[inline(always)]
fn quantise_body(x: &[f32], q: &mut [i8]) -> f32 {
    // Absolute values compare as integers, and so a NaN wins.
    let largest = x.iter().fold(0_u32, |most, x| most.max(x.to_bits() & 0x7FFF_FFFF));
    let largest = f32::from_bits(largest);
    let inverse = if largest > 0.0 { 127.0 / largest } else { 0.0 };
    for (q, x) in q.iter_mut().zip(x) {
        *q = (x * inverse + ROUND).to_bits() as i8;
    }
    if largest.is_finite() { largest / 127.0 } else { f32::NAN }
}

per_isa! {
    /// Values in bf16, two to a word; of an odd count the last is paired with zero.
    fn brain(x: &[f32], words: &mut [u32]) = brain_body;
}

#[inline(always)]
fn brain_body(x: &[f32], words: &mut [u32]) {
    for (two, to) in x.chunks(2).zip(words) {
        *to = word(two[0], two.get(1).copied().unwrap_or(0.0));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BOTH: Forms = Forms { int8: true, wide: false, float: false, brain: true, matrix: true };

    proptest! {
        /// Every value is found where a tile's row has it, within half a step; what pads a row is zero.
        #[test]
        fn columns_are_laid_out_as_tiles(
            columns in 1..40_usize,
            cols in 1..600_usize,
            seed in any::<u32>(),
        ) {
            let value = |c: usize, k: usize| {
                let mixed = (c * 7919 + k * 104_729 + seed as usize).wrapping_mul(2_654_435_761);
                (mixed >> 7 & 0xFFFF) as f32 / 655.36 - 50.0
            };
            for isa in Isa::usable() {
                let all = Columns::new(columns, cols, BOTH).unwrap();
                for c in 0..columns {
                    let x: Vec<f32> = (0..cols).map(|k| value(c, k)).collect();
                    // SAFETY: nobody else has them.
                    unsafe {
                        all.put(isa, c, &x);
                        all.put_brain(isa, c, &x);
                    }
                }
                for c in 0..columns {
                    // SAFETY: written above.
                    let (q, b) = unsafe {
                        (all.bytes_of(c / 16, cols, &(0..cols)), all.brains_of(c / 16, cols, &(0..cols)))
                    };
                    for k in 0..cols.next_multiple_of(64) {
                        let q = q[k / 64 * 1024 + c % 16 * 64 + k % 64] as i8;
                        if k >= cols {
                            prop_assert_eq!(q, 0);
                            continue;
                        }
                        // SAFETY: written above.
                        let scale = unsafe { all.scales_of(c / 8, cols, k / 256)[c % 8] };
                        prop_assert!((f32::from(q) * scale - value(c, k)).abs() <= scale * 0.501);
                        let at = k / 32 * 1024 + c % 16 * 64 + k % 32 * 2;
                        let found = half::bf16::from_le_bytes([b[at], b[at + 1]]);
                        prop_assert_eq!(found, half::bf16::from_f32(value(c, k)));
                    }
                }
            }
        }
    }

    #[test]
    fn a_value_that_is_no_number_makes_the_scale_none() {
        for isa in Isa::usable() {
            for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                let mut q = [0; 32];
                let mut x = [1.0; 32];
                x[17] = bad;
                assert!(quantise(isa, &x, &mut q).is_nan());
                assert_eq!(quantise(isa, &[0.0; 32], &mut q), 0.0);
                assert_eq!(q, [0; 32]);
            }
        }
    }
}
