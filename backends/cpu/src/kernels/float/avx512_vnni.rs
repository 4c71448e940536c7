//! The line kernel and f16 conversion with AVX-512.

use std::arch::x86_64::*;

use super::{Columns, Lines, f16_to_f32};

/// # Safety
/// `w`, `x` and `out` hold `lines` lines and `C` columns.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
pub(crate) unsafe fn accumulate<const C: usize>(
    lines: usize,
    w: Lines<'_>,
    x: Columns<'_>,
    out: &mut [f32],
    out_column: usize,
) {
    // SAFETY: the caller checked the lengths.
    unsafe {
        let mut sum = [_mm512_setzero_ps(); C];
        let (mut line, mut at) = (w.data.as_ptr(), x.data.as_ptr());
        for _ in 0..lines {
            let w_line = _mm512_loadu_ps(line);
            for c in 0..C {
                let v = _mm512_set1_ps(*at.wrapping_add(c * x.column));
                sum[c] = _mm512_fmadd_ps(w_line, v, sum[c]);
            }
            line = line.wrapping_add(w.stride);
            at = at.wrapping_add(x.step);
        }
        for c in 0..C {
            let out = out.as_mut_ptr().add(c * out_column);
            _mm512_storeu_ps(out, _mm512_add_ps(_mm512_loadu_ps(out), sum[c]));
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
pub(crate) fn widen(half: &[u16], out: &mut [f32]) {
    let n = half.len().min(out.len());
    let whole = n / 16 * 16;
    for i in (0..whole).step_by(16) {
        // SAFETY: 16 elements from i are within both slices.
        unsafe {
            let half = _mm256_loadu_si256(half.as_ptr().add(i).cast());
            _mm512_storeu_ps(out.as_mut_ptr().add(i), _mm512_cvtph_ps(half));
        }
    }
    for i in whole..n {
        out[i] = f16_to_f32(half[i]);
    }
}
