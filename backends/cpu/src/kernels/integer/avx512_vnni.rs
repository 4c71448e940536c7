//! The integer kernels with AVX-512 VNNI: `vpdpbusd` takes 4 unsigned weights times 4 signed activations per lane.

use std::arch::x86_64::*;

use super::{Blocks, PAIR, Product, TILE, Unpacked, unpack_panel};
use crate::kernels::activations::{Row, Tile};
use crate::kernels::quant::Quant;
use crate::kernels::quantise::BLOCK;

/// Four rows times one column, for any format: blocks are unpacked to the stack.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
pub(crate) fn dot<F: Quant>(rows: [&[u8]; 4], cols: usize, x: &Row<'_>) -> [f32; 4] {
    rows.map(|row| dot_one::<F>(row, cols, x))
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
fn dot_one<F: Quant>(row: &[u8], cols: usize, x: &Row<'_>) -> f32 {
    assert!(row.len() >= cols / F::BLOCK * F::BYTES && x.q.len() >= cols);
    assert!(x.lanes.len() >= cols / 4 && x.fours.len() >= cols / 4);
    let (mut q, mut scales, mut mins) = ([0_u8; 256], [0.0_f32; 16], [0.0_f32; 16]);
    let mut total = _mm256_setzero_ps();
    let mut less = 0.0;
    for (b, block) in row.chunks_exact(F::BYTES).take(cols / F::BLOCK).enumerate() {
        F::unpack(block, &mut q, &mut scales, &mut mins);
        for i in 0..F::BLOCK / BLOCK {
            let at = b * F::BLOCK + i * BLOCK;
            // SAFETY: `q` holds 256 bytes; x holds `cols` values (checked), whole blocks of 32.
            let (w, v, lanes, fours) = unsafe {
                (
                    _mm256_loadu_si256(q.as_ptr().add(i * BLOCK).cast()),
                    _mm256_loadu_si256(x.q.as_ptr().add(at).cast()),
                    _mm256_loadu_ps(x.lanes.as_ptr().add(at / 4)),
                    _mm256_loadu_si256(x.fours.as_ptr().add(at / 4).cast()),
                )
            };
            let start = match F::SHIFT {
                0 => _mm256_setzero_si256(),
                shift => _mm256_sll_epi32(fours, _mm_cvtsi32_si128(shift as i32)),
            };
            let sum = _mm256_cvtepi32_ps(_mm256_dpbusd_epi32(start, w, v));
            let scale = if F::GROUP == 32 {
                _mm256_set1_ps(scales[i])
            } else {
                _mm256_set_m128(_mm_set1_ps(scales[2 * i + 1]), _mm_set1_ps(scales[2 * i]))
            };
            total = _mm256_fmadd_ps(sum, _mm256_mul_ps(scale, lanes), total);
            if F::MINS && F::GROUP == 32 {
                less += mins[i] * (x.sums[at / 16] + x.sums[at / 16 + 1]);
            } else if F::MINS {
                less += mins[2 * i] * x.sums[at / 16] + mins[2 * i + 1] * x.sums[at / 16 + 1];
            }
        }
    }
    _mm512_reduce_add_ps(_mm512_zextps256_ps512(total)) - less
}

/// Unpacks a panel.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
pub(crate) fn unpack<F: Quant>(blocks: Blocks<'_>, to: &mut Unpacked) {
    unpack_panel::<F>(blocks, to);
}

/// Adds a pair of panels times a tile: 16 sums live in registers, 16 totals in the product itself. An activation is loaded once
/// for both panels, so that loads keep up with two dot products a cycle.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
pub(crate) fn product<F: Quant>(
    pair: &mut [Unpacked; PAIR],
    cols: usize,
    x: &Tile<'_>,
    out: &mut [Product; PAIR],
) {
    let (blocks, groups) = (cols / BLOCK, BLOCK / F::GROUP);
    for panel in pair.iter() {
        assert!(panel.q.len() >= cols * 16 && panel.scales.len() >= blocks * groups * 16);
        assert!(panel.mins.len() >= blocks * groups * 16);
    }
    assert!(x.q.len() >= cols * TILE && x.sums.len() >= blocks * 3 * TILE);
    assert!(x.scale.len() >= blocks * TILE && x.less.len() >= blocks * 3 * TILE);
    for b in 0..blocks {
        for g in 0..groups {
            // SAFETY: group g of block b is within the lengths checked above.
            unsafe { group::<F>(pair, b, g, x, out) };
        }
    }
}

/// # Safety
/// Panels and tile hold group `g` of block `b`.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
unsafe fn group<F: Quant>(
    pair: &[Unpacked; PAIR],
    b: usize,
    g: usize,
    x: &Tile<'_>,
    out: &mut [Product; PAIR],
) {
    let groups = BLOCK / F::GROUP;
    let lines = F::GROUP / 4;
    let which = b * 3 + if groups == 1 { 2 } else { g };
    let mut sum = [[_mm512_setzero_si512(); TILE]; PAIR];
    // SAFETY: all of it belongs to the group (the caller); panels are 64-byte aligned.
    unsafe {
        if F::SHIFT > 0 {
            let less = x.less.as_ptr().add(which * TILE);
            for c in 0..TILE {
                let shift = _mm_cvtsi32_si128(F::SHIFT as i32);
                let less = _mm512_sll_epi32(_mm512_set1_epi32(*less.add(c)), shift);
                (0..PAIR).for_each(|p| sum[p][c] = less);
            }
        }
        let first = b * 8 + g * lines;
        let q = [0, 1].map(|p: usize| pair[p].q.pointer().add(first * 64));
        let v = x.q.as_ptr().add(first * 4 * TILE).cast::<i32>();
        for line in 0..lines {
            let w = q.map(|q| _mm512_load_si512(q.add(line * 64).cast()));
            // A line of a tile is half a cache line.
            if line % 2 == 0 {
                let next = v.wrapping_add(line * TILE).wrapping_byte_add(x.next);
                _mm_prefetch::<_MM_HINT_T0>(next.cast());
            }
            for c in 0..TILE {
                let v = _mm512_set1_epi32(v.add(line * TILE + c).read_unaligned());
                (0..PAIR).for_each(|p| sum[p][c] = _mm512_dpbusd_epi32(sum[p][c], w[p], v));
            }
        }
        let at = (b * groups + g) * 16;
        for p in 0..PAIR {
            let scale = _mm512_load_ps(pair[p].scales.pointer().add(at));
            let min = if F::MINS { _mm512_load_ps(pair[p].mins.pointer().add(at)) } else { scale };
            for c in 0..TILE {
                let to = out[p][c].as_mut_ptr();
                let column = _mm512_set1_ps(*x.scale.as_ptr().add(b * TILE + c));
                let scale = _mm512_mul_ps(scale, column);
                let sum = _mm512_cvtepi32_ps(sum[p][c]);
                let mut total = _mm512_fmadd_ps(sum, scale, _mm512_loadu_ps(to));
                if F::MINS {
                    let sums = _mm512_set1_ps(*x.sums.as_ptr().add(which * TILE + c));
                    total = _mm512_fnmadd_ps(min, sums, total);
                }
                _mm512_storeu_ps(to, total);
            }
        }
    }
}
