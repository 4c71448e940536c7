//! Wide products with AVX2.

use std::arch::x86_64::*;

use super::{BLOCK, Wide, check, summed};
use crate::kernels::integer::{PAIR, Product, ROWS, TILE, Unpacked};

/// Adds a pair of panels, in groups of `GROUP` with minima or not, times a tile.
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn product<const GROUP: usize, const MINS: bool>(
    pair: &mut [Unpacked; PAIR],
    deep: usize,
    x: &Wide<'_>,
    out: &mut [Product; PAIR],
) {
    check(pair, deep, GROUP, x);
    for (panel, out) in pair.iter().zip(out) {
        for start in (0..deep).step_by(BLOCK) {
            let end = (start + BLOCK).min(deep);
            for (first_row, first_column) in [(0, 0), (0, 4), (8, 0), (8, 4)] {
                // SAFETY: panel and tile hold `deep` values (checked).
                let total = unsafe {
                    quarter::<GROUP, MINS>(panel, start, end, x, first_row, first_column)
                };
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
/// Panel and tile hold the values; `first_row` is 0 or 8, `first_column` 0 or 4.
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn quarter<const GROUP: usize, const MINS: bool>(
    panel: &Unpacked,
    start: usize,
    end: usize,
    x: &Wide<'_>,
    first_row: usize,
    first_column: usize,
) -> [__m256; 4] {
    let mut total = [_mm256_setzero_ps(); 4];
    for from in (start..end).step_by(GROUP) {
        let at = from / GROUP * ROWS + first_row;
        // SAFETY: the group is there (the caller); panels are 64-byte aligned.
        unsafe {
            let excess = _mm256_load_si256(panel.excess.pointer().add(at).cast());
            let mut sum = [if GROUP == BLOCK { _mm256_setzero_si256() } else { excess }; 4];
            for line in from / 4..(from + GROUP).min(end) / 4 {
                let w = panel.q.pointer().add((line * ROWS + first_row) * 4);
                let w = _mm256_load_si256(w.cast());
                let v = x.q.as_ptr().add((line * TILE + first_column) * 4).cast::<i32>();
                for c in 0..4 {
                    let v = _mm256_set1_epi32(v.add(c).read_unaligned());
                    sum[c] = _mm256_add_epi32(sum[c], fours::<GROUP>(w, v));
                }
            }
            let scale = _mm256_load_ps(panel.scales.pointer().add(at));
            for c in 0..4 {
                total[c] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sum[c]), scale, total[c]);
            }
            if MINS {
                let min = _mm256_load_ps(panel.mins.pointer().add(at));
                let sums = x.sums.as_ptr().add(summed(from, GROUP) + first_column);
                for c in 0..4 {
                    total[c] = _mm256_fnmadd_ps(min, _mm256_set1_ps(*sums.add(c)), total[c]);
                }
            }
        }
    }
    total
}

/// Sums of 4 products of signed weights and columns that are 128 too large; pairs must fit 16 bits. In the formats' own groups
/// weights are at most 32 large and do; requantised ones need the columns signed, and then nothing is in excess.
#[target_feature(enable = "avx2")]
fn fours<const GROUP: usize>(w: __m256i, v: __m256i) -> __m256i {
    let pairs = if GROUP == BLOCK {
        let v = _mm256_xor_si256(v, _mm256_set1_epi8(-128));
        _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(v, w))
    } else {
        _mm256_maddubs_epi16(v, w)
    };
    _mm256_madd_epi16(pairs, _mm256_set1_epi16(1))
}
