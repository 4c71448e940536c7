//! Inputs of the matrix kernels: a few rows for decode, or tiles of eight columns for prefill.

use std::ops::Range;

use yardstick_api::Error;

use super::Isa;
use super::float::brain_column;
use super::quantise::{BLOCK, RowMut, TILE, TileMut, quantise_row, quantise_tile};
use super::wide::{self, Wide, WideMut};
use crate::amx;
use crate::buffer::Buffer;

/// Which forms of an input its consumers read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Forms {
    /// 8 bits with a scale per 32.
    pub(crate) int8: bool,
    /// 8 bits; many columns with a scale per 256, few as [`Forms::int8`].
    pub(crate) wide: bool,
    /// As they are.
    pub(crate) float: bool,
    /// Many columns in bf16, few as they are.
    pub(crate) brain: bool,
    /// Many columns of all these but [`Forms::float`] are for a matrix unit, and those with a scale per 32 are two planes there.
    pub(crate) matrix: bool,
}

impl Forms {
    /// Both sets.
    pub(crate) fn and(self, other: Forms) -> Forms {
        Forms {
            int8: self.int8 || other.int8,
            wide: self.wide || other.wide,
            float: self.float || other.float,
            brain: self.brain || other.brain,
            matrix: self.matrix || other.matrix,
        }
    }

    /// Of so many columns, those that vectors read.
    fn on_vectors(self, columns: usize) -> usize {
        if self.matrix { 0 } else { columns }
    }

    /// Some in 8 bits.
    pub(crate) fn bytes(self) -> bool {
        self.int8 || self.wide
    }

    /// Some that meet weights as floats.
    pub(crate) fn floats(self) -> bool {
        self.float || self.brain
    }
}

/// Row length after padding to what the widest kernel reads at once.
fn padded(cols: usize) -> usize {
    cols.next_multiple_of(64)
}

/// A few rows, private to a thread.
pub(crate) struct Rows {
    cols: usize,
    float: Buffer<f32>,
    q: Buffer<i8>,
    lanes: Buffer<f32>,
    fours: Buffer<i32>,
    sums: Buffer<f32>,
    scale: Buffer<f32>,
    less: Buffer<i32>,
    more: Buffer<f32>,
}

/// One row as the kernels read it; K is the padded length, and the padding is zero.
#[derive(Clone, Copy)]
pub(crate) struct Row<'a> {
    /// (cols)
    pub(crate) float: &'a [f32],
    /// (K)
    pub(crate) q: &'a [i8],
    /// Scale of each 4, (K / 4)
    pub(crate) lanes: &'a [f32],
    /// Minus the sum of each 4, (K / 4)
    pub(crate) fours: &'a [i32],
    /// Scale times sum of each 16, (K / 16)
    pub(crate) sums: &'a [f32],
    /// Scale of each 32, (K / 32)
    pub(crate) scale: &'a [f32],
    /// Minus the sums of each 16, and of each 32: (K / 32, 3)
    pub(crate) less: &'a [i32],
    /// Scale times sum of each 16, and of each 32: (K / 32, 3)
    pub(crate) more: &'a [f32],
}

impl Rows {
    /// Room for `count` rows of up to `cols`.
    pub(crate) fn new(count: usize, cols: usize) -> Result<Rows, Error> {
        let all = count * padded(cols);
        Ok(Rows {
            cols,
            float: Buffer::zeroed(all)?,
            q: Buffer::zeroed(all)?,
            lanes: Buffer::zeroed(all / 4)?,
            fours: Buffer::zeroed(all / 4)?,
            sums: Buffer::zeroed(all / 16)?,
            scale: Buffer::zeroed(all / 32)?,
            less: Buffer::zeroed(all / 32 * 3)?,
            more: Buffer::zeroed(all / 32 * 3)?,
        })
    }

