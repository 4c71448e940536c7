//! Q5_K row dot products with AVX-512 VNNI: a block (176 bytes) in four steps of two groups.

use std::arch::x86_64::*;

use crate::kernels::activations::Row;
use crate::kernels::quant::{half_at, prefetch_distance, six_bit_scales};

/// Four rows times one column.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
pub(crate) fn dot(rows: [&[u8]; 4], cols: usize, x: &Row<'_>) -> [f32; 4] {
    let (blocks, bytes) = (cols / 256, cols / 256 * 176);
    assert!(rows.iter().all(|row| row.len() >= bytes) && x.q.len() >= cols);
    assert!(x.lanes.len() >= cols / 4 && x.sums.len() >= cols / 16);
    let (nibble, one) = (_mm512_set1_epi8(15), _mm512_set1_epi8(1));
    // Low nibbles in the lower 32 bytes, high nibbles in the upper.
    let shift = _mm512_inserti64x4::<1>(_mm512_setzero_si512(), _mm256_set1_epi16(4));
    let two = _mm512_set_epi32(1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0);
    // Bit g of each byte of fifth bits belongs to group g: 2j below, 2j + 1 above.
    let bit = _mm512_inserti64x4::<1>(_mm512_setzero_si512(), _mm256_set1_epi16(1));
    let bits = [0, 2, 4, 6].map(|first| _mm512_add_epi16(bit, _mm512_set1_epi16(first)));
    let steps = [0, 2, 4, 6].map(|first| _mm512_add_epi32(two, _mm512_set1_epi32(first)));
    let distance = prefetch_distance(bytes);
    let mut sum = [_mm512_setzero_ps(); 4];
    let mut less = [_mm256_setzero_ps(); 4];
    for b in 0..blocks {
        // SAFETY: block b of every row and of x is within the lengths checked above.
        unsafe {
            // Sums of 16 come in pairs: sums of 32 by adding neighbours.
            let sums = x.sums.as_ptr().add(b * 16);
            let sums = _mm256_hadd_ps(_mm256_loadu_ps(sums), _mm256_loadu_ps(sums.add(8)));
            let sums =
                _mm256_castpd_ps(_mm256_permute4x64_pd::<0b11_01_10_00>(_mm256_castps_pd(sums)));
            for r in 0..4 {
                let at = rows[r].as_ptr().add(b * 176);
                let ahead = at.wrapping_add(distance);
                _mm_prefetch::<_MM_HINT_T0>(ahead.cast());
                _mm_prefetch::<_MM_HINT_T0>(ahead.wrapping_add(64).cast());
                _mm_prefetch::<_MM_HINT_T0>(ahead.wrapping_add(128).cast());
                let head = std::slice::from_raw_parts(at, 16);
                let (scales, mins) = six_bit_scales(&head[4..16]);
                let widen = |bytes: [u8; 8]| {
                    let bytes = _mm_cvtsi64_si128(i64::from_le_bytes(bytes));
                    _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes))
                };
                let d = _mm256_set1_ps(half_at(head));
                let scales = _mm512_castps256_ps512(_mm256_mul_ps(d, widen(scales)));
                let mins = _mm256_mul_ps(_mm256_set1_ps(half_at(&head[2..])), widen(mins));
                less[r] = _mm256_fmadd_ps(mins, sums, less[r]);
                let fifths = _mm512_broadcast_i64x4(_mm256_loadu_si256(at.add(16).cast()));
                for (j, step) in steps.iter().enumerate() {
                    let packed = _mm256_loadu_si256(at.add(48 + j * 32).cast());
                    let w = _mm512_srlv_epi16(_mm512_broadcast_i64x4(packed), shift);
                    let fifth = _mm512_and_si512(_mm512_srlv_epi16(fifths, bits[j]), one);
                    let w =
                        _mm512_or_si512(_mm512_and_si512(w, nibble), _mm512_slli_epi16::<4>(fifth));
                    let v = _mm512_loadu_si512(x.q.as_ptr().add(b * 256 + j * 64).cast());
                    let lanes = _mm512_loadu_ps(x.lanes.as_ptr().add(b * 64 + j * 16));
                    let scale = _mm512_mul_ps(_mm512_permutexvar_ps(*step, scales), lanes);
                    let dots = _mm512_dpbusd_epi32(_mm512_setzero_si512(), w, v);
                    sum[r] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dots), scale, sum[r]);
                }
            }
        }
    }
    std::array::from_fn(|r| {
        _mm512_reduce_add_ps(_mm512_sub_ps(sum[r], _mm512_zextps256_ps512(less[r])))
    })
}
