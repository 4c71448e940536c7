//! Packed panels with aarch64's dot products: a quarter of a line, four rows, is what a vector holds.

use std::arch::aarch64::*;

use super::{
    GROUPS, LINE, Packed, Run, STACK, Step, assert_long_enough, chunk_bytes, high_line, low_line,
    plain,
};
use crate::kernels::activations::Row;
use crate::kernels::integer::{ROWS, Unpacked};
use crate::kernels::sdot::{by_lane, halves, signed};

/// Vectors of a line.
const QUARTERS: usize = 4;

/// A shift to the left, or to the right if negative.
#[inline(always)]
fn shift(v: uint8x16_t, by: i32) -> uint8x16_t {
    // SAFETY: NEON is part of every aarch64.
    unsafe { vshlq_u8(v, vdupq_n_s8(by as i8)) }
}

/// Quarter `quarter` of the 4 or 8 lines of group `g`.
///
/// # Safety
/// `chunk` is the start of a whole chunk, `g` one of its groups, `quarter` below 4.
#[inline(always)]
unsafe fn lines<F: Packed>(chunk: *const u8, g: usize, quarter: usize) -> [uint8x16_t; 8] {
    // SAFETY: the caller's promises; a group's lines lie within the chunk.
    unsafe {
        let count = F::GROUP / 4;
        let load = |at: usize| vld1q_u8(chunk.add(at + quarter * LINE / QUARTERS));
        let mut w = [vdupq_n_u8(0); 8];
        match F::LOW {
            8 => {
                for i in 0..count {
                    w[i] = load(low_line::<F>(g * count + i));
                }
            }
            4 => {
                for i in 0..count / 2 {
                    let packed = load(low_line::<F>(g * count / 2 + i));
                    w[2 * i] = vandq_u8(packed, vdupq_n_u8(15));
                    w[2 * i + 1] = shift(packed, -4);
                }
            }
            _ => {
                let packed = load(low_line::<F>(g));
                for i in 0..4 {
                    w[i] = vandq_u8(shift(packed, -2 * i as i32), vdupq_n_u8(3));
                }
            }
        }
        if F::HIGH > 0 {
            let together = 8 / F::HIGH as usize;
            let mut packed = load(high_line::<F>(g * count / together));
            if count < together && g % 2 == 1 {
                packed = shift(packed, -4);
            }
            let mask = vdupq_n_u8(((1 << F::HIGH) - 1) << F::LOW);
            for i in 0..count {
                let by = F::LOW as i32 - (i as i32 * F::HIGH as i32);
                w[i] = vorrq_u8(w[i], vandq_u8(shift(packed, by), mask));
            }
        }
        if let Some(table) = F::TABLE {
            let table = vld1q_u8(table.as_ptr());
            for i in 0..count {
                w[i] = vqtbl1q_u8(table, w[i]);
            }
        }
        w
    }
}

/// f32 of the 16 f16 at the start of `bytes`.
fn sixteen(bytes: &[u8]) -> [f32; ROWS] {
    let bytes = &bytes[..2 * ROWS];
    let mut out = [0.0; ROWS];
    for (from, to) in bytes.chunks_exact(8).zip(out.chunks_exact_mut(4)) {
        // SAFETY: eight bytes are there, and room for four values.
        unsafe { vst1q_f32(to.as_mut_ptr(), halves(from.as_ptr())) };
    }
    out
}

/// A run times up to [`super::COLUMNS`] columns: `out[column][row]`.
///
/// # Safety
/// The processor has `dotprod`.
pub(crate) unsafe fn rows<F: Packed>(run: &Run<'_>, x: &[Row<'_>], out: &mut [&mut [f32]]) {
    assert_long_enough::<F>(run, x);
    // SAFETY: the lengths are checked above.
    unsafe {
        match x.len() {
            1 => columns::<F, 1>(run, x, out),
            2..=4 => columns::<F, 4>(run, x, out),
            _ => columns::<F, 8>(run, x, out),
        }
    }
}

