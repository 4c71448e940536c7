//! Q4_0 row dot products with AVX2: one block (18 bytes) at a time.

use std::arch::x86_64::*;

use super::Q4_0;
use crate::kernels::activations::Row;
use crate::kernels::integer::avx2::{fours, scale_at, total};
use crate::kernels::quant::prefetch_distance;

/// Four rows times one column.
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn dot(rows: [&[u8]; 4], cols: usize, x: &Row<'_>) -> [f32; 4] {
    let (blocks, bytes) = (cols / 32, cols / 32 * 18);
    assert!(rows.iter().all(|row| row.len() >= bytes) && x.q.len() >= cols);
    assert!(x.lanes.len() >= cols / 4 && x.fours.len() >= cols / 4);
    let nibble = _mm256_set1_epi8(15);
    let distance = prefetch_distance(bytes);
    let mut sum = [_mm256_setzero_ps(); 4];
    for b in 0..blocks {
        // SAFETY: block b of every row and of x is within the lengths checked above.
        unsafe {
            let v = _mm256_loadu_si256(x.q.as_ptr().add(b * 32).cast());
            let lanes = _mm256_loadu_ps(x.lanes.as_ptr().add(b * 8));
            let less = _mm256_loadu_si256(x.fours.as_ptr().add(b * 8).cast());
            let less = _mm256_slli_epi32::<3>(less);
            for r in 0..4 {
                let at = rows[r].as_ptr().add(b * 18);
                _mm_prefetch::<_MM_HINT_T0>(at.wrapping_add(distance).cast());
                let packed = _mm_loadu_si128(at.add(2).cast());
                let w = _mm256_set_m128i(_mm_srli_epi16::<4>(packed), packed);
                let dots = fours::<Q4_0>(_mm256_and_si256(w, nibble), v);
                let dots = _mm256_cvtepi32_ps(_mm256_add_epi32(dots, less));
                let d = scale_at(at);
                sum[r] = _mm256_fmadd_ps(dots, _mm256_mul_ps(d, lanes), sum[r]);
            }
        }
    }
    sum.map(|sum| total(sum))
}
