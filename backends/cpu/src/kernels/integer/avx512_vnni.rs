//! The integer kernels with AVX-512 VNNI: `vpdpbusd` takes 4 unsigned weights times 4 signed activations per lane.

use std::arch::x86_64::*;

use super::{Panel, Product, TILE, unpack_panel};
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
pub(crate) fn unpack<F: Quant>(rows: &[u8], cols: usize, panel: &mut Panel) {
    unpack_panel::<F>(rows, cols, panel);
}

/// A panel times a tile: 8 sums and 8 totals of 16 rows live in registers.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
pub(crate) fn product<F: Quant>(panel: &mut Panel, cols: usize, x: &Tile<'_>, out: &mut Product) {
    let blocks = cols / BLOCK;
    let groups = BLOCK / F::GROUP;
    assert!(panel.q.len() >= cols * 16 && panel.scales.len() >= blocks * groups * 16);
    assert!(panel.mins.len() >= blocks * groups * 16 && x.q.len() >= cols * TILE);
    assert!(x.scale.len() >= blocks * TILE && x.less.len() >= blocks * 3 * TILE);
    assert!(x.sums.len() >= blocks * 3 * TILE);
    let (q, scales, mins) = (panel.q.pointer(), panel.scales.pointer(), panel.mins.pointer());
    let mut total = [_mm512_setzero_ps(); TILE];
    for b in 0..blocks {
        for g in 0..groups {
            let which = b * 3 + if groups == 1 { 2 } else { g };
            let lines = F::GROUP / 4;
            let mut sum = [_mm512_setzero_si512(); TILE];
            // SAFETY: every index is within the lengths checked above; panels are 64-byte aligned.
            unsafe {
                if F::SHIFT > 0 {
                    let less = x.less.as_ptr().add(which * TILE);
                    for c in 0..TILE {
                        let shift = _mm_cvtsi32_si128(F::SHIFT as i32);
                        sum[c] = _mm512_sll_epi32(_mm512_set1_epi32(*less.add(c)), shift);
                    }
                }
                for line in 0..lines {
                    let at = b * 8 + g * lines + line;
                    let w = _mm512_load_si512(q.add(at * 64).cast());
                    let v = x.q.as_ptr().add(at * 4 * TILE).cast::<i32>();
                    for c in 0..TILE {
                        let v = _mm512_set1_epi32(v.add(c).read_unaligned());
                        sum[c] = _mm512_dpbusd_epi32(sum[c], w, v);
                    }
                }
                let scale = _mm512_load_ps(scales.add((b * groups + g) * 16));
                let column = x.scale.as_ptr().add(b * TILE);
                for c in 0..TILE {
                    let scale = _mm512_mul_ps(scale, _mm512_set1_ps(*column.add(c)));
                    total[c] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum[c]), scale, total[c]);
                }
                if F::MINS {
                    let min = _mm512_load_ps(mins.add((b * groups + g) * 16));
                    let sums = x.sums.as_ptr().add(which * TILE);
                    for c in 0..TILE {
                        total[c] = _mm512_fnmadd_ps(min, _mm512_set1_ps(*sums.add(c)), total[c]);
                    }
                }
            }
        }
    }
    for (out, total) in out.iter_mut().zip(total) {
        // SAFETY: a row of the product is 16 values.
        unsafe { _mm512_storeu_ps(out.as_mut_ptr(), total) };
    }
}
