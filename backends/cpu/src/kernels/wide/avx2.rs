//! Wide products with AVX2.

use std::arch::x86_64::*;

use super::{BLOCK, Wide, check};
use crate::kernels::integer::{PAIR, Product, ROWS, TILE, Unpacked};

/// Adds a pair of panels times a tile.
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn product(
    pair: &mut [Unpacked; PAIR],
    deep: usize,
    x: &Wide<'_>,
    out: &mut [Product; PAIR],
) {
    check(pair, deep, x);
    for (panel, out) in pair.iter().zip(out) {
        for start in (0..deep).step_by(BLOCK) {
            let end = (start + BLOCK).min(deep);
            for (first_row, first_column) in [(0, 0), (0, 4), (8, 0), (8, 4)] {
                // SAFETY: panel and tile hold `deep` values (checked).
                let total = unsafe { quarter(panel, start, end, x, first_row, first_column) };
                for (c, total) in total.into_iter().enumerate() {
                    let scale = x.scale[start / BLOCK * TILE + first_column + c];
                    let to = &mut out[first_column + c][first_row..first_row + 8];
                    // SAFETY: eight values.
                    unsafe {
                        let sum = _mm256_loadu_ps(to.as_ptr());
                        let sum = _mm256_fmadd_ps(total, _mm256_set1_ps(scale), sum);
                        _mm256_storeu_ps(to.as_mut_ptr(), sum);
                    }
                }
            }
        }
    }
}

/// Eight rows by four columns, values `start .. end`, without the columns' scales: what 16 registers hold.
///
/// # Safety
/// Panel and tile hold the values, which begin a block; `first_row` is 0 or 8, `first_column` 0 or 4.
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn quarter(
    panel: &Unpacked,
    start: usize,
    end: usize,
    x: &Wide<'_>,
    first_row: usize,
    first_column: usize,
) -> [__m256; 4] {
    let mut sum = [_mm256_setzero_si256(); 4];
    // SAFETY: the block is there (the caller); panels are 64-byte aligned.
    unsafe {
        for line in start / 4..end / 4 {
            let w = panel.q.pointer().add((line * ROWS + first_row) * 4);
            let w = _mm256_load_si256(w.cast());
            let v = x.q.as_ptr().add((line * TILE + first_column) * 4).cast::<i32>();
            for c in 0..4 {
                let v = _mm256_set1_epi32(v.add(c).read_unaligned());
                sum[c] = _mm256_add_epi32(sum[c], fours(w, v));
            }
        }
        let scale = panel.scales.pointer().add(start / BLOCK * ROWS + first_row);
        let scale = _mm256_load_ps(scale);
        sum.map(|sum| _mm256_mul_ps(_mm256_cvtepi32_ps(sum), scale))
    }
}

/// Sums of 4 products of signed weights and columns that are 128 too large. Pairs must fit 16 bits, so columns are made signed
/// first, and nothing is in excess.
#[target_feature(enable = "avx2")]
fn fours(w: __m256i, v: __m256i) -> __m256i {
    let v = _mm256_xor_si256(v, _mm256_set1_epi8(-128));
    let pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(v, w));
    _mm256_madd_epi16(pairs, _mm256_set1_epi16(1))
}
