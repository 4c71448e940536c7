//! F16 row dot products with AVX-512.

use std::arch::x86_64::*;

use crate::kernels::activations::Row;
use crate::kernels::quant::prefetch_distance;

/// Four rows times one column.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
pub(crate) fn dot(rows: [&[u8]; 4], cols: usize, x: &Row<'_>) -> [f32; 4] {
    assert!(rows.iter().all(|row| row.len() >= cols * 2) && x.float.len() >= cols);
    let distance = prefetch_distance(cols * 2);
    let mut sum = [_mm512_setzero_ps(); 4];
    for k in (0..cols).step_by(16) {
        let left = cols - k;
        let mask: __mmask16 = if left >= 16 { !0 } else { (1 << left) - 1 };
        // SAFETY: only the `left` values that remain are read (mask).
        unsafe {
            let v = _mm512_maskz_loadu_ps(mask, x.float.as_ptr().add(k));
            for r in 0..4 {
                let at = rows[r].as_ptr().add(k * 2);
                _mm_prefetch::<_MM_HINT_T0>(at.wrapping_add(distance).cast());
                let half = _mm256_maskz_loadu_epi16(mask, at.cast());
                sum[r] = _mm512_fmadd_ps(_mm512_cvtph_ps(half), v, sum[r]);
            }
        }
    }
    sum.map(|sum| _mm512_reduce_add_ps(sum))
}
