//! F16 row dot products with AVX2, FMA and F16C.

use std::arch::x86_64::*;

use crate::kernels::activations::Row;
use crate::kernels::integer::avx2::total;
use crate::kernels::quant::{half_at, prefetch_distance};

/// Four rows times one column.
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn dot(rows: [&[u8]; 4], cols: usize, x: &Row<'_>) -> [f32; 4] {
    assert!(rows.iter().all(|row| row.len() >= cols * 2) && x.float.len() >= cols);
    let distance = prefetch_distance(cols * 2);
    let mut sum = [_mm256_setzero_ps(); 4];
    let whole = cols / 8 * 8;
    for k in (0..whole).step_by(8) {
        // SAFETY: eight values from k are within every row and x (checked).
        unsafe {
            let v = _mm256_loadu_ps(x.float.as_ptr().add(k));
            for r in 0..4 {
                let at = rows[r].as_ptr().add(k * 2);
                _mm_prefetch::<_MM_HINT_T0>(at.wrapping_add(distance).cast());
                let half = _mm_loadu_si128(at.cast());
                sum[r] = _mm256_fmadd_ps(_mm256_cvtph_ps(half), v, sum[r]);
            }
        }
    }
    std::array::from_fn(|r| {
        let rest = (whole..cols).map(|k| half_at(&rows[r][2 * k..]) * x.float[k]);
        total(sum[r]) + rest.sum::<f32>()
    })
}
