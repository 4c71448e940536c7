//! Many columns as tiles of 16 rows of 64 bytes, as the weights that they meet have them: two planes of bytes under one scale per
//! column and 512 values, one plane with one per 256, or bf16.

use std::ops::Range;

use yardstick_api::Error;

use super::planes::{LOW, MOST, PLACES, ROUND as UP};
use super::unit::{ROW_BYTES, ROWS};
use crate::buffer::Buffer;
use crate::kernels::activations::Forms;
use crate::kernels::float::word;
use crate::kernels::integer::DEPTH;
use crate::kernels::isa::per_isa;
use crate::kernels::wide::{inverse, step};
use crate::kernels::{Isa, TILE};

/// Values that share a scale: of two planes, which are so fine that it need not fit closer, and of one.
pub(super) const FOLDED: usize = DEPTH;
pub(super) const BLOCK: usize = 256;
/// 32-bit words of a row of a tile, and the bf16 in them.
const ROW_WORDS: usize = ROW_BYTES / 4;
const ROW_BRAINS: usize = ROW_BYTES / 2;

/// Columns of a chunk, shared by the crew; K is their length padded with zeros to whole rows of a tile.
pub(crate) struct Columns {
    /// Upper and lower, each (columns / 16, K / 64, 16, 64)
    folded: [Buffer<i8>; 2],
    /// (columns / 8, blocks of 512, 8)
    folded_scales: Buffer<f32>,
    /// (columns / 16, K / 64, 16, 64)
    wide: Buffer<i8>,
    /// (columns / 8, blocks of 256, 8)
    wide_scales: Buffer<f32>,
    /// Two bf16 a word, (columns / 16, K / 32, 16, 16)
    brain: Buffer<u32>,
}

impl Columns {
    /// Room for `columns` columns of up to `cols` values in the forms that are a matrix unit's.
    pub(crate) fn new(columns: usize, cols: usize, forms: Forms) -> Result<Columns, Error> {
        // Tiles are multiplied in twos.
        let columns = columns.next_multiple_of(2 * ROWS);
        let when = |wanted: bool, each: usize| {
            if wanted && forms.matrix { columns * each } else { 0 }
        };
        let bytes = cols.next_multiple_of(ROW_BYTES);
        Ok(Columns {
            folded: [
                Buffer::zeroed(when(forms.int8, bytes))?,
                Buffer::zeroed(when(forms.int8, bytes))?,
            ],
            folded_scales: Buffer::zeroed(when(forms.int8, cols.div_ceil(FOLDED)))?,
            wide: Buffer::zeroed(when(forms.wide, bytes))?,
            wide_scales: Buffer::zeroed(when(forms.wide, cols.div_ceil(BLOCK)))?,
            brain: Buffer::zeroed(when(forms.brain, cols.next_multiple_of(ROW_BRAINS) / 2))?,
        })
    }

    /// Bytes of that; saturates.
    pub(crate) fn bytes(columns: usize, cols: usize, forms: Forms) -> u64 {
        let columns = columns.checked_next_multiple_of(2 * ROWS).unwrap_or(usize::MAX) as u64;
        let when = |wanted: bool, each: usize| {
            if wanted && forms.matrix { each as u64 } else { 0 }
        };
        let bytes = cols.next_multiple_of(ROW_BYTES);
        let folded = when(forms.int8, 2 * bytes + 4 * cols.div_ceil(FOLDED));
        let wide = when(forms.wide, bytes + 4 * cols.div_ceil(BLOCK));
        let brain = when(forms.brain, 2 * cols.next_multiple_of(ROW_BRAINS));
        columns.saturating_mul(folded + wide + brain)
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
        for (i, x) in columns.chunks_exact(cols).enumerate() {
            let column = tile * TILE + i;
            // SAFETY: the column is the caller's.
            unsafe {
                if forms.int8 {
                    self.put_folded(isa, column, x);
                }
                if forms.wide {
                    self.put_wide(isa, column, x);
                }
                if forms.brain {
                    self.put_brain(isa, column, x);
                }
            }
        }
    }

    /// Stores a column in two planes.
    ///
    /// # Safety
    /// Nobody else reads or writes it meanwhile.
    unsafe fn put_folded(&self, isa: Isa, column: usize, x: &[f32]) {
        let (mut high, mut low) = ([0; FOLDED], [0; FOLDED]);
        for (b, block) in x.chunks(FOLDED).enumerate() {
            let n = block.len();
            let scale = quantise_in_two(isa, block, &mut high[..n], &mut low[..n]);
            let at = scale_place(column, x.len().div_ceil(FOLDED), b);
            // SAFETY: the column is the caller's.
            unsafe {
                put_strips(&self.folded[0], column, x.len(), b * FOLDED, &high[..n]);
                put_strips(&self.folded[1], column, x.len(), b * FOLDED, &low[..n]);
                self.folded_scales.set(at, scale);
            }
        }
    }

