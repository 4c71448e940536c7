//! Q8_0 row dot products with AVX-512 VNNI: two blocks (68 bytes) at a time.

use std::arch::x86_64::*;

use crate::kernels::activations::Row;
use crate::kernels::quant::prefetch_distance;

/// Four rows times one column.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
pub(crate) fn dot(rows: [&[u8]; 4], cols: usize, x: &Row<'_>) -> [f32; 4] {
    let bytes = cols / 32 * 34;
    assert!(rows.iter().all(|row| row.len() >= bytes) && x.q.len() >= cols.next_multiple_of(64));
    assert!(x.lanes.len() >= cols.div_ceil(64) * 16 && x.fours.len() >= cols.div_ceil(64) * 16);
    let offset = _mm512_set1_epi8(-128);
    let distance = prefetch_distance(bytes);
    let mut sum = [_mm512_setzero_ps(); 4];
    for i in 0..cols.div_ceil(64) {
        let whole = cols - i * 64 >= 64;
        // SAFETY: pair i of every row is within `bytes` (the second block only if there is one); x is padded (checked).
        unsafe {
            let v = _mm512_loadu_si512(x.q.as_ptr().add(i * 64).cast());
            let lanes = _mm512_loadu_ps(x.lanes.as_ptr().add(i * 16));
            let less = _mm512_loadu_si512(x.fours.as_ptr().add(i * 16).cast());
            let less = _mm512_slli_epi32::<7>(less);
            for r in 0..4 {
                let at = rows[r].as_ptr().add(i * 68);
                _mm_prefetch::<_MM_HINT_T0>(at.wrapping_add(distance).cast());
                let first = _mm256_loadu_si256(at.add(2).cast());
                let second = if whole { at.add(34) } else { at };
                let both = _mm512_inserti64x4::<1>(
                    _mm512_castsi256_si512(first),
                    _mm256_loadu_si256(second.add(2).cast()),
                );
                let w = _mm512_xor_si512(both, offset);
                let d = _mm256_set_m128i(
                    _mm_set1_epi16(second.cast::<i16>().read_unaligned()),
                    _mm_set1_epi16(at.cast::<i16>().read_unaligned()),
                );
                let scale = _mm512_mul_ps(_mm512_cvtph_ps(d), lanes);
                let dots = _mm512_cvtepi32_ps(_mm512_dpbusd_epi32(less, w, v));
                sum[r] = _mm512_fmadd_ps(dots, scale, sum[r]);
            }
        }
    }
    sum.map(|sum| _mm512_reduce_add_ps(sum))
}
