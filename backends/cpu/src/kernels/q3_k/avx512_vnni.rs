//! Q3_K row dot products with AVX-512 VNNI: a block (110 bytes) in four steps of 64 weights.

use std::arch::x86_64::*;

use super::six_bit_signed;
use crate::kernels::activations::Row;
use crate::kernels::quant::{half_at, prefetch_distance};

/// Four rows times one column.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
pub(crate) fn dot(rows: [&[u8]; 4], cols: usize, x: &Row<'_>) -> [f32; 4] {
    let (blocks, bytes) = (cols / 256, cols / 256 * 110);
    assert!(rows.iter().all(|row| row.len() >= bytes) && x.q.len() >= cols);
    assert!(x.lanes.len() >= cols / 4 && x.fours.len() >= cols / 4);
    let (two_bits, one) = (_mm512_set1_epi8(3), _mm512_set1_epi8(1));
    // Weights 0..31 and 32..63 of a step lie two bits apart in the same 32 bytes, their third bits one bit apart.
    let upper = |by: i16| _mm512_inserti64x4::<1>(_mm512_setzero_si512(), _mm256_set1_epi16(by));
    let (pair, third) = (upper(2), upper(1));
    let four = _mm512_set_epi32(3, 3, 3, 3, 2, 2, 2, 2, 1, 1, 1, 1, 0, 0, 0, 0);
    let steps = [0, 4, 8, 12].map(|first| _mm512_add_epi32(four, _mm512_set1_epi32(first)));
    let pairs = [0, 4].map(|first| _mm512_add_epi16(pair, _mm512_set1_epi16(first)));
    let thirds = [0, 2, 4, 6].map(|first| _mm512_add_epi16(third, _mm512_set1_epi16(first)));
    let distance = prefetch_distance(bytes);
    let mut sum = [_mm512_setzero_ps(); 4];
    for b in 0..blocks {
        for r in 0..4 {
            // SAFETY: block b of every row and of x is within the lengths checked above.
            unsafe {
                let at = rows[r].as_ptr().add(b * 110);
                let ahead = at.wrapping_add(distance);
                _mm_prefetch::<_MM_HINT_T0>(ahead.cast());
                _mm_prefetch::<_MM_HINT_T0>(ahead.wrapping_add(64).cast());
                let tail = std::slice::from_raw_parts(at.add(96), 14);
                let six = six_bit_signed(tail);
                let six = _mm_sub_epi8(_mm_loadu_si128(six.as_ptr().cast()), _mm_set1_epi8(32));
                let scales = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(six));
                let scales = _mm512_mul_ps(scales, _mm512_set1_ps(half_at(&tail[12..])));
                let tops = _mm512_broadcast_i64x4(_mm256_loadu_si256(at.cast()));
                for step in 0..4 {
                    let packed = _mm256_loadu_si256(at.add(32 + step / 2 * 32).cast());
                    let packed = _mm512_broadcast_i64x4(packed);
                    let top = _mm512_and_si512(_mm512_srlv_epi16(tops, thirds[step]), one);
                    let w = _mm512_or_si512(
                        _mm512_and_si512(_mm512_srlv_epi16(packed, pairs[step % 2]), two_bits),
                        _mm512_slli_epi16::<2>(top),
                    );
                    let k = b * 256 + step * 64;
                    let v = _mm512_loadu_si512(x.q.as_ptr().add(k).cast());
                    let lanes = _mm512_loadu_ps(x.lanes.as_ptr().add(k / 4));
                    let less = _mm512_loadu_si512(x.fours.as_ptr().add(k / 4).cast());
                    let less = _mm512_slli_epi32::<2>(less);
                    let scale = _mm512_permutexvar_ps(steps[step], scales);
                    let dots = _mm512_cvtepi32_ps(_mm512_dpbusd_epi32(less, w, v));
                    sum[r] = _mm512_fmadd_ps(dots, _mm512_mul_ps(scale, lanes), sum[r]);
                }
            }
        }
    }
    sum.map(|sum| _mm512_reduce_add_ps(sum))
}
