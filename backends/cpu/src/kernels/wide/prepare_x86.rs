//! Requantising with AVX-512, bit for bit as in plain Rust: a lane is a row, and takes its four weights of a line in turn.

use std::arch::x86_64::*;

use super::BLOCK;
use super::prepare::{ROUND, TOO_LARGE, inverse, step};
use crate::kernels::Grouping;
use crate::kernels::integer::ROWS;
use crate::kernels::packed::LINE;

/// The weights of byte `J` of each word.
#[inline]
#[target_feature(enable = "avx512f")]
pub(crate) fn weights<const J: u32>(q: __m512i) -> __m512 {
    let byte = _mm512_set1_epi32(0xFF);
    let word = match J {
        0 => _mm512_and_si512(q, byte),
        1 => _mm512_and_si512(_mm512_srli_epi32::<8>(q), byte),
        2 => _mm512_and_si512(_mm512_srli_epi32::<16>(q), byte),
        _ => _mm512_srli_epi32::<24>(q),
    };
    _mm512_cvtepi32_ps(word)
}

/// Sixteen floats.
#[inline]
#[target_feature(enable = "avx512f")]
pub(crate) fn floats(row: &[f32; ROWS]) -> __m512 {
    // SAFETY: sixteen floats are 64 bytes.
    unsafe { _mm512_loadu_ps(row.as_ptr()) }
}

/// `one` where the mask has bits, else `other`.
#[inline]
#[target_feature(enable = "avx512f")]
pub(crate) fn choose(mask: u32, one: __m512i, other: __m512i) -> __m512i {
    _mm512_ternarylogic_epi32::<0xCA>(_mm512_set1_epi32(mask as i32), one, other)
}

/// As [`super::largest`].
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
pub(crate) fn largest(
    from: Grouping,
    lines: &[[u8; LINE]],
    scales: &[[f32; ROWS]],
    mins: &[[f32; ROWS]],
) -> [f32; ROWS] {
    let offset = _mm512_set1_ps(from.offset);
    let mut most = _mm512_setzero_ps();
    for (g, lines) in lines.chunks(from.group / 4).enumerate() {
        let (mut low, mut high) = (_mm512_set1_epi8(-1), _mm512_setzero_si512());
        for line in lines {
            // SAFETY: a line is 64 bytes.
            let q = unsafe { _mm512_loadu_si512(line.as_ptr().cast()) };
            (low, high) = (_mm512_min_epu8(low, q), _mm512_max_epu8(high, q));
        }
        // Of the four bytes of a word, in its lowest.
        low = _mm512_min_epu8(low, _mm512_srli_epi32::<8>(low));
        high = _mm512_max_epu8(high, _mm512_srli_epi32::<8>(high));
        low = _mm512_min_epu8(low, _mm512_srli_epi32::<16>(low));
        high = _mm512_max_epu8(high, _mm512_srli_epi32::<16>(high));
        let scale = floats(&scales[g]);
        let min = if from.mins { floats(&mins[g]) } else { _mm512_setzero_ps() };
        let low = _mm512_mul_ps(scale, _mm512_sub_ps(weights::<0>(low), offset));
        let high = _mm512_mul_ps(scale, _mm512_sub_ps(weights::<0>(high), offset));
        let low = _mm512_abs_ps(_mm512_sub_ps(low, min));
        let high = _mm512_abs_ps(_mm512_sub_ps(high, min));
        // What is no number must not hide behind those that are; a maximum would drop it.
        let none = _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(low, high);
        let infinite = _mm512_set1_ps(f32::INFINITY);
        let largest = _mm512_mask_mov_ps(_mm512_max_ps(low, high), none, infinite);
        most = _mm512_max_ps(most, largest);
    }
    let mut out = [0.0; ROWS];
    // SAFETY: sixteen floats are 64 bytes.
    unsafe { _mm512_storeu_ps(out.as_mut_ptr(), most) };
    out
}

/// As [`super::requantise`].
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
pub(super) fn requantise(
    from: Grouping,
    lines: &mut [[u8; LINE]],
    scales: &mut [[f32; ROWS]],
    mins: &[[f32; ROWS]],
    excess: &mut [[i32; ROWS]],
) {
    let group = from.group / 4;
    for (b, lines) in lines.chunks_mut(BLOCK / 4).enumerate() {
        let first = b * BLOCK / from.group;
        let most = largest(from, lines, &scales[first..], mins.get(first..).unwrap_or_default());
        let mut inverses = [0.0; ROWS];
        for r in 0..ROWS {
            inverses[r] = inverse(most[r], 127.0);
        }
        let inverse = floats(&inverses);
        let positive = _mm512_cmp_ps_mask::<_CMP_GT_OQ>(inverse, _mm512_setzero_ps());
        let mut sums = _mm512_setzero_si512();
        for (g, lines) in lines.chunks_mut(group).enumerate() {
            let scale = floats(&scales[first + g]);
            let min = if from.mins { floats(&mins[first + g]) } else { _mm512_setzero_ps() };
            let by = _mm512_maskz_mul_ps(positive, scale, inverse);
            let less = _mm512_add_ps(_mm512_mul_ps(scale, _mm512_set1_ps(from.offset)), min);
            let less = _mm512_maskz_mul_ps(positive, less, inverse);
            for line in lines {
                sums = round_line(line, by, less, sums);
            }
        }
        for r in 0..ROWS {
            scales[b][r] = step(most[r], 127.0);
        }
        let sums = _mm512_mullo_epi32(sums, _mm512_set1_epi32(-TOO_LARGE));
        // SAFETY: sixteen words are 64 bytes.
        unsafe { _mm512_storeu_si512(excess[b].as_mut_ptr().cast(), sums) };
    }
}

/// `round(by * q - less)` of each weight, and the sums of the rows with theirs.
#[inline]
#[target_feature(enable = "avx512f,avx512vnni")]
fn round_line(line: &mut [u8; LINE], by: __m512, less: __m512, sums: __m512i) -> __m512i {
    // SAFETY: a line is 64 bytes.
    let q = unsafe { _mm512_loadu_si512(line.as_ptr().cast()) };
    let a = rounded(weights::<0>(q), by, less);
    let b = rounded(weights::<1>(q), by, less);
    let c = rounded(weights::<2>(q), by, less);
    let d = rounded(weights::<3>(q), by, less);
    let ab = choose(0xFF, a, _mm512_slli_epi32::<8>(b));
    let cd = choose(0xFF_0000, _mm512_slli_epi32::<16>(c), _mm512_slli_epi32::<24>(d));
    let all = choose(0xFFFF, ab, cd);
    // SAFETY: a line is 64 bytes.
    unsafe { _mm512_storeu_si512(line.as_mut_ptr().cast(), all) };
    _mm512_dpbusd_epi32(sums, _mm512_set1_epi8(1), all)
}

/// To the nearest integer, in the lowest byte.
#[inline]
#[target_feature(enable = "avx512f")]
fn rounded(weight: __m512, by: __m512, less: __m512) -> __m512i {
    // As plain Rust does it, in two steps.
    let weight = _mm512_sub_ps(_mm512_mul_ps(weight, by), less);
    _mm512_castps_si512(_mm512_add_ps(weight, _mm512_set1_ps(ROUND)))
}