    /// Bytes of `count` rows of `cols`.
    pub(crate) fn bytes(count: usize, cols: usize) -> u64 {
        (count as u64) * (padded(cols) as u64) * 65 / 8
    }

    /// Sets the length of the rows that follow.
    pub(crate) fn reset(&mut self, cols: usize) {
        self.cols = cols;
    }

    /// Stores a row in the forms asked for.
    pub(crate) fn fill(&mut self, isa: Isa, row: usize, x: &[f32], forms: Forms) {
        let (cols, k) = (self.cols, padded(self.cols));
        assert_eq!(x.len(), cols);
        if forms.floats() {
            self.float.all_mut()[row * k..][..cols].copy_from_slice(x);
        }
        if forms.bytes() {
            let mut to = RowMut {
                q: &mut self.q.all_mut()[row * k..][..k],
                lanes: &mut self.lanes.all_mut()[row * k / 4..][..k / 4],
                fours: &mut self.fours.all_mut()[row * k / 4..][..k / 4],
                sums: &mut self.sums.all_mut()[row * k / 16..][..k / 16],
                scale: &mut self.scale.all_mut()[row * k / 32..][..k / 32],
                less: &mut self.less.all_mut()[row * k / 32 * 3..][..k / 32 * 3],
                more: &mut self.more.all_mut()[row * k / 32 * 3..][..k / 32 * 3],
            };
            let blocks = cols / BLOCK;
            quantise_row(isa, &x[..blocks * BLOCK], &mut to);
            to.q[blocks * BLOCK..].fill(0);
            to.lanes[blocks * 8..].fill(0.0);
            to.fours[blocks * 8..].fill(0);
            to.sums[blocks * 2..].fill(0.0);
            to.scale[blocks..].fill(0.0);
            to.less[blocks * 3..].fill(0);
            to.more[blocks * 3..].fill(0.0);
        }
    }

    /// A row stored before.
    pub(crate) fn row(&self, row: usize) -> Row<'_> {
        let (cols, k) = (self.cols, padded(self.cols));
        // SAFETY: writing needs `&mut self`.
        unsafe {
            Row {
                float: self.float.read(row * k..row * k + cols),
                q: self.q.read(row * k..(row + 1) * k),
                lanes: self.lanes.read(row * k / 4..(row + 1) * k / 4),
                fours: self.fours.read(row * k / 4..(row + 1) * k / 4),
                sums: self.sums.read(row * k / 16..(row + 1) * k / 16),
                scale: self.scale.read(row * k / 32..(row + 1) * k / 32),
                less: self.less.read(row * k / 32 * 3..(row + 1) * k / 32 * 3),
                more: self.more.read(row * k / 32 * 3..(row + 1) * k / 32 * 3),
            }
        }
    }
}

/// Many columns in tiles of eight, shared by the crew; the last tile is filled up with zeros.
pub(crate) struct Tiles {
    float: Buffer<f32>,
    q: Buffer<i8>,
    scale: Buffer<f32>,
    less: Buffer<i32>,
    sums: Buffer<f32>,
    wide_q: Buffer<u8>,
    wide_scale: Buffer<f32>,
    brain: Buffer<u32>,
    matrix: amx::Columns,
}

/// One tile as the kernels read it; b = K / 32 blocks.
#[derive(Clone, Copy)]
pub(crate) struct Tile<'a> {
    /// (K, 8 columns)
    pub(crate) float: &'a [f32],
    /// (b, 8 groups of 4, 8 columns, 4)
    pub(crate) q: &'a [i8],
    /// (b, 8)
    pub(crate) scale: &'a [f32],
    /// Minus the sums of each 16, and of each 32: (b, 3, 8)
    pub(crate) less: &'a [i32],
    /// Scale times sum of each 16, and of each 32: (b, 3, 8)
    pub(crate) sums: &'a [f32],
    /// Two bf16 a word: (K / 2, 8 columns)
    pub(crate) brain: &'a [u32],
    /// Bytes from a value in `q` to that of the next tile, to prefetch it
    #[cfg_attr(not(target_arch = "x86_64"), allow(dead_code, reason = "for vector kernels"))]
    pub(crate) next: usize,
}

