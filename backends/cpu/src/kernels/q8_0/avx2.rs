//! Q8_0 row dot products with AVX2: one block (34 bytes) at a time.

use std::arch::x86_64::*;

use crate::kernels::activations::Row;
use crate::kernels::integer::avx2::{scale_at, total};
use crate::kernels::quant::prefetch_distance;

/// Four rows times one column.
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn dot(rows: [&[u8]; 4], cols: usize, x: &Row<'_>) -> [f32; 4] {
    let (blocks, bytes) = (cols / 32, cols / 32 * 34);
    assert!(rows.iter().all(|row| row.len() >= bytes) && x.q.len() >= cols);
    assert!(x.lanes.len() >= cols / 4);
    let ones = _mm256_set1_epi16(1);
    let distance = prefetch_distance(bytes);
    let mut sum = [_mm256_setzero_ps(); 4];
    for b in 0..blocks {
        // SAFETY: block b of every row and of x is within the lengths checked above.
        unsafe {
            let v = _mm256_loadu_si256(x.q.as_ptr().add(b * 32).cast());
            let lanes = _mm256_loadu_ps(x.lanes.as_ptr().add(b * 8));
            for r in 0..4 {
                let at = rows[r].as_ptr().add(b * 34);
                _mm_prefetch::<_MM_HINT_T0>(at.wrapping_add(distance).cast());
                let w = _mm256_loadu_si256(at.add(2).cast());
                // |w| * (v with the sign of w): 128 * 127 * 2 fits 16 bits.
                let pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(v, w));
                let dots = _mm256_cvtepi32_ps(_mm256_madd_epi16(pairs, ones));
                let d = scale_at(at);
                sum[r] = _mm256_fmadd_ps(dots, _mm256_mul_ps(d, lanes), sum[r]);
            }
        }
    }
    sum.map(|sum| total(sum))
}
