//! Q2_K row dot products with AVX2: a block (84 bytes) in eight steps of 32 weights.

use std::arch::x86_64::*;

use super::Q2K;
use crate::kernels::activations::Row;
use crate::kernels::integer::avx2::{fours, total};
use crate::kernels::quant::{half_at, prefetch_distance};

/// Four rows times one column.
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn dot(rows: [&[u8]; 4], cols: usize, x: &Row<'_>) -> [f32; 4] {
    let (blocks, bytes) = (cols / 256, cols / 256 * 84);
    assert!(rows.iter().all(|row| row.len() >= bytes) && x.q.len() >= cols);
    assert!(x.lanes.len() >= cols / 4 && x.sums.len() >= cols / 16);
    let two_bits = _mm256_set1_epi8(3);
    let distance = prefetch_distance(bytes);
    let mut sum = [_mm256_setzero_ps(); 4];
    for b in 0..blocks {
        for r in 0..4 {
            // SAFETY: block b of every row and of x is within the lengths checked above.
            unsafe {
                let at = rows[r].as_ptr().add(b * 84);
                let ahead = at.wrapping_add(distance);
                _mm_prefetch::<_MM_HINT_T0>(ahead.cast());
                _mm_prefetch::<_MM_HINT_T0>(ahead.wrapping_add(64).cast());
                let block = std::slice::from_raw_parts(at, 84);
                let (d, dmin) = (half_at(&block[80..]), half_at(&block[82..]));
                let mut scales = [0.0_f32; 16];
                for part in 0..2 {
                    let both = _mm_loadl_epi64(at.add(part * 8).cast());
                    let both = _mm256_cvtepu8_epi32(both);
                    let low = _mm256_and_si256(both, _mm256_set1_epi32(15));
                    let mins = _mm256_cvtepi32_ps(_mm256_srli_epi32::<4>(both));
                    let mins = _mm256_mul_ps(mins, _mm256_set1_ps(dmin));
                    let sums = _mm256_loadu_ps(x.sums.as_ptr().add(b * 16 + part * 8));
                    sum[r] = _mm256_fnmadd_ps(mins, sums, sum[r]);
                    let low = _mm256_mul_ps(_mm256_cvtepi32_ps(low), _mm256_set1_ps(d));
                    _mm256_storeu_ps(scales.as_mut_ptr().add(part * 8), low);
                }
                for half in 0..2 {
                    let packed = _mm256_loadu_si256(at.add(16 + half * 32).cast());
                    for part in 0..4 {
                        let k = b * 256 + half * 128 + part * 32;
                        let w = _mm256_srl_epi16(packed, _mm_cvtsi32_si128(2 * part as i32));
                        let w = _mm256_and_si256(w, two_bits);
                        let v = _mm256_loadu_si256(x.q.as_ptr().add(k).cast());
                        let lanes = _mm256_loadu_ps(x.lanes.as_ptr().add(k / 4));
                        let group = half * 8 + part * 2;
                        let scale = _mm256_set_m128(
                            _mm_set1_ps(scales[group + 1]),
                            _mm_set1_ps(scales[group]),
                        );
                        let dots = _mm256_cvtepi32_ps(fours::<Q2K>(w, v));
                        sum[r] = _mm256_fmadd_ps(dots, _mm256_mul_ps(scale, lanes), sum[r]);
                    }
                }
            }
        }
    }
    sum.map(|sum| total(sum))
}
