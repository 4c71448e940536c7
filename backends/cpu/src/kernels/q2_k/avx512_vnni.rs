//! Q2_K row dot products with AVX-512 VNNI: a block (84 bytes) in four steps of 64 weights.

use std::arch::x86_64::*;

use crate::kernels::activations::Row;
use crate::kernels::quant::{half_at, prefetch_distance};

/// Four rows times one column.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
pub(crate) fn dot(rows: [&[u8]; 4], cols: usize, x: &Row<'_>) -> [f32; 4] {
    let (blocks, bytes) = (cols / 256, cols / 256 * 84);
    assert!(rows.iter().all(|row| row.len() >= bytes) && x.q.len() >= cols);
    assert!(x.lanes.len() >= cols / 4 && x.sums.len() >= cols / 16);
    let (two_bits, nibble) = (_mm512_set1_epi8(3), _mm_set1_epi8(15));
    // Weights 0..31 and 32..63 of a step lie two bits apart in the same 32 bytes.
    let shift = _mm512_inserti64x4::<1>(_mm512_setzero_si512(), _mm256_set1_epi16(2));
    let shifts = [shift, _mm512_add_epi16(shift, _mm512_set1_epi16(4))];
    let four = _mm512_set_epi32(3, 3, 3, 3, 2, 2, 2, 2, 1, 1, 1, 1, 0, 0, 0, 0);
    let steps = [0, 4, 8, 12].map(|first| _mm512_add_epi32(four, _mm512_set1_epi32(first)));
    let distance = prefetch_distance(bytes);
    let mut sum = [_mm512_setzero_ps(); 4];
    for b in 0..blocks {
        for r in 0..4 {
            // SAFETY: block b of every row and of x is within the lengths checked above.
            unsafe {
                let at = rows[r].as_ptr().add(b * 84);
                let ahead = at.wrapping_add(distance);
                _mm_prefetch::<_MM_HINT_T0>(ahead.cast());
                _mm_prefetch::<_MM_HINT_T0>(ahead.wrapping_add(64).cast());
                let tail = std::slice::from_raw_parts(at.add(80), 4);
                let both = _mm_loadu_si128(at.cast());
                let widen = |nibbles, by| {
                    let values = _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(nibbles));
                    _mm512_mul_ps(values, _mm512_set1_ps(by))
                };
                let scales = widen(_mm_and_si128(both, nibble), half_at(tail));
                let high = _mm_and_si128(_mm_srli_epi16::<4>(both), nibble);
                let mins = widen(high, half_at(&tail[2..]));
                let sums = _mm512_loadu_ps(x.sums.as_ptr().add(b * 16));
                sum[r] = _mm512_fnmadd_ps(mins, sums, sum[r]);
                for half in 0..2 {
                    let packed = _mm256_loadu_si256(at.add(16 + half * 32).cast());
                    let packed = _mm512_broadcast_i64x4(packed);
                    for i in 0..2 {
                        let k = b * 256 + half * 128 + i * 64;
                        let w = _mm512_and_si512(_mm512_srlv_epi16(packed, shifts[i]), two_bits);
                        let v = _mm512_loadu_si512(x.q.as_ptr().add(k).cast());
                        let lanes = _mm512_loadu_ps(x.lanes.as_ptr().add(k / 4));
                        let scale = _mm512_permutexvar_ps(steps[half * 2 + i], scales);
                        let dots = _mm512_dpbusd_epi32(_mm512_setzero_si512(), w, v);
                        let dots = _mm512_cvtepi32_ps(dots);
                        sum[r] = _mm512_fmadd_ps(dots, _mm512_mul_ps(scale, lanes), sum[r]);
                    }
                }
            }
        }
    }
    sum.map(|sum| _mm512_reduce_add_ps(sum))
}
