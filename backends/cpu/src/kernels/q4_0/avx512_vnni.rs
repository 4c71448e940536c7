//! Q4_0 row dot products with AVX-512 VNNI: two blocks (36 bytes) at a time.

use std::arch::x86_64::*;

use crate::kernels::activations::Row;
use crate::kernels::quant::prefetch_distance;

/// Four rows times one column.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
pub(crate) fn dot(rows: [&[u8]; 4], cols: usize, x: &Row<'_>) -> [f32; 4] {
    let bytes = cols / 32 * 18;
    let pairs = cols.div_ceil(64);
    assert!(rows.iter().all(|row| row.len() >= bytes) && x.q.len() >= pairs * 64);
    assert!(x.lanes.len() >= pairs * 16 && x.fours.len() >= pairs * 16);
    // 16-bit words of the pair: scale, 8 of nibbles, scale, 8 of nibbles. Each block's nibbles twice: low half, high half.
    let spread = _mm512_set_epi16(
        17, 16, 15, 14, 13, 12, 11, 10, 17, 16, 15, 14, 13, 12, 11, 10, //
        8, 7, 6, 5, 4, 3, 2, 1, 8, 7, 6, 5, 4, 3, 2, 1,
    );
    let scales =
        _mm512_castsi256_si512(_mm256_set_epi16(9, 9, 9, 9, 9, 9, 9, 9, 0, 0, 0, 0, 0, 0, 0, 0));
    let shift = _mm512_set_epi64(
        0x0004_0004_0004_0004,
        0x0004_0004_0004_0004,
        0,
        0, //
        0x0004_0004_0004_0004,
        0x0004_0004_0004_0004,
        0,
        0,
    );
    let nibble = _mm512_set1_epi8(15);
    let distance = prefetch_distance(bytes);
    let mut sum = [_mm512_setzero_ps(); 4];
    for i in 0..pairs {
        // The last pair may be a single block; what lies beyond it is not read.
        let mask = if cols - i * 64 >= 64 { 0x3_FFFF } else { 0x1FF };
        // SAFETY: pair i of every row is within `bytes`, masked to what is there; x is padded to whole pairs (checked).
        unsafe {
            let v = _mm512_loadu_si512(x.q.as_ptr().add(i * 64).cast());
            let lanes = _mm512_loadu_ps(x.lanes.as_ptr().add(i * 16));
            let less = _mm512_loadu_si512(x.fours.as_ptr().add(i * 16).cast());
            let less = _mm512_slli_epi32::<3>(less);
            for r in 0..4 {
                let at = rows[r].as_ptr().add(i * 36);
                // Four rows on: the same place of the next group.
                _mm_prefetch::<_MM_HINT_T0>(at.wrapping_add(distance).cast());
                let pair = _mm512_maskz_loadu_epi16(mask, at.cast());
                let w = _mm512_permutexvar_epi16(spread, pair);
                let w = _mm512_and_si512(_mm512_srlv_epi16(w, shift), nibble);
                let d = _mm512_castsi512_si256(_mm512_permutexvar_epi16(scales, pair));
                let scale = _mm512_mul_ps(_mm512_cvtph_ps(d), lanes);
                let dots = _mm512_cvtepi32_ps(_mm512_dpbusd_epi32(less, w, v));
                sum[r] = _mm512_fmadd_ps(dots, scale, sum[r]);
            }
        }
    }
    sum.map(|sum| _mm512_reduce_add_ps(sum))
}