impl<'a> Tile<'a> {
    /// The tile's values from `k`, a multiple of 32, on.
    pub(crate) fn from(&self, k: usize) -> Tile<'a> {
        fn after<T>(values: &[T], at: usize) -> &[T] {
            values.get(at..).unwrap_or_default()
        }
        let b = k / BLOCK;
        Tile {
            float: after(self.float, k * TILE),
            q: after(self.q, k * TILE),
            scale: after(self.scale, b * TILE),
            less: after(self.less, b * 3 * TILE),
            sums: after(self.sums, b * 3 * TILE),
            brain: after(self.brain, k / 2 * TILE),
            next: self.next,
        }
    }
}

/// Part of a buffer for tile `tile` when a tile takes `each` elements.
fn part(tile: usize, each: usize) -> Range<usize> {
    tile * each..(tile + 1) * each
}

impl Tiles {
    /// Room for `columns` columns of up to `cols` values in these forms.
    pub(crate) fn new(columns: usize, cols: usize, forms: Forms) -> Result<Tiles, Error> {
        let matrix = amx::Columns::new(columns, cols, forms)?;
        let float = columns.next_multiple_of(TILE) * cols;
        let columns = forms.on_vectors(columns).next_multiple_of(TILE);
        let int8 = columns * cols.next_multiple_of(BLOCK);
        let scales = columns * cols.div_ceil(wide::BLOCK);
        let when = |wanted: bool, n: usize| if wanted { n } else { 0 };
        Ok(Tiles {
            float: Buffer::zeroed(when(forms.float, float))?,
            q: Buffer::zeroed(when(forms.int8, int8))?,
            scale: Buffer::zeroed(when(forms.int8, int8 / 32))?,
            less: Buffer::zeroed(when(forms.int8, int8 / 32 * 3))?,
            sums: Buffer::zeroed(when(forms.int8, int8 / 32 * 3))?,
            wide_q: Buffer::zeroed(when(forms.wide, int8))?,
            wide_scale: Buffer::zeroed(when(forms.wide, scales))?,
            brain: Buffer::zeroed(when(forms.brain, columns * cols.div_ceil(2)))?,
            matrix,
        })
    }

    /// Bytes of that.
    pub(crate) fn bytes(columns: usize, cols: usize, forms: Forms) -> u64 {
        let matrix = amx::Columns::bytes(columns, cols, forms);
        let tiles =
            |columns: usize| columns.checked_next_multiple_of(TILE).unwrap_or(usize::MAX) as u64;
        let all = tiles(columns).saturating_mul(cols as u64);
        let float = if forms.float { all.saturating_mul(4) } else { 0 };
        let columns = tiles(forms.on_vectors(columns));
        let all = columns.saturating_mul(cols as u64);
        let int8 = if forms.int8 { all.saturating_add(all / 32 * 28) } else { 0 };
        let scales = columns.saturating_mul(cols.div_ceil(wide::BLOCK) as u64 * 4);
        let wide = if forms.wide { all.saturating_add(scales) } else { 0 };
        let brain =
            if forms.brain { columns.saturating_mul(cols.div_ceil(2) as u64 * 4) } else { 0 };
        [float, int8, wide, brain, matrix].into_iter().fold(0, u64::saturating_add)
    }

