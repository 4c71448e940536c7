//! Q5_0 row dot products with AVX-512 VNNI: two blocks (44 bytes) at a time.

use std::arch::x86_64::*;

use crate::kernels::activations::Row;
use crate::kernels::quant::prefetch_distance;

/// Four rows times one column.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
pub(crate) fn dot(rows: [&[u8]; 4], cols: usize, x: &Row<'_>) -> [f32; 4] {
    let bytes = cols / 32 * 22;
    let pairs = cols.div_ceil(64);
    assert!(rows.iter().all(|row| row.len() >= bytes) && x.q.len() >= pairs * 64);
    assert!(x.lanes.len() >= pairs * 16 && x.fours.len() >= pairs * 16);
    // 16-bit words of the pair: scale, 2 of fifth bits, 8 of nibbles, and again. Each block's nibbles twice: low half, high half.
    let spread = _mm512_set_epi16(
        21, 20, 19, 18, 17, 16, 15, 14, 21, 20, 19, 18, 17, 16, 15, 14, //
        10, 9, 8, 7, 6, 5, 4, 3, 10, 9, 8, 7, 6, 5, 4, 3,
    );
    let scales = _mm512_castsi256_si512(_mm256_set_epi16(
        11, 11, 11, 11, 11, 11, 11, 11, 0, 0, 0, 0, 0, 0, 0, 0,
    ));
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
    let (nibble, fifth) = (_mm512_set1_epi8(15), _mm512_set1_epi8(16));
    let distance = prefetch_distance(bytes);
    let mut sum = [_mm512_setzero_ps(); 4];
    for i in 0..pairs {
        // The last pair may be a single block; what lies beyond it is not read.
        let whole = cols - i * 64 >= 64;
        let mask = if whole { 0x3F_FFFF } else { 0x7FF };
        // SAFETY: pair i of every row is within `bytes`, masked to what is there; x is padded to whole pairs (checked).
        unsafe {
            let v = _mm512_loadu_si512(x.q.as_ptr().add(i * 64).cast());
            let lanes = _mm512_loadu_ps(x.lanes.as_ptr().add(i * 16));
            let less = _mm512_loadu_si512(x.fours.as_ptr().add(i * 16).cast());
            let less = _mm512_slli_epi32::<4>(less);
            for r in 0..4 {
                let at = rows[r].as_ptr().add(i * 44);
                _mm_prefetch::<_MM_HINT_T0>(at.wrapping_add(distance).cast());
                let pair = _mm512_maskz_loadu_epi16(mask, at.cast());
                // Bit i of the mask is the fifth bit of weight i: the order of the bytes below.
                let second = if whole { at.add(22) } else { at };
                let low = at.add(2).cast::<u32>().read_unaligned();
                let high = second.add(2).cast::<u32>().read_unaligned();
                let bits = u64::from(low) | u64::from(high) << 32;
                let w = _mm512_permutexvar_epi16(spread, pair);
                let w = _mm512_and_si512(_mm512_srlv_epi16(w, shift), nibble);
                let w = _mm512_mask_add_epi8(w, bits, w, fifth);
                let d = _mm512_castsi512_si256(_mm512_permutexvar_epi16(scales, pair));
                let scale = _mm512_mul_ps(_mm512_cvtph_ps(d), lanes);
                let dots = _mm512_cvtepi32_ps(_mm512_dpbusd_epi32(less, w, v));
                sum[r] = _mm512_fmadd_ps(dots, scale, sum[r]);
            }
        }
    }
    sum.map(|sum| _mm512_reduce_add_ps(sum))
}
