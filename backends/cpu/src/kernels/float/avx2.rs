//! The line kernel with AVX2 and FMA, f16 conversion with F16C.

use std::arch::x86_64::*;

use super::{Columns, Lines, f16_to_f32};

/// # Safety
/// `w`, `x` and `out` hold `lines` lines and `C` columns.
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) unsafe fn accumulate<const C: usize>(
    lines: usize,
    w: Lines<'_>,
    x: Columns<'_>,
    out: &mut [f32],
    out_column: usize,
) {
    for half in [0, 8] {
        // SAFETY: the caller checked the lengths; a line is two halves of 8.
        unsafe {
            let mut sum = [_mm256_setzero_ps(); C];
            let (mut line, mut at) = (w.data.as_ptr().add(half), x.data.as_ptr());
            for _ in 0..lines {
                let w_line = _mm256_loadu_ps(line);
                for c in 0..C {
                    let v = _mm256_set1_ps(*at.wrapping_add(c * x.column));
                    sum[c] = _mm256_fmadd_ps(w_line, v, sum[c]);
                }
                line = line.wrapping_add(w.stride);
                at = at.wrapping_add(x.step);
            }
            for c in 0..C {
                let out = out.as_mut_ptr().add(c * out_column + half);
                _mm256_storeu_ps(out, _mm256_add_ps(_mm256_loadu_ps(out), sum[c]));
            }
        }
    }
}

#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn widen(half: &[u16], out: &mut [f32]) {
    let n = half.len().min(out.len());
    let whole = n / 8 * 8;
    for i in (0..whole).step_by(8) {
        // SAFETY: 8 elements from i are within both slices.
        unsafe {
            let half = _mm_loadu_si128(half.as_ptr().add(i).cast());
            _mm256_storeu_ps(out.as_mut_ptr().add(i), _mm256_cvtph_ps(half));
        }
    }
    for i in whole..n {
        out[i] = f16_to_f32(half[i]);
    }
}
