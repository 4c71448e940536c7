//! Q5_K row dot products with AVX2: a block (176 bytes) in four steps of two groups.

use std::arch::x86_64::*;

use super::Q5K;
use crate::kernels::activations::Row;
use crate::kernels::integer::avx2::{fours, total};
use crate::kernels::quant::{half_at, prefetch_distance, six_bit_scales};

/// Four rows times one column.
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn dot(rows: [&[u8]; 4], cols: usize, x: &Row<'_>) -> [f32; 4] {
    let (blocks, bytes) = (cols / 256, cols / 256 * 176);
    assert!(rows.iter().all(|row| row.len() >= bytes) && x.q.len() >= cols);
    assert!(x.lanes.len() >= cols / 4 && x.sums.len() >= cols / 16);
    let (nibble, one) = (_mm256_set1_epi8(15), _mm256_set1_epi8(1));
    let distance = prefetch_distance(bytes);
    let mut sum = [_mm256_setzero_ps(); 4];
    let mut less = [_mm256_setzero_ps(); 4];
    for b in 0..blocks {
        // SAFETY: block b of every row and of x is within the lengths checked above.
        unsafe {
            let sums = x.sums.as_ptr().add(b * 16);
            let sums = _mm256_hadd_ps(_mm256_loadu_ps(sums), _mm256_loadu_ps(sums.add(8)));
            let sums =
                _mm256_castpd_ps(_mm256_permute4x64_pd::<0b11_01_10_00>(_mm256_castps_pd(sums)));
            for r in 0..4 {
                let at = rows[r].as_ptr().add(b * 176);
                let ahead = at.wrapping_add(distance);
                _mm_prefetch::<_MM_HINT_T0>(ahead.cast());
                _mm_prefetch::<_MM_HINT_T0>(ahead.wrapping_add(64).cast());
                let head = std::slice::from_raw_parts(at, 16);
                let (scales, mins) = six_bit_scales(&head[4..16]);
                let widen = |bytes: [u8; 8]| {
                    let bytes = _mm_cvtsi64_si128(i64::from_le_bytes(bytes));
                    _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes))
                };
                let scales = _mm256_mul_ps(_mm256_set1_ps(half_at(head)), widen(scales));
                let mins = _mm256_mul_ps(_mm256_set1_ps(half_at(&head[2..])), widen(mins));
                less[r] = _mm256_fmadd_ps(mins, sums, less[r]);
                let fifths = _mm256_loadu_si256(at.add(16).cast());
                for j in 0..4 {
                    let packed = _mm256_loadu_si256(at.add(48 + j * 32).cast());
                    let low = _mm256_and_si256(packed, nibble);
                    let high = _mm256_and_si256(_mm256_srli_epi16::<4>(packed), nibble);
                    for (g, w) in [(2 * j, low), (2 * j + 1, high)] {
                        // Bit g of each byte belongs to this group.
                        let fifth = _mm256_srl_epi16(fifths, _mm_cvtsi32_si128(g as i32));
                        let fifth = _mm256_slli_epi16::<4>(_mm256_and_si256(fifth, one));
                        let w = _mm256_or_si256(w, fifth);
                        let v = _mm256_loadu_si256(x.q.as_ptr().add(b * 256 + g * 32).cast());
                        let lanes = _mm256_loadu_ps(x.lanes.as_ptr().add(b * 64 + g * 8));
                        let scale = _mm256_permutevar8x32_ps(scales, _mm256_set1_epi32(g as i32));
                        let dots = _mm256_cvtepi32_ps(fours::<Q5K>(w, v));
                        sum[r] = _mm256_fmadd_ps(dots, _mm256_mul_ps(scale, lanes), sum[r]);
                    }
                }
            }
        }
    }
    std::array::from_fn(|r| total(_mm256_sub_ps(sum[r], less[r])))
}
