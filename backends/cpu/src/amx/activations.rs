//! Many columns as tiles of 16 rows of 64 bytes, 8 bits with one scale per row and 256 values.

use std::ops::Range;

use yardstick_api::Error;

use super::unit::{ROW_BYTES, ROWS};
use crate::buffer::Buffer;

/// Values that share a scale.
pub(super) const BLOCK: usize = 256;

/// Rows of a chunk, shared by the crew.
pub(crate) struct Activations {
    /// (rows / 16, K / 64, 16, 64), K the row length padded with zeros
    q: Buffer<i8>,
    /// (rows, K / 256)
    scales: Buffer<f32>,
}

/// Bytes and scales of a row of `cols`, padded.
fn row_len(cols: usize) -> (usize, usize) {
    (cols.next_multiple_of(ROW_BYTES), cols.div_ceil(BLOCK))
}

impl Activations {
    /// Room for `rows` rows of up to `cols`.
    pub(crate) fn new(rows: usize, cols: usize) -> Result<Activations, Error> {
        // Tiles are multiplied in twos.
        let rows = rows.next_multiple_of(2 * ROWS);
        let (bytes, scales) = row_len(cols);
        Ok(Activations { q: Buffer::zeroed(rows * bytes)?, scales: Buffer::zeroed(rows * scales)? })
    }

    /// Bytes of that.
    pub(crate) fn bytes(rows: usize, cols: usize) -> u64 {
        let rows = rows.checked_next_multiple_of(2 * ROWS).unwrap_or(usize::MAX) as u64;
        let (bytes, scales) = row_len(cols);
        rows.saturating_mul((bytes + 4 * scales) as u64)
    }

    /// Stores a row; all rows of a chunk are equally long.
    ///
    /// # Safety
    /// Nobody else reads or writes this row meanwhile.
    pub(crate) unsafe fn put(&self, row: usize, x: &[f32]) {
        let (bytes, scales) = row_len(x.len());
        let tile = row / ROWS * ROWS * bytes + row % ROWS * ROW_BYTES;
        let mut line = [0; BLOCK];
        for (b, x) in x.chunks(BLOCK).enumerate() {
            let scale = quantise_to_bytes(x, &mut line[..x.len()]);
            line[x.len()..].fill(0);
            let strips = line.chunks_exact(ROW_BYTES).take(x.len().div_ceil(ROW_BYTES));
            for (i, strip) in strips.enumerate() {
                let at = tile + (b * BLOCK / ROW_BYTES + i) * ROWS * ROW_BYTES;
                // SAFETY: the row is the caller's.
                unsafe { self.q.write(at..at + ROW_BYTES).copy_from_slice(strip) };
            }
            // SAFETY: the row is the caller's.
            unsafe { self.scales.set(row * scales + b, scale) };
        }
    }

    /// The tiles of 16 rows, of those of `cols` values that begin at a multiple of 64: consecutive, 1024 bytes each.
    ///
    /// # Safety
    /// Nobody writes them meanwhile.
    pub(super) unsafe fn tiles(&self, tile: usize, cols: usize, deep: &Range<usize>) -> &[i8] {
        let (bytes, _) = row_len(cols);
        let first = tile * ROWS * bytes + deep.start * ROWS;
        // SAFETY: not written (the caller).
        unsafe { self.q.read(first..first + deep.len().next_multiple_of(ROW_BYTES) * ROWS) }
    }

    /// The scale of a row's block.
    ///
    /// # Safety
    /// Nobody writes it meanwhile.
    pub(super) unsafe fn scale(&self, row: usize, cols: usize, block: usize) -> f32 {
        let (_, scales) = row_len(cols);
        // SAFETY: not written (the caller).
        unsafe { self.scales.read(row * scales + block..row * scales + block + 1)[0] }
    }
}

/// Values in 8 bits under one scale, which is returned; not a number if one of them is none.
pub(super) fn quantise_to_bytes(x: &[f32], q: &mut [i8]) -> f32 {
    let most =
        x.iter().fold(0.0_f32, |a, &x| if x.is_nan() { f32::INFINITY } else { a.max(x.abs()) });
    if !most.is_finite() {
        q.fill(0);
        return f32::NAN;
    }
    let inverse = if most > 0.0 { 127.0 / most } else { 0.0 };
    for (q, x) in q.iter_mut().zip(x) {
        *q = (x * inverse).round_ties_even() as i8;
    }
    most / 127.0
}
