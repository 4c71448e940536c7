//! The integer kernels with aarch64's dot products, and, where the processor has them, its 8-bit matrix products.

use std::arch::aarch64::*;

use super::{Blocks, PAIR, Product, ROWS, TILE, Unpacked, scalar, unpack_panel};
use crate::kernels::activations::{Row, Tile};
use crate::kernels::quant::Quant;
use crate::kernels::quantise::BLOCK;
use crate::kernels::sdot::{by_lane, signed, two_by_two};

/// Four rows times one column; rows that are not packed are rare.
pub(crate) fn dot<F: Quant>(rows: [&[u8]; 4], cols: usize, x: &Row<'_>) -> [f32; 4] {
    scalar::dot::<F>(rows, cols, x)
}

/// Unpacks rows.
pub(crate) fn unpack<F: Quant>(blocks: Blocks<'_>, to: &mut Unpacked) {
    unpack_panel::<F>(blocks, to);
}

/// Sums of a group, of 8 rows (two vectors of four) and 8 columns.
type Sums = [[int32x4_t; 2]; TILE];

/// Adds a pair of panels times a tile, by dot products.
///
/// # Safety
/// The processor has `dotprod`.
pub(crate) unsafe fn product<F: Quant>(
    pair: &mut [Unpacked; PAIR],
    cols: usize,
    x: &Tile<'_>,
    out: &mut [Product; PAIR],
) {
    // SAFETY: the caller's promise.
    pair.iter().zip(out).for_each(|(panel, out)| unsafe { one::<F, false>(panel, cols, x, out) });
}

/// The same, by matrix products.
///
/// # Safety
/// The processor has `i8mm`.
pub(crate) unsafe fn matrix_product<F: Quant>(
    pair: &mut [Unpacked; PAIR],
    cols: usize,
    x: &Tile<'_>,
    out: &mut [Product; PAIR],
) {
    // SAFETY: the caller's promise.
    pair.iter().zip(out).for_each(|(panel, out)| unsafe { one::<F, true>(panel, cols, x, out) });
}

/// A panel times a tile, half of its rows at a time: that is what 32 registers hold.
///
/// # Safety
/// The processor has `dotprod`, or `i8mm` with `MATRIX`.
unsafe fn one<F: Quant, const MATRIX: bool>(
    panel: &Unpacked,
    cols: usize,
    x: &Tile<'_>,
    out: &mut Product,
) {
    let (blocks, groups) = (cols / BLOCK, BLOCK / F::GROUP);
    assert!(panel.q.len() >= cols * ROWS && panel.scales.len() >= blocks * groups * ROWS);
    assert!(panel.mins.len() >= blocks * groups * ROWS && x.q.len() >= cols * TILE);
    assert!(x.scale.len() >= blocks * TILE && x.less.len() >= blocks * 3 * TILE);
    assert!(x.sums.len() >= blocks * 3 * TILE);
    for first_row in [0, 8] {
        // SAFETY: NEON is part of every aarch64.
        let mut total = unsafe { [[vdupq_n_f32(0.0); 2]; TILE] };
        for at in 0..blocks * groups {
            let (b, g) = (at / groups, at % groups);
            let which = (b * 3 + if groups == 1 { 2 } else { g }) * TILE;
            // SAFETY: the lengths are checked above.
            unsafe {
                let sums = match MATRIX {
                    true => by_matrices::<F>(panel, x, at, first_row),
                    false => by_lanes::<F>(panel, x, at, first_row),
                };
                for half in 0..2 {
                    let row = at * ROWS + first_row + 4 * half;
                    let scale = vld1q_f32(panel.scales.pointer().add(row));
                    let min = vld1q_f32(panel.mins.pointer().add(row));
                    for c in 0..TILE {
                        let mut sum = sums[c][half];
                        if F::SHIFT > 0 && F::SHIFT < 7 {
                            sum = vaddq_s32(sum, vdupq_n_s32(x.less[which + c] << F::SHIFT));
                        }
                        let scale = vmulq_n_f32(scale, x.scale[b * TILE + c]);
                        let to = &mut total[c][half];
                        *to = vfmaq_f32(*to, vcvtq_f32_s32(sum), scale);
                        if F::MINS {
                            *to = vfmsq_n_f32(*to, min, x.sums[which + c]);
                        }
                    }
                }
            }
        }
        for (out, total) in out.iter_mut().zip(total) {
            for (half, total) in total.into_iter().enumerate() {
                // SAFETY: a row of a product is 16 values.
                unsafe {
                    let to = out.as_mut_ptr().add(first_row + 4 * half);
                    vst1q_f32(to, vaddq_f32(vld1q_f32(to), total));
                }
            }
        }
    }
}