    /// Stores up to eight rows of `cols` as tile `tile`.
    ///
    /// # Safety
    /// Nobody else reads or writes this tile meanwhile.
    pub(crate) unsafe fn fill(
        &self,
        isa: Isa,
        tile: usize,
        rows: &[f32],
        cols: usize,
        forms: Forms,
    ) {
        let blocks = cols / BLOCK;
        if forms.float {
            // SAFETY: the tile is the caller's.
            let float = unsafe { self.float.write(part(tile, cols * TILE)) };
            float.fill(0.0);
            for (column, row) in rows.chunks_exact(cols).enumerate() {
                for (k, &value) in row.iter().enumerate() {
                    float[k * TILE + column] = value;
                }
            }
        }
        if forms.matrix {
            // SAFETY: the tile is the caller's.
            return unsafe { self.matrix.fill(isa, tile, rows, cols, forms) };
        }
        if forms.int8 {
            // SAFETY: the tile is the caller's.
            let mut parts = unsafe {
                TileMut {
                    q: self.q.write(part(tile, blocks * BLOCK * TILE)),
                    scale: self.scale.write(part(tile, blocks * TILE)),
                    less: self.less.write(part(tile, blocks * 3 * TILE)),
                    sums: self.sums.write(part(tile, blocks * 3 * TILE)),
                }
            };
            quantise_tile(isa, rows, cols, &mut parts);
        }
        if forms.brain {
            // SAFETY: the tile is the caller's.
            let words = unsafe { self.brain.write(part(tile, cols.div_ceil(2) * TILE)) };
            words.fill(0);
            for (column, row) in rows.chunks_exact(cols).enumerate() {
                brain_column(isa, row, words, column);
            }
        }
        if forms.wide {
            // SAFETY: the tile is the caller's.
            unsafe { self.fill_wide(isa, tile, rows, cols) };
        }
    }

    /// Columns stored before for a matrix unit.
    pub(crate) fn matrix(&self) -> &amx::Columns {
        &self.matrix
    }

    /// As [`Tiles::fill`].
    ///
    /// # Safety
    /// As there.
    unsafe fn fill_wide(&self, isa: Isa, tile: usize, rows: &[f32], cols: usize) {
        // SAFETY: the tile is the caller's.
        let mut parts = unsafe {
            WideMut {
                q: self.wide_q.write(part(tile, cols * TILE)),
                scale: self.wide_scale.write(part(tile, cols.div_ceil(wide::BLOCK) * TILE)),
            }
        };
        if rows.len() < cols * TILE {
            parts.q.fill(0);
            parts.scale.fill(0.0);
        }
        for (column, row) in rows.chunks_exact(cols).enumerate() {
            wide::quantise_column(isa, row, &mut parts, column);
        }
    }

    /// A tile stored before in the wide form, with rows of `cols`.
    ///
    /// # Safety
    /// Nobody writes this tile meanwhile.
    pub(crate) unsafe fn wide(&self, tile: usize, cols: usize) -> Wide<'_> {
        // SAFETY: not written (the caller).
        unsafe {
            Wide {
                q: self.wide_q.read(part(tile, cols * TILE)),
                scale: self.wide_scale.read(part(tile, cols.div_ceil(wide::BLOCK) * TILE)),
                next: cols * TILE,
            }
        }
    }

    /// A tile stored before, with rows of `cols`; forms not stored are empty.
    ///
    /// # Safety
    /// Nobody writes this tile meanwhile.
    pub(crate) unsafe fn tile(&self, tile: usize, cols: usize, forms: Forms) -> Tile<'_> {
        let blocks = cols / BLOCK;
        let when = |wanted: bool, each: usize| if wanted { part(tile, each) } else { 0..0 };
        // SAFETY: not written (the caller).
        unsafe {
            Tile {
                float: self.float.read(when(forms.float, cols * TILE)),
                q: self.q.read(when(forms.int8, blocks * BLOCK * TILE)),
                scale: self.scale.read(when(forms.int8, blocks * TILE)),
                less: self.less.read(when(forms.int8, blocks * 3 * TILE)),
                sums: self.sums.read(when(forms.int8, blocks * 3 * TILE)),
                brain: self.brain.read(when(forms.brain, cols.div_ceil(2) * TILE)),
                next: blocks * BLOCK * TILE,
            }
        }
    }
}