    /// Stores a column in one plane.
    ///
    /// # Safety
    /// Nobody else reads or writes it meanwhile.
    unsafe fn put_wide(&self, isa: Isa, column: usize, x: &[f32]) {
        let mut line = [0; BLOCK];
        for (b, block) in x.chunks(BLOCK).enumerate() {
            let n = block.len();
            let scale = quantise(isa, block, &mut line[..n]);
            let at = scale_place(column, x.len().div_ceil(BLOCK), b);
            // SAFETY: the column is the caller's.
            unsafe {
                put_strips(&self.wide, column, x.len(), b * BLOCK, &line[..n]);
                self.wide_scales.set(at, scale);
            }
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
    /// Upper and lower plane.
    ///
    /// # Safety
    /// Nobody writes them meanwhile.
    pub(super) unsafe fn folded_of(
        &self,
        tile: usize,
        cols: usize,
        deep: &Range<usize>,
    ) -> [&[u8]; 2] {
        // SAFETY: not written (the caller).
        self.folded.each_ref().map(|plane| unsafe { strips(plane, tile, cols, deep) })
    }

    /// As [`Columns::folded_of`], of one plane.
    ///
    /// # Safety
    /// As there.
    pub(super) unsafe fn wide_of(&self, tile: usize, cols: usize, deep: &Range<usize>) -> &[u8] {
        // SAFETY: not written (the caller).
        unsafe { strips(&self.wide, tile, cols, deep) }
    }

    /// As [`Columns::folded_of`], in bf16.
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

    /// Scales of eight columns of `cols` values in a block of two planes.
    ///
    /// # Safety
    /// Nobody writes them meanwhile.
    pub(super) unsafe fn folded_scales(
        &self,
        eight: usize,
        cols: usize,
        block: usize,
    ) -> &[f32; TILE] {
        // SAFETY: not written (the caller).
        unsafe { eight_of(&self.folded_scales, eight, cols.div_ceil(FOLDED), block) }
    }

    /// The same of one plane.
    ///
    /// # Safety
    /// Nobody writes them meanwhile.
    pub(super) unsafe fn wide_scales(
        &self,
        eight: usize,
        cols: usize,
        block: usize,
    ) -> &[f32; TILE] {
        // SAFETY: not written (the caller).
        unsafe { eight_of(&self.wide_scales, eight, cols.div_ceil(BLOCK), block) }
    }
}

/// Rows of tiles before a column's first, when a column takes `tiles`.
fn place(column: usize, tiles: usize) -> usize {
    column / ROWS * ROWS * tiles + column % ROWS
}

/// Where a column's scale of a block is, when it has `blocks`.
fn scale_place(column: usize, blocks: usize, block: usize) -> usize {
    (column / TILE * blocks + block) * TILE + column % TILE
}

/// Scales of eight columns that have `blocks` each.
///
/// # Safety
/// Nobody writes them meanwhile.
unsafe fn eight_of(
    scales: &Buffer<f32>,
    eight: usize,
    blocks: usize,
    block: usize,
) -> &[f32; TILE] {
    let at = scale_place(eight * TILE, blocks, block);
    // SAFETY: not written (the caller).
    unsafe { scales.read(at..at + TILE) }.as_array().expect("eight of them")
}

/// Stores values from `k` on of a column of `cols`; zeros fill up the last row of a tile.
///
/// # Safety
/// Nobody else reads or writes the column meanwhile.
unsafe fn put_strips(to: &Buffer<i8>, column: usize, cols: usize, k: usize, values: &[i8]) {
    let first = place(column, cols.div_ceil(ROW_BYTES)) + k / ROW_BYTES * ROWS;
    for (i, strip) in values.chunks(ROW_BYTES).enumerate() {
        let at = (first + i * ROWS) * ROW_BYTES;
        // SAFETY: the column is the caller's.
        let to = unsafe { to.write(at..at + ROW_BYTES) };
        to[..strip.len()].copy_from_slice(strip);
        to[strip.len()..].fill(0);
    }
}

/// The tiles of 16 columns.
///
/// # Safety
/// Nobody writes them meanwhile.
unsafe fn strips<'a>(
    plane: &'a Buffer<i8>,
    tile: usize,
    cols: usize,
    deep: &Range<usize>,
) -> &'a [u8] {
    let first = place(tile * ROWS, cols.div_ceil(ROW_BYTES)) * ROW_BYTES;
    let tiles = deep.start / ROW_BYTES..deep.end.div_ceil(ROW_BYTES);
    let of = |tile: usize| first + tile * ROWS * ROW_BYTES;
    // SAFETY: not written (the caller).
    let q = unsafe { plane.read(of(tiles.start)..of(tiles.end)) };
    // SAFETY: the same bytes as unsigned ones.
    unsafe { std::slice::from_raw_parts(q.as_ptr().cast(), q.len()) }
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
    /// Values as `scale * (64 * high + low)`; the scale is returned, no number if one of them is none.
    fn quantise_in_two(x: &[f32], high: &mut [i8], low: &mut [i8]) -> f32 = quantise_in_two_body;
}

