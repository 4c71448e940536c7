//! Integer kernels shared by all quantised formats: panels of 16 unpacked rows times tiles of 8 columns (prefill),
//! and dot products of rows unpacked block by block (decode, for formats without a kernel of their own).

#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx512_vnni;
pub(crate) mod scalar;

#[cfg(target_arch = "x86_64")]
use super::quant::Quant;
use crate::buffer::Buffer;

/// Rows of a panel.
pub(crate) const ROWS: usize = 16;
/// Columns of a tile.
pub(crate) use super::quantise::TILE;

/// One panel times one tile: `[column][row]`.
pub(crate) type Product = [[f32; ROWS]; TILE];

/// Sixteen rows unpacked; b = cols / 32.
pub(crate) struct Panel {
    /// (b, 8 groups of 4, 16 rows, 4); the scalar kernels read `float` instead
    #[cfg_attr(not(target_arch = "x86_64"), allow(dead_code, reason = "for vector kernels"))]
    pub(crate) q: Buffer<u8>,
    /// (b, 32 / GROUP, 16)
    pub(crate) scales: Buffer<f32>,
    /// (b, 32 / GROUP, 16)
    pub(crate) mins: Buffer<f32>,
    /// As f32, for float formats and the scalar kernels: (cols, 16 rows)
    pub(crate) float: Buffer<f32>,
    /// One row as f32: (cols)
    pub(crate) row: Buffer<f32>,
}

impl Panel {
    /// Room for rows of up to `cols`.
    pub(crate) fn new(cols: usize, int8: bool, float: bool) -> Result<Panel, yardstick_api::Error> {
        let wide = cols.next_multiple_of(256);
        let when = |wanted: bool, n: usize| if wanted { n } else { 0 };
        Ok(Panel {
            q: Buffer::zeroed(when(int8, wide * ROWS))?,
            scales: Buffer::zeroed(when(int8, wide / 16 * ROWS))?,
            mins: Buffer::zeroed(when(int8, wide / 16 * ROWS))?,
            float: Buffer::zeroed(when(float, wide * ROWS))?,
            row: Buffer::zeroed(when(float, wide))?,
        })
    }

    /// Bytes of that.
    pub(crate) fn bytes(cols: usize, int8: bool, float: bool) -> u64 {
        let wide = cols.next_multiple_of(256) as u64;
        u64::from(int8) * wide * 24 + u64::from(float) * wide * 68
    }
}

/// Unpacks up to 16 consecutive rows of `cols` weights into a panel; absent rows have scale 0.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(crate) fn unpack_panel<F: Quant>(rows: &[u8], cols: usize, panel: &mut Panel) {
    let per_row = cols / F::BLOCK * F::BYTES;
    let groups = F::BLOCK / F::GROUP;
    let (q_all, scales_all) = (panel.q.all_mut(), panel.scales.all_mut());
    let mins_all = panel.mins.all_mut();
    let (mut q, mut scales, mut mins) = ([0_u8; 256], [0.0_f32; 16], [0.0_f32; 16]);
    for b in 0..cols / F::BLOCK {
        let q_block = &mut q_all[b * F::BLOCK * ROWS..][..F::BLOCK * ROWS];
        let scales_block = &mut scales_all[b * groups * ROWS..][..groups * ROWS];
        let mins_block = &mut mins_all[b * groups * ROWS..][..groups * ROWS];
        for r in 0..ROWS {
            match rows.get(r * per_row + b * F::BYTES..r * per_row + (b + 1) * F::BYTES) {
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
mod tests;