/// Weights of line `line`, four of each of four rows from `row` on.
///
/// # Safety
/// The panel holds that line.
#[inline(always)]
unsafe fn weights<F: Quant>(panel: &Unpacked, line: usize, row: usize) -> int8x16_t {
    // SAFETY: the caller's promise.
    unsafe { signed::<F>(vld1q_u8(panel.q.pointer().add((line * ROWS + row) * 4))) }
}

/// Four values of each of four columns from `column` on, of line `line`.
///
/// # Safety
/// The tile holds that line.
#[inline(always)]
unsafe fn values(x: &Tile<'_>, line: usize, column: usize) -> int8x16_t {
    // SAFETY: the caller's promise.
    unsafe { vld1q_s8(x.q.as_ptr().add((line * TILE + column) * 4)) }
}

/// Sums of group `at`.
///
/// # Safety
/// The processor has `dotprod`; panel and tile hold the group; `first_row` is 0 or 8.
#[inline(always)]
unsafe fn by_lanes<F: Quant>(panel: &Unpacked, x: &Tile<'_>, at: usize, first_row: usize) -> Sums {
    // SAFETY: the caller's promise.
    unsafe {
        let mut sums = [[vdupq_n_s32(0); 2]; TILE];
        for line in at * F::GROUP / 4..(at + 1) * F::GROUP / 4 {
            let w = [0, 4].map(|row: usize| weights::<F>(panel, line, first_row + row));
            for four in 0..2 {
                let v = values(x, line, 4 * four);
                for half in 0..2 {
                    let [a, b, c, d] = [0, 1, 2, 3].map(|c: usize| sums[4 * four + c][half]);
                    sums[4 * four][half] = by_lane::<0>(a, w[half], v);
                    sums[4 * four + 1][half] = by_lane::<1>(b, w[half], v);
                    sums[4 * four + 2][half] = by_lane::<2>(c, w[half], v);
                    sums[4 * four + 3][half] = by_lane::<3>(d, w[half], v);
                }
            }
        }
        sums
    }
}

/// Sums of group `at`: two lines together are eight weights of two rows, and eight values of two columns.
///
/// # Safety
/// The processor has `i8mm`; panel and tile hold the group; `first_row` is 0 or 8.
#[inline(always)]
unsafe fn by_matrices<F: Quant>(
    panel: &Unpacked,
    x: &Tile<'_>,
    at: usize,
    first_row: usize,
) -> Sums {
    // SAFETY: the caller's promise.
    unsafe {
        let pairs = |[a, b]: [int8x16_t; 2]| {
            let (a, b) = (vreinterpretq_s32_s8(a), vreinterpretq_s32_s8(b));
            [vreinterpretq_s8_s32(vzip1q_s32(a, b)), vreinterpretq_s8_s32(vzip2q_s32(a, b))]
        };
        // (2 rows, 2 columns) of row pair r and column pair c.
        let mut squares = [[vdupq_n_s32(0); 4]; TILE / 2];
        for line in (at * F::GROUP / 4..(at + 1) * F::GROUP / 4).step_by(2) {
            let both = [line, line + 1];
            let w = [0, 4].map(|row: usize| {
                pairs(both.map(|line| weights::<F>(panel, line, first_row + row)))
            });
            let v = [0, 4].map(|column: usize| pairs(both.map(|line| values(x, line, column))));
            for (c, squares) in squares.iter_mut().enumerate() {
                for (r, square) in squares.iter_mut().enumerate() {
                    *square = two_by_two(*square, w[r / 2][r % 2], v[c / 2][c % 2]);
                }
            }
        }
        let mut sums = [[vdupq_n_s32(0); 2]; TILE];
        for (c, squares) in squares.iter().enumerate() {
            for half in 0..2 {
                let (a, b) = (squares[2 * half], squares[2 * half + 1]);
                sums[2 * c][half] = vuzp1q_s32(a, b);
                sums[2 * c + 1][half] = vuzp2q_s32(a, b);
            }
        }
        sums
    }
}
