//! The integer kernels with AVX2: `vpmaddubsw` and `vpmaddwd` in place of a dot product instruction.

use std::arch::x86_64::*;

use super::{Blocks, PAIR, Product, TILE, Unpacked, unpack_panel};
use crate::kernels::activations::{Row, Tile};
use crate::kernels::quant::Quant;
use crate::kernels::quantise::BLOCK;

/// Sums of 4 products, weights `w` unsigned with the format's offset still in, activations `v` signed.
/// Pairs of products must fit 16 bits: below offset 128 they do (63 * 127 * 2); at 128 the signed weights are used instead,
/// and the offset is gone.
#[target_feature(enable = "avx2")]
pub(crate) fn fours<F: Quant>(w: __m256i, v: __m256i) -> __m256i {
    let ones = _mm256_set1_epi16(1);
    if F::SHIFT == 7 {
        let w = _mm256_xor_si256(w, _mm256_set1_epi8(-128));
        let pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(v, w));
        _mm256_madd_epi16(pairs, ones)
    } else {
        _mm256_madd_epi16(_mm256_maddubs_epi16(w, v), ones)
    }
}

/// The f16 at `at` in every lane.
///
/// # Safety
/// Two bytes can be read there.
#[target_feature(enable = "avx2,f16c")]
pub(crate) unsafe fn scale_at(at: *const u8) -> __m256 {
    // SAFETY: the caller's promise.
    let bits = unsafe { at.cast::<i16>().read_unaligned() };
    _mm256_cvtph_ps(_mm_set1_epi16(bits))
}

/// Sum of eight lanes.
#[target_feature(enable = "avx2")]
pub(crate) fn total(v: __m256) -> f32 {
    let v = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps::<1>(v));
    let v = _mm_add_ps(v, _mm_movehl_ps(v, v));
    _mm_cvtss_f32(_mm_add_ss(v, _mm_movehdup_ps(v)))
}

/// Four rows times one column, for any format: blocks are unpacked to the stack.
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn dot<F: Quant>(rows: [&[u8]; 4], cols: usize, x: &Row<'_>) -> [f32; 4] {
    rows.map(|row| dot_one::<F>(row, cols, x))
}

#[target_feature(enable = "avx2,fma,f16c")]
fn dot_one<F: Quant>(row: &[u8], cols: usize, x: &Row<'_>) -> f32 {
    assert!(row.len() >= cols / F::BLOCK * F::BYTES && x.q.len() >= cols);
    assert!(x.lanes.len() >= cols / 4 && x.fours.len() >= cols / 4);
    let (mut q, mut scales, mut mins) = ([0_u8; 256], [0.0_f32; 16], [0.0_f32; 16]);
    let mut sum = _mm256_setzero_ps();
    let mut less = 0.0;
    for (b, block) in row.chunks_exact(F::BYTES).take(cols / F::BLOCK).enumerate() {
        F::unpack(block, &mut q, &mut scales, &mut mins);
        for i in 0..F::BLOCK / BLOCK {
            let at = b * F::BLOCK + i * BLOCK;
            // SAFETY: `q` holds 256 bytes; x holds `cols` values (checked), whole blocks of 32.
            let (w, v, lanes, minus) = unsafe {
                (
                    _mm256_loadu_si256(q.as_ptr().add(i * BLOCK).cast()),
                    _mm256_loadu_si256(x.q.as_ptr().add(at).cast()),
                    _mm256_loadu_ps(x.lanes.as_ptr().add(at / 4)),
                    _mm256_loadu_si256(x.fours.as_ptr().add(at / 4).cast()),
                )
            };
            let mut dots = fours::<F>(w, v);
            if F::SHIFT > 0 && F::SHIFT < 7 {
                let shift = _mm_cvtsi32_si128(F::SHIFT as i32);
                dots = _mm256_add_epi32(dots, _mm256_sll_epi32(minus, shift));
            }
            let scale = if F::GROUP == 32 {
                _mm256_set1_ps(scales[i])
            } else {
                _mm256_set_m128(_mm_set1_ps(scales[2 * i + 1]), _mm_set1_ps(scales[2 * i]))
            };
            sum = _mm256_fmadd_ps(_mm256_cvtepi32_ps(dots), _mm256_mul_ps(scale, lanes), sum);
            if F::MINS && F::GROUP == 32 {
                less += mins[i] * (x.sums[at / 16] + x.sums[at / 16 + 1]);
            } else if F::MINS {
                less += mins[2 * i] * x.sums[at / 16] + mins[2 * i + 1] * x.sums[at / 16 + 1];
            }
        }
    }
    total(sum) - less
}

