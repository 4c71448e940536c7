//! Q5_0 row dot products with AVX2: one block (22 bytes) at a time.

use std::arch::x86_64::*;

use super::Q5_0;
use crate::kernels::activations::Row;
use crate::kernels::integer::avx2::{fours, scale_at, total};
use crate::kernels::quant::prefetch_distance;

/// Four rows times one column.
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn dot(rows: [&[u8]; 4], cols: usize, x: &Row<'_>) -> [f32; 4] {
    let (blocks, bytes) = (cols / 32, cols / 32 * 22);
    assert!(rows.iter().all(|row| row.len() >= bytes) && x.q.len() >= cols);
    assert!(x.lanes.len() >= cols / 4 && x.fours.len() >= cols / 4);
    let (nibble, fifth) = (_mm256_set1_epi8(15), _mm256_set1_epi8(16));
    // Byte i of the vector gets byte i / 8 of the fifth bits, of which it keeps bit i % 8.
    let spread =
        _mm256_set_epi64x(0x0303_0303_0303_0303, 0x0202_0202_0202_0202, 0x0101_0101_0101_0101, 0);
    let bit = _mm256_set1_epi64x(0x8040_2010_0804_0201_u64 as i64);
    let distance = prefetch_distance(bytes);
    let mut sum = [_mm256_setzero_ps(); 4];
    for b in 0..blocks {
        // SAFETY: block b of every row and of x is within the lengths checked above.
        unsafe {
            let v = _mm256_loadu_si256(x.q.as_ptr().add(b * 32).cast());
            let lanes = _mm256_loadu_ps(x.lanes.as_ptr().add(b * 8));
            let less = _mm256_loadu_si256(x.fours.as_ptr().add(b * 8).cast());
            let less = _mm256_slli_epi32::<4>(less);
            for r in 0..4 {
                let at = rows[r].as_ptr().add(b * 22);
                _mm_prefetch::<_MM_HINT_T0>(at.wrapping_add(distance).cast());
                let packed = _mm_loadu_si128(at.add(6).cast());
                let w = _mm256_set_m128i(_mm_srli_epi16::<4>(packed), packed);
                let bits = _mm256_set1_epi32(at.add(2).cast::<i32>().read_unaligned());
                let bits = _mm256_and_si256(_mm256_shuffle_epi8(bits, spread), bit);
                let bits = _mm256_and_si256(_mm256_cmpeq_epi8(bits, bit), fifth);
                let w = _mm256_or_si256(_mm256_and_si256(w, nibble), bits);
                let dots = _mm256_add_epi32(fours::<Q5_0>(w, v), less);
                let d = scale_at(at);
                let scale = _mm256_mul_ps(d, lanes);
                sum[r] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(dots), scale, sum[r]);
            }
        }
    }
    sum.map(|sum| total(sum))
}
