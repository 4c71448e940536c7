//! Q3_K row dot products with AVX2: a block (110 bytes) in eight steps of 32 weights.

use std::arch::x86_64::*;

use super::{Q3K, six_bit_signed};
use crate::kernels::activations::Row;
use crate::kernels::integer::avx2::{fours, total};
use crate::kernels::quant::{half_at, prefetch_distance};

/// Four rows times one column.
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn dot(rows: [&[u8]; 4], cols: usize, x: &Row<'_>) -> [f32; 4] {
    let (blocks, bytes) = (cols / 256, cols / 256 * 110);
    assert!(rows.iter().all(|row| row.len() >= bytes) && x.q.len() >= cols);
    assert!(x.lanes.len() >= cols / 4 && x.fours.len() >= cols / 4);
    let (two_bits, one) = (_mm256_set1_epi8(3), _mm256_set1_epi8(1));
    let distance = prefetch_distance(bytes);
    let mut sum = [_mm256_setzero_ps(); 4];
    for b in 0..blocks {
        for r in 0..4 {
            // SAFETY: block b of every row and of x is within the lengths checked above.
            unsafe {
                let at = rows[r].as_ptr().add(b * 110);
                let ahead = at.wrapping_add(distance);
                _mm_prefetch::<_MM_HINT_T0>(ahead.cast());
                _mm_prefetch::<_MM_HINT_T0>(ahead.wrapping_add(64).cast());
                let tail = std::slice::from_raw_parts(at.add(96), 14);
                let d = half_at(&tail[12..]);
                let scales = six_bit_signed(tail).map(|byte| d * (f32::from(byte) - 32.0));
                let tops = _mm256_loadu_si256(at.cast());
                for part in 0..8 {
                    let packed = _mm256_loadu_si256(at.add(32 + part / 4 * 32).cast());
                    let shift = _mm_cvtsi32_si128(2 * (part % 4) as i32);
                    let low = _mm256_and_si256(_mm256_srl_epi16(packed, shift), two_bits);
                    let top = _mm256_srl_epi16(tops, _mm_cvtsi32_si128(part as i32));
                    let top = _mm256_slli_epi16::<2>(_mm256_and_si256(top, one));
                    let w = _mm256_or_si256(low, top);
                    let k = b * 256 + part * 32;
                    let v = _mm256_loadu_si256(x.q.as_ptr().add(k).cast());
                    let lanes = _mm256_loadu_ps(x.lanes.as_ptr().add(k / 4));
                    let less = _mm256_loadu_si256(x.fours.as_ptr().add(k / 4).cast());
                    let less = _mm256_slli_epi32::<2>(less);
                    let scale = _mm256_set_m128(
                        _mm_set1_ps(scales[part * 2 + 1]),
                        _mm_set1_ps(scales[part * 2]),
                    );
                    let dots = _mm256_cvtepi32_ps(_mm256_add_epi32(fours::<Q3K>(w, v), less));
                    sum[r] = _mm256_fmadd_ps(dots, _mm256_mul_ps(scale, lanes), sum[r]);
                }
            }
        }
    }
    sum.map(|sum| total(sum))
}