#[inline(always)]
fn quantise_in_two_body(x: &[f32], high: &mut [i8], low: &mut [i8]) -> f32 {
    let largest = x.iter().fold(0_u32, |most, x| most.max(x.to_bits() & 0x7FFF_FFFF));
    let largest = f32::from_bits(largest);
    let inverse = inverse(largest, MOST);
    for ((high, low), x) in high.iter_mut().zip(low).zip(x) {
        let bits = (x * inverse + UP).to_bits();
        *high = (bits >> PLACES) as i8;
        *low = (bits & (LOW - 1)) as i8 - (LOW / 2) as i8;
    }
    step(largest, MOST)
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

    const ALL: Forms = Forms { int8: true, wide: true, float: false, brain: true, matrix: true };

    proptest! {
        /// Every value is found where a tile's row has it, within half a step; what pads a row is zero.
        #[test]
        fn columns_are_laid_out_as_tiles(
            columns in 1..40_usize,
            cols in 1..1200_usize,
            seed in any::<u32>(),
        ) {
            let value = |c: usize, k: usize| {
                let mixed = (c * 7919 + k * 104_729 + seed as usize).wrapping_mul(2_654_435_761);
                (mixed >> 7 & 0xFFFF) as f32 / 655.36 - 50.0
            };
            for isa in Isa::usable() {
                let all = Columns::new(columns, cols, ALL).unwrap();
                for tile in 0..columns.div_ceil(TILE) {
                    let here = tile * TILE..((tile + 1) * TILE).min(columns);
                    let x: Vec<f32> = here.flat_map(|c| (0..cols).map(move |k| value(c, k))).collect();
                    // SAFETY: nobody else has them.
                    unsafe { all.fill(isa, tile, &x, cols, ALL) };
                }
                for c in 0..columns {
                    let (tile, deep) = (c / ROWS, 0..cols);
                    // SAFETY: written above.
                    let ([high, low], wide, brain) = unsafe {
                        (
                            all.folded_of(tile, cols, &deep),
                            all.wide_of(tile, cols, &deep),
                            all.brains_of(tile, cols, &deep),
                        )
                    };
                    for k in 0..cols.next_multiple_of(ROW_BYTES) {
                        let at = k / 64 * 1024 + c % 16 * 64 + k % 64;
                        let (high, low, wide) = (high[at] as i8, low[at] as i8, wide[at] as i8);
                        if k >= cols {
                            prop_assert_eq!((high, low, wide), (0, 0, 0));
                            continue;
                        }
                        // SAFETY: written above.
                        let (fine, coarse) = unsafe {
                            (
                                all.folded_scales(c / TILE, cols, k / FOLDED)[c % TILE],
                                all.wide_scales(c / TILE, cols, k / BLOCK)[c % TILE],
                            )
                        };
                        prop_assert!((-127..=127).contains(&high) && (-32..=31).contains(&low));
                        let found = fine * (64.0 * f32::from(high) + f32::from(low));
                        prop_assert!((found - value(c, k)).abs() <= fine * 0.51);
                        prop_assert!((f32::from(wide) * coarse - value(c, k)).abs() <= coarse * 0.501);
                        let at = k / 32 * 1024 + c % 16 * 64 + k % 32 * 2;
                        let found = half::bf16::from_le_bytes([brain[at], brain[at + 1]]);
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
                let mut low = [0; 32];
                assert!(quantise(isa, &x, &mut q).is_nan());
                assert!(quantise_in_two(isa, &x, &mut q, &mut low).is_nan());
                assert_eq!(quantise_in_two(isa, &[0.0; 32], &mut q, &mut low), 0.0);
                assert_eq!((q, low), ([0; 32], [0; 32]));
                assert_eq!(quantise(isa, &[0.0; 32], &mut q), 0.0);
                assert_eq!(q, [0; 32]);
            }
        }
    }
}