/// Unpacks a panel.
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn unpack<F: Quant>(blocks: Blocks<'_>, to: &mut Unpacked) {
    unpack_panel::<F>(blocks, to);
}

/// Adds a pair of panels times a tile.
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn product<F: Quant>(
    pair: &mut [Unpacked; PAIR],
    cols: usize,
    x: &Tile<'_>,
    out: &mut [Product; PAIR],
) {
    for (panel, out) in pair.iter().zip(out) {
        one::<F>(panel, cols, x, out);
    }
}

/// A panel times a tile, 8 rows by 4 columns at a time: that is what 16 registers hold.
#[target_feature(enable = "avx2,fma,f16c")]
fn one<F: Quant>(panel: &Unpacked, cols: usize, x: &Tile<'_>, out: &mut Product) {
    let blocks = cols / BLOCK;
    let groups = BLOCK / F::GROUP;
    assert!(panel.q.len() >= cols * 16 && panel.scales.len() >= blocks * groups * 16);
    assert!(panel.mins.len() >= blocks * groups * 16 && x.q.len() >= cols * TILE);
    assert!(x.scale.len() >= blocks * TILE && x.less.len() >= blocks * 3 * TILE);
    assert!(x.sums.len() >= blocks * 3 * TILE);
    for first_row in [0, 8] {
        for first_column in [0, 4] {
            // SAFETY: the lengths are checked above.
            let quarter = unsafe { quarter::<F>(panel, blocks, x, first_row, first_column) };
            for (out, total) in out[first_column..].iter_mut().zip(quarter) {
                // SAFETY: a row of the product is 16 values, and `first_row` is 0 or 8.
                unsafe {
                    let to = out.as_mut_ptr().add(first_row);
                    _mm256_storeu_ps(to, _mm256_add_ps(_mm256_loadu_ps(to), total));
                }
            }
        }
    }
}

/// # Safety
/// Panel and tile hold `blocks` blocks; `first_row` is 0 or 8, `first_column` 0 or 4.
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn quarter<F: Quant>(
    panel: &Unpacked,
    blocks: usize,
    x: &Tile<'_>,
    first_row: usize,
    first_column: usize,
) -> [__m256; 4] {
    let (q, scales, mins) = (panel.q.pointer(), panel.scales.pointer(), panel.mins.pointer());
    let groups = BLOCK / F::GROUP;
    let lines = F::GROUP / 4;
    let mut total = [_mm256_setzero_ps(); 4];
    for b in 0..blocks {
        for g in 0..groups {
            let which = b * 3 + if groups == 1 { 2 } else { g };
            let mut sum = [_mm256_setzero_si256(); 4];
            // SAFETY: every index is within `blocks` blocks (the caller); panels are 64-byte aligned.
            unsafe {
                if F::SHIFT > 0 && F::SHIFT < 7 {
                    let shift = _mm_cvtsi32_si128(F::SHIFT as i32);
                    let less = x.less.as_ptr().add(which * TILE + first_column);
                    for c in 0..4 {
                        sum[c] = _mm256_sll_epi32(_mm256_set1_epi32(*less.add(c)), shift);
                    }
                }
                for line in 0..lines {
                    let at = b * 8 + g * lines + line;
                    let w = _mm256_load_si256(q.add(at * 64 + first_row * 4).cast());
                    let v = x.q.as_ptr().add((at * TILE + first_column) * 4).cast::<i32>();
                    for c in 0..4 {
                        let v = _mm256_set1_epi32(v.add(c).read_unaligned());
                        sum[c] = _mm256_add_epi32(sum[c], fours::<F>(w, v));
                    }
                }
                let at = (b * groups + g) * 16 + first_row;
                let scale = _mm256_load_ps(scales.add(at));
                let column = x.scale.as_ptr().add(b * TILE + first_column);
                for c in 0..4 {
                    let scale = _mm256_mul_ps(scale, _mm256_set1_ps(*column.add(c)));
                    total[c] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sum[c]), scale, total[c]);
                }
                if F::MINS {
                    let min = _mm256_load_ps(mins.add(at));
                    let sums = x.sums.as_ptr().add(which * TILE + first_column);
                    for c in 0..4 {
                        total[c] = _mm256_fnmadd_ps(min, _mm256_set1_ps(*sums.add(c)), total[c]);
                    }
                }
            }
        }
    }
    total
}