/// # Safety
/// As [`rows`]; the run and every row of x hold what [`assert_long_enough`] says; at most `C` rows. Short of `C`, the last row is
/// computed again.
unsafe fn columns<F: Packed, const C: usize>(run: &Run<'_>, x: &[Row<'_>], out: &mut [&mut [f32]]) {
    let x: [&Row<'_>; C] = std::array::from_fn(|c| &x[c.min(x.len() - 1)]);
    // SAFETY: NEON is part of every aarch64.
    let zero = unsafe { [[vdupq_n_f32(0.0); QUARTERS]; C] };
    let mut totals = [zero; STACK];
    let (mut scale, mut min) = ([[0.0; ROWS]; GROUPS], [[0.0; ROWS]; GROUPS]);
    let mut chunks = run.bytes.chunks_exact(chunk_bytes::<F>());
    for Step { panel, place, columns } in run.steps() {
        let mut total = if columns.start > 0 { totals[place] } else { zero };
        let blocks = columns.start / F::BLOCK..columns.end / F::BLOCK;
        for (b, chunk) in blocks.zip(&mut chunks) {
            plain::scales_with::<F>(chunk, sixteen, &mut scale, &mut min);
            for g in 0..F::BLOCK / F::GROUP {
                let at = b * F::BLOCK + g * F::GROUP;
                let which = at / 32 * 3 + if F::GROUP == 32 { 2 } else { g % 2 };
                for quarter in 0..QUARTERS {
                    // SAFETY: group g of the chunk, its scales and its activations are there (the caller).
                    unsafe {
                        let of = |values: &[f32; ROWS]| vld1q_f32(values.as_ptr().add(quarter * 4));
                        let w = lines::<F>(chunk.as_ptr(), g, quarter).map(signed::<F>);
                        for c in 0..C {
                            let shifted = F::SHIFT > 0 && F::SHIFT < 7;
                            let less = if shifted { x[c].less[which] << F::SHIFT } else { 0 };
                            let mut sum = vdupq_n_s32(less);
                            for (i, w) in
                                w.as_chunks::<4>().0.iter().take(F::GROUP / 16).enumerate()
                            {
                                let v = vld1q_s8(x[c].q.as_ptr().add(at + 16 * i));
                                sum = by_lane::<0>(sum, w[0], v);
                                sum = by_lane::<1>(sum, w[1], v);
                                sum = by_lane::<2>(sum, w[2], v);
                                sum = by_lane::<3>(sum, w[3], v);
                            }
                            let scale = vmulq_n_f32(of(&scale[g]), x[c].scale[at / 32]);
                            let to = &mut total[c][quarter];
                            *to = vfmaq_f32(*to, vcvtq_f32_s32(sum), scale);
                            if F::MINS {
                                *to = vfmsq_n_f32(*to, of(&min[g]), x[c].more[which]);
                            }
                        }
                    }
                }
            }
        }
        if columns.end < run.cols {
            totals[place] = total;
            continue;
        }
        for (to, total) in out.iter_mut().zip(total) {
            let mut products = [0.0; ROWS];
            for (i, total) in total.into_iter().enumerate() {
                // SAFETY: a row of products is 16 values.
                unsafe { vst1q_f32(products.as_mut_ptr().add(4 * i), total) };
            }
            Run::put(to, panel, &products);
        }
    }
}

/// Chunks of a panel into an unpacked one.
pub(crate) fn unpack<F: Packed>(chunks: &[u8], to: &mut Unpacked) {
    let (groups, lines_of) = (F::BLOCK / F::GROUP, F::GROUP / 4);
    let (q, _) = to.q.all_mut().as_chunks_mut::<LINE>();
    let (scales_of, _) = to.scales.all_mut().as_chunks_mut::<ROWS>();
    let (mins_of, _) = to.mins.all_mut().as_chunks_mut::<ROWS>();
    let (mut scale, mut min) = ([[0.0; ROWS]; GROUPS], [[0.0; ROWS]; GROUPS]);
    for (b, chunk) in chunks.chunks_exact(chunk_bytes::<F>()).enumerate() {
        plain::scales_with::<F>(chunk, sixteen, &mut scale, &mut min);
        scales_of[b * groups..][..groups].copy_from_slice(&scale[..groups]);
        if F::MINS {
            mins_of[b * groups..][..groups].copy_from_slice(&min[..groups]);
        }
        for g in 0..groups {
            let q = &mut q[(b * groups + g) * lines_of..][..lines_of];
            for quarter in 0..QUARTERS {
                // SAFETY: group g of a whole chunk.
                let w = unsafe { lines::<F>(chunk.as_ptr(), g, quarter) };
                for (line, w) in q.iter_mut().zip(w) {
                    // SAFETY: a quarter of a line is 16 bytes.
                    unsafe { vst1q_u8(line.as_mut_ptr().add(quarter * LINE / QUARTERS), w) };
                }
            }
        }
    }
}
