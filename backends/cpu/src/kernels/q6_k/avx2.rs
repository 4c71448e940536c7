//! Q6_K row dot products with AVX2: a block (210 bytes) in eight steps of 32 weights.

use std::arch::x86_64::*;

use super::Q6K;
use crate::kernels::activations::Row;
use crate::kernels::integer::avx2::{fours, total};
use crate::kernels::quant::{half_at, prefetch_distance};

/// Four rows times one column.
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn dot(rows: [&[u8]; 4], cols: usize, x: &Row<'_>) -> [f32; 4] {
    let (blocks, bytes) = (cols / 256, cols / 256 * 210);
    assert!(rows.iter().all(|row| row.len() >= bytes) && x.q.len() >= cols);
    assert!(x.lanes.len() >= cols / 4 && x.fours.len() >= cols / 4);
    let (nibble, top) = (_mm256_set1_epi8(15), _mm256_set1_epi8(0x30));
    let distance = prefetch_distance(bytes);
    let mut sum = [_mm256_setzero_ps(); 4];
    for b in 0..blocks {
        for r in 0..4 {
            // SAFETY: block b of every row and of x is within the lengths checked above.
            unsafe {
                let at = rows[r].as_ptr().add(b * 210);
                let ahead = at.wrapping_add(distance);
                for line in 0..4 {
                    _mm_prefetch::<_MM_HINT_T0>(ahead.wrapping_add(line * 64).cast());
                }
                let d = half_at(std::slice::from_raw_parts(at.add(208), 2));
                for half in 0..2 {
                    let low = at.add(half * 64);
                    let high = _mm256_loadu_si256(at.add(128 + half * 32).cast());
                    let (a, b32) =
                        (_mm256_loadu_si256(low.cast()), _mm256_loadu_si256(low.add(32).cast()));
                    let parts = [
                        (a, _mm256_slli_epi16::<4>(high)),
                        (b32, _mm256_slli_epi16::<2>(high)),
                        (_mm256_srli_epi16::<4>(a), high),
                        (_mm256_srli_epi16::<4>(b32), _mm256_srli_epi16::<2>(high)),
                    ];
                    for (i, (low, high)) in parts.into_iter().enumerate() {
                        let k = b * 256 + half * 128 + i * 32;
                        let w = _mm256_or_si256(
                            _mm256_and_si256(low, nibble),
                            _mm256_and_si256(high, top),
                        );
                        let v = _mm256_loadu_si256(x.q.as_ptr().add(k).cast());
                        let lanes = _mm256_loadu_ps(x.lanes.as_ptr().add(k / 4));
                        let less = _mm256_loadu_si256(x.fours.as_ptr().add(k / 4).cast());
                        let less = _mm256_slli_epi32::<5>(less);
                        let scales = at.add(192 + half * 8 + i * 2).cast::<i8>();
                        let scale = _mm256_set_m128(
                            _mm_set1_ps(d * f32::from(*scales.add(1))),
                            _mm_set1_ps(d * f32::from(*scales)),
                        );
                        let dots = _mm256_cvtepi32_ps(_mm256_add_epi32(fours::<Q6K>(w, v), less));
                        sum[r] = _mm256_fmadd_ps(dots, _mm256_mul_ps(scale, lanes), sum[r]);
                    }
                }
            }
        }
    }
    sum.map(|sum| total(sum))
}
