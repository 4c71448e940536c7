//! Float panels with AVX-512.

use std::arch::x86_64::*;

use crate::kernels::integer::{PAIR, Product, TILE};

/// A square of 16 by 16 values, rows `stride` apart, into 16 lines.
///
/// # Safety
/// 16 values can be read of each row, and 256 written.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
pub(super) unsafe fn turn16(rows: *const f32, stride: usize, lines: *mut f32) {
    // SAFETY: the caller's promise.
    unsafe {
        let row: [__m512; 16] = std::array::from_fn(|r| _mm512_loadu_ps(rows.add(r * stride)));
        // Of each four rows: pairs of values, then fours; f[4 i + j] holds columns j, j + 4, .. of rows 4 i .. 4 i + 3.
        let mut f = [_mm512_setzero_ps(); 16];
        for i in 0..4 {
            let [a, b, c, d] = [0, 1, 2, 3].map(|r: usize| row[4 * i + r]);
            let (ab, cd) = (_mm512_unpacklo_ps(a, b), _mm512_unpacklo_ps(c, d));
            let (ef, gh) = (_mm512_unpackhi_ps(a, b), _mm512_unpackhi_ps(c, d));
            let low = |x: __m512, y: __m512| {
                let (x, y) = (_mm512_castps_pd(x), _mm512_castps_pd(y));
                _mm512_castpd_ps(_mm512_unpacklo_pd(x, y))
            };
            let high = |x: __m512, y: __m512| {
                let (x, y) = (_mm512_castps_pd(x), _mm512_castps_pd(y));
                _mm512_castpd_ps(_mm512_unpackhi_pd(x, y))
            };
            f[4 * i] = low(ab, cd);
            f[4 * i + 1] = high(ab, cd);
            f[4 * i + 2] = low(ef, gh);
            f[4 * i + 3] = high(ef, gh);
        }
        for j in 0..4 {
            let [a, b, c, d] = [0, 4, 8, 12].map(|i: usize| f[i + j]);
            // Quarters 0 and 2, then 1 and 3, of two vectors each.
            let (ab, cd) = (_mm512_shuffle_f32x4::<0x88>(a, b), _mm512_shuffle_f32x4::<0x88>(c, d));
            let (ef, gh) = (_mm512_shuffle_f32x4::<0xDD>(a, b), _mm512_shuffle_f32x4::<0xDD>(c, d));
            let store = |k: usize, v: __m512| _mm512_storeu_ps(lines.add((k * 4 + j) * 16), v);
            store(0, _mm512_shuffle_f32x4::<0x88>(ab, cd));
            store(2, _mm512_shuffle_f32x4::<0xDD>(ab, cd));
            store(1, _mm512_shuffle_f32x4::<0x88>(ef, gh));
            store(3, _mm512_shuffle_f32x4::<0xDD>(ef, gh));
        }
    }
}

/// Adds a pair of panels times a tile: 16 sums in registers.
///
/// # Safety
/// Both panels hold `deep` lines of 16, `x` as many of 8; panels are 64-byte aligned.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
pub(super) unsafe fn product(
    panels: [*const f32; PAIR],
    deep: usize,
    x: *const f32,
    out: &mut [Product; PAIR],
) {
    let mut sum = [[_mm512_setzero_ps(); TILE]; PAIR];
    // SAFETY: the caller's promise; a row of a product is 16 values.
    unsafe {
        for k in 0..deep {
            let w = panels.map(|panel| _mm512_load_ps(panel.add(k * 16)));
            for c in 0..TILE {
                let v = _mm512_set1_ps(*x.add(k * TILE + c));
                for p in 0..PAIR {
                    sum[p][c] = _mm512_fmadd_ps(w[p], v, sum[p][c]);
                }
            }
        }
        for p in 0..PAIR {
            for c in 0..TILE {
                let to = out[p][c].as_mut_ptr();
                _mm512_storeu_ps(to, _mm512_add_ps(_mm512_loadu_ps(to), sum[p][c]));
            }
        }
    }
}

/// As [`product`], with two bf16 in each word: products of pairs are added in one instruction.
///
/// # Safety
/// Both panels hold `words` lines of 16, `x` as many of 8; panels are 64-byte aligned.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512bf16,avx2,fma,f16c")]
pub(super) unsafe fn brain_product(
    panels: [*const f32; PAIR],
    words: usize,
    x: *const u32,
    out: &mut [Product; PAIR],
) {
    // SAFETY: a vector of bits is a vector of halves.
    let halves = |v: __m512i| unsafe { std::mem::transmute::<__m512i, __m512bh>(v) };
    let mut sum = [[_mm512_setzero_ps(); TILE]; PAIR];
    // SAFETY: the caller's promise; a row of a product is 16 values.
    unsafe {
        for k in 0..words {
            let w = panels.map(|panel| _mm512_load_si512(panel.add(k * 16).cast()));
            for c in 0..TILE {
                let v = halves(_mm512_set1_epi32(*x.add(k * TILE + c) as i32));
                for p in 0..PAIR {
                    sum[p][c] = _mm512_dpbf16_ps(sum[p][c], halves(w[p]), v);
                }
            }
        }
        for p in 0..PAIR {
            for c in 0..TILE {
                let to = out[p][c].as_mut_ptr();
                _mm512_storeu_ps(to, _mm512_add_ps(_mm512_loadu_ps(to), sum[p][c]));
            }
        }
    }
}
