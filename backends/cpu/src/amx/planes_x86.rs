//! Planes with AVX-512, which every processor with tiles has: bit for bit as in plain Rust.

use std::arch::x86_64::*;

use super::planes::{LESS, LOW, PLACES, ROUND, TOP};
use crate::kernels::Grouping;
use crate::kernels::integer::ROWS;
use crate::kernels::packed::LINE;
use crate::kernels::wide::prepare_x86::{choose, floats, weights};

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
pub(super) fn split(
    from: Grouping,
    lines: &mut [[u8; LINE]],
    lows: &mut [[u8; LINE]],
    scales: &[[f32; ROWS]],
    mins: &[[f32; ROWS]],
    inverse: &[f32; ROWS],
) {
    let inverse = floats(inverse);
    let some = _mm512_cmp_ps_mask::<_CMP_GT_OQ>(inverse, _mm512_setzero_ps());
    let group = from.group / 4;
    for (g, (lines, lows)) in lines.chunks_mut(group).zip(lows.chunks_mut(group)).enumerate() {
        let scale = floats(&scales[g]);
        let min = if from.mins { floats(&mins[g]) } else { _mm512_setzero_ps() };
        let by = _mm512_maskz_mul_ps(some, scale, inverse);
        let less = _mm512_fmadd_ps(scale, _mm512_set1_ps(from.offset), min);
        let less = _mm512_maskz_mul_ps(some, less, inverse);
        for (line, low) in lines.iter_mut().zip(lows) {
            split_line(line, low, by, less);
        }
    }
}

/// Four weights of each row.
#[inline]
#[target_feature(enable = "avx512f")]
fn split_line(line: &mut [u8; LINE], low: &mut [u8; LINE], by: __m512, less: __m512) {
    // SAFETY: a line is 64 bytes.
    let q = unsafe { _mm512_loadu_si512(line.as_ptr().cast()) };
    let a = rounded(weights::<0>(q), by, less);
    let b = rounded(weights::<1>(q), by, less);
    let c = rounded(weights::<2>(q), by, less);
    let d = rounded(weights::<3>(q), by, less);
    let (upper, lower) = (uppers(a, b, c, d), lowers(a, b, c, d));
    // SAFETY: a line is 64 bytes.
    unsafe {
        _mm512_storeu_si512(line.as_mut_ptr().cast(), upper);
        _mm512_storeu_si512(low.as_mut_ptr().cast(), lower);
    }
}

/// To the nearest integer, 32 too large, in the lowest bits.
#[inline]
#[target_feature(enable = "avx512f")]
fn rounded(weight: __m512, by: __m512, less: __m512) -> __m512i {
    let weight = _mm512_fmsub_ps(weight, by, less);
    _mm512_castps_si512(_mm512_add_ps(weight, _mm512_set1_ps(ROUND)))
}

/// Bits 6 to 13 of each, as the bytes of a word.
#[inline]
#[target_feature(enable = "avx512f")]
fn uppers(a: __m512i, b: __m512i, c: __m512i, d: __m512i) -> __m512i {
    const { assert!(PLACES == 6) };
    let ab = choose(0xFF, _mm512_srli_epi32::<6>(a), _mm512_slli_epi32::<2>(b));
    let cd = choose(0xFF_0000, _mm512_slli_epi32::<10>(c), _mm512_slli_epi32::<18>(d));
    choose(0xFFFF, ab, cd)
}

/// Bits 0 to 5 of each, 32 less, as the bytes of a word.
#[inline]
#[target_feature(enable = "avx512f")]
fn lowers(a: __m512i, b: __m512i, c: __m512i, d: __m512i) -> __m512i {
    let ab = choose(0xFF, a, _mm512_slli_epi32::<8>(b));
    let cd = choose(0xFF_0000, _mm512_slli_epi32::<16>(c), _mm512_slli_epi32::<24>(d));
    let all = choose(0xFFFF, ab, cd);
    let top = _mm512_set1_epi32(TOP as i32);
    let places = _mm512_set1_epi32(((LOW - 1) * 0x0101_0101) as i32);
    // (all and places) or top
    let all = _mm512_ternarylogic_epi32::<0xEA>(all, places, top);
    _mm512_xor_si512(_mm512_sub_epi32(all, _mm512_set1_epi32(LESS as i32)), top)
}
