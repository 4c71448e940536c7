//! Integer kernels shared by all quantised formats: panels of 16 unpacked rows times tiles of 8 columns (prefill),
//! and dot products of rows unpacked block by block (decode, for formats without a kernel of their own).

#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx512_vnni;
#[cfg(target_arch = "aarch64")]
pub(crate) mod dotprod;
pub(crate) mod scalar;

use super::panels::{SUMS_BYTES, Sums, sums};
use super::quant::Quant;
use crate::buffer::Buffer;

/// Rows of a panel.
pub(crate) const ROWS: usize = 16;
/// Columns of a tile.
pub(crate) use super::quantise::TILE;

/// Panels multiplied together, so that an activation once loaded serves 32 rows.
pub(crate) const PAIR: usize = 2;
/// Weights of each row that are unpacked at once: a pair of panels and a tile of columns stay in the first-level cache.
pub(crate) const DEPTH: usize = 512;
/// The same of weights as f32.
pub(crate) const FLOAT_DEPTH: usize = 256;

/// One panel times one tile: `[column][row]`.
pub(crate) type Product = [[f32; ROWS]; TILE];

/// A stretch of sixteen rows unpacked; b blocks of 32.
pub(crate) struct Unpacked {
    /// (b, 8 groups of 4, 16 rows, 4); the scalar kernels for a scale per 32 read `float` instead
    pub(crate) q: Buffer<u8>,
    /// What a matrix unit multiplies beside `q`: the lower plane of folded weights, as `q`
    pub(crate) low: Buffer<u8>,
    /// (b, 32 / GROUP, 16)
    pub(crate) scales: Buffer<f32>,
    /// (b, 32 / GROUP, 16)
    pub(crate) mins: Buffer<f32>,
    /// Of signed weights: what columns that are 128 too large add to a group's sum, (b, 32 / GROUP, 16)
    pub(crate) excess: Buffer<i32>,
    /// As f32, for float formats and the scalar kernels: (32 b, 16 rows)
    pub(crate) float: Buffer<f32>,
}

/// What a thread unpacks weights into.
pub(crate) struct Panel {
    pub(crate) pair: [Unpacked; PAIR],
    /// Rows as f32: one of (cols), or 16 of a stretch
    pub(crate) row: Buffer<f32>,
    /// Of a task with many columns
    pub(crate) sums: Sums,
}

impl Panel {
    /// Room for rows of up to `cols`.
    pub(crate) fn new(cols: usize, int8: bool, float: bool) -> Result<Panel, yardstick_api::Error> {
        let deep = cols.next_multiple_of(256).min(DEPTH);
        let when = |wanted: bool, n: usize| if wanted { n } else { 0 };
        let unpacked = || {
            Ok::<_, yardstick_api::Error>(Unpacked {
                q: Buffer::zeroed(when(int8, deep * ROWS))?,
                low: Buffer::zeroed(when(int8, deep * ROWS))?,
                scales: Buffer::zeroed(when(int8, deep / 16 * ROWS))?,
                mins: Buffer::zeroed(when(int8, deep / 16 * ROWS))?,
                excess: Buffer::zeroed(when(int8, deep / 16 * ROWS))?,
                float: Buffer::zeroed(when(float, deep * ROWS))?,
            })
        };
        Ok(Panel {
            pair: [unpacked()?, unpacked()?],
            row: Buffer::zeroed(when(float, cols.next_multiple_of(256).max(deep * ROWS)))?,
            sums: sums(),
        })
    }

    /// Bytes of that.
    pub(crate) fn bytes(cols: usize, int8: bool, float: bool) -> u64 {
        let wide = cols.next_multiple_of(256);
        let deep = wide.min(DEPTH);
        let row = wide.max(deep * ROWS) as u64 * 4;
        let deep = (deep * PAIR) as u64;
        u64::from(int8) * deep * 44 + u64::from(float) * (deep * 64 + row) + SUMS_BYTES
    }
}

/// Rows as they are in the file: up to 16, `row_bytes` apart, and the blocks of each that are meant.
#[derive(Clone, Copy)]
pub(crate) struct Blocks<'a> {
    pub(crate) rows: &'a [u8],
    pub(crate) row_bytes: usize,
    pub(crate) first: usize,
    pub(crate) count: usize,
}

impl<'a> Blocks<'a> {
    /// Block `b` of row `r`, of `bytes` bytes, if there is such a row.
    #[inline(always)]
    fn get(&self, r: usize, b: usize, bytes: usize) -> Option<&'a [u8]> {
        let at = r * self.row_bytes + (self.first + b) * bytes;
        self.rows.get(at..at + bytes)
    }
}

/// Unpacks rows of blocks as bytes; absent rows have scale 0.
#[inline(always)]
pub(crate) fn unpack_panel<F: Quant>(blocks: Blocks<'_>, to: &mut Unpacked) {
    let groups = F::BLOCK / F::GROUP;
    let (q_all, scales_all) = (to.q.all_mut(), to.scales.all_mut());
    let mins_all = to.mins.all_mut();
    let (mut q, mut scales, mut mins) = ([0_u8; 256], [0.0_f32; 16], [0.0_f32; 16]);
    for b in 0..blocks.count {
        let q_block = &mut q_all[b * F::BLOCK * ROWS..][..F::BLOCK * ROWS];
        let scales_block = &mut scales_all[b * groups * ROWS..][..groups * ROWS];
        let mins_block = &mut mins_all[b * groups * ROWS..][..groups * ROWS];
        for r in 0..ROWS {
            match blocks.get(r, b, F::BYTES) {
                Some(block) => F::unpack(block, &mut q, &mut scales, &mut mins),
                None => (q, scales, mins) = ([0; 256], [0.0; 16], [0.0; 16]),
            }
            for (line, four) in q_block.chunks_exact_mut(4 * ROWS).zip(q.chunks_exact(4)) {
                line[4 * r..4 * r + 4].copy_from_slice(four);
            }
            for g in 0..groups {
                scales_block[g * ROWS + r] = scales[g];
                if F::MINS {
                    mins_block[g * ROWS + r] = mins[g];
                }
            }
        }
    }
}

#[cfg(test)]
mod speed;
#[cfg(test)]
pub(crate) mod tests;
