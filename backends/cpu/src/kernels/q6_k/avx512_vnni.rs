//! Q6_K row dot products with AVX-512 VNNI: a block (210 bytes) in two halves of 128 weights.

use std::arch::x86_64::*;

use crate::kernels::activations::Row;
use crate::kernels::quant::{half_at, prefetch_distance};

/// Four rows times one column.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
pub(crate) fn dot(rows: [&[u8]; 4], cols: usize, x: &Row<'_>) -> [f32; 4] {
    let (blocks, bytes) = (cols / 256, cols / 256 * 210);
    assert!(rows.iter().all(|row| row.len() >= bytes) && x.q.len() >= cols);
    assert!(x.lanes.len() >= cols / 4 && x.fours.len() >= cols / 4);
    let nibble = _mm512_set1_epi8(15);
    let top = _mm512_set1_epi8(0x30);
    // The 2-bit tops of weights 0..31, 32..63 (then 64..95, 96..127) lie at bits 0, 2 (then 4, 6) of the same 32 bytes.
    let tops_low = _mm512_inserti64x4::<1>(_mm512_set1_epi16(4), _mm256_set1_epi16(2));
    let tops_high = _mm512_inserti64x4::<1>(_mm512_setzero_si512(), _mm256_set1_epi16(2));
    let four = _mm512_set_epi32(3, 3, 3, 3, 2, 2, 2, 2, 1, 1, 1, 1, 0, 0, 0, 0);
    let steps = [0, 4, 8, 12].map(|first| _mm512_add_epi32(four, _mm512_set1_epi32(first)));
    let distance = prefetch_distance(bytes);
    let mut sum = [_mm512_setzero_ps(); 4];
    for b in 0..blocks {
        for r in 0..4 {
            // SAFETY: block b of every row and of x is within the lengths checked above.
            unsafe {
                let at = rows[r].as_ptr().add(b * 210);
                let ahead = at.wrapping_add(distance);
                for line in 0..4 {
                    _mm_prefetch::<_MM_HINT_T0>(ahead.wrapping_add(line * 64).cast());
                }
                let scales = _mm_loadu_si128(at.add(192).cast());
                let d = half_at(std::slice::from_raw_parts(at.add(208), 2));
                let scales = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(scales));
                let scales = _mm512_mul_ps(scales, _mm512_set1_ps(d));
                for half in 0..2 {
                    let low = _mm512_loadu_si512(at.add(half * 64).cast());
                    let high = _mm256_loadu_si256(at.add(128 + half * 32).cast());
                    let high = _mm512_broadcast_i64x4(high);
                    let w = [
                        _mm512_or_si512(
                            _mm512_and_si512(low, nibble),
                            // Left by 4 and by 2: 0 and 2 to bit 4.
                            _mm512_and_si512(_mm512_sllv_epi16(high, tops_low), top),
                        ),
                        _mm512_or_si512(
                            _mm512_and_si512(_mm512_srli_epi16::<4>(low), nibble),
                            // Right by 0 and by 2: 4 and 6 to bit 4.
                            _mm512_and_si512(_mm512_srlv_epi16(high, tops_high), top),
                        ),
                    ];
                    for (i, w) in w.into_iter().enumerate() {
                        let k = b * 256 + half * 128 + i * 64;
                        let v = _mm512_loadu_si512(x.q.as_ptr().add(k).cast());
                        let lanes = _mm512_loadu_ps(x.lanes.as_ptr().add(k / 4));
                        let less = _mm512_loadu_si512(x.fours.as_ptr().add(k / 4).cast());
                        let less = _mm512_slli_epi32::<5>(less);
                        let scale = _mm512_permutexvar_ps(steps[half * 2 + i], scales);
                        let dots = _mm512_cvtepi32_ps(_mm512_dpbusd_epi32(less, w, v));
                        sum[r] = _mm512_fmadd_ps(dots, _mm512_mul_ps(scale, lanes), sum[r]);
                    }
                }
            }
        }
    }
    sum.map(|sum| _mm512_reduce_add_ps(sum))
}
