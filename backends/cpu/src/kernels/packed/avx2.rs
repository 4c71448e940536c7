//! Packed panels with AVX2: half a line, 8 rows, is what a vector holds; pairs of products are added in 16 bits.

use std::arch::x86_64::*;

use super::{
    GROUPS, LINE, Packed, Run, STACK, Step, assert_long_enough, chunk_bytes, high_line, low_line,
    plain,
};
use crate::kernels::activations::Row;
use crate::kernels::integer::avx2::fours;
use crate::kernels::integer::{ROWS, Unpacked};
use crate::kernels::prefetch::{FEW, NEAR, ONCE, hints, stream};

/// A shift to the left, or to the right if negative; immediate once the loop around it is unrolled.
///
/// # Safety
/// AVX2.
#[inline(always)]
unsafe fn shift(v: __m256i, by: i32) -> __m256i {
    // SAFETY: the caller's promise.
    unsafe {
        if by >= 0 {
            _mm256_sll_epi16(v, _mm_cvtsi32_si128(by))
        } else {
            _mm256_srl_epi16(v, _mm_cvtsi32_si128(-by))
        }
    }
}

/// Half `half` (0 or 1) of the 4 or 8 lines of group `g`.
///
/// # Safety
/// AVX2; `chunk` is the start of a whole chunk, `g` one of its groups.
#[inline(always)]
unsafe fn lines<F: Packed>(chunk: *const u8, g: usize, half: usize) -> [__m256i; 8] {
    // SAFETY: the caller's promises; a group's lines lie within the chunk.
    unsafe {
        let count = F::GROUP / 4;
        let load = |at: usize| _mm256_loadu_si256(chunk.add(at + half * LINE / 2).cast());
        let mut w = [_mm256_setzero_si256(); 8];
        match F::LOW {
            8 => {
                for i in 0..count {
                    w[i] = load(low_line::<F>(g * count + i));
                }
            }
            4 => {
                let nibble = _mm256_set1_epi8(15);
                for i in 0..count / 2 {
                    let packed = load(low_line::<F>(g * count / 2 + i));
                    w[2 * i] = _mm256_and_si256(packed, nibble);
                    w[2 * i + 1] = _mm256_and_si256(_mm256_srli_epi16::<4>(packed), nibble);
                }
            }
            _ => {
                let (packed, two) = (load(low_line::<F>(g)), _mm256_set1_epi8(3));
                for i in 0..4 {
                    w[i] = _mm256_and_si256(shift(packed, -2 * i as i32), two);
                }
            }
        }
        if F::HIGH > 0 {
            let together = 8 / F::HIGH as usize;
            let mut packed = load(high_line::<F>(g * count / together));
            if count < together && g % 2 == 1 {
                packed = _mm256_srli_epi16::<4>(packed);
            }
            let mask = _mm256_set1_epi8((((1 << F::HIGH) - 1) << F::LOW) as i8);
            for i in 0..count {
                let by = F::LOW as i32 - (i as i32 * F::HIGH as i32);
                w[i] = _mm256_or_si256(w[i], _mm256_and_si256(shift(packed, by), mask));
            }
        }
        if let Some(table) = F::TABLE {
            let table = _mm256_broadcastsi128_si256(_mm_loadu_si128(table.as_ptr().cast()));
            for i in 0..count {
                w[i] = _mm256_shuffle_epi8(table, w[i]);
            }
        }
        w
    }
}

/// Lines whose pairs of products can be added in 16 bits: 15 * 127 * 2 * 8, 31 * 127 * 2 * 4 and 63 * 127 * 2 * 2 fit.
const fn together<F: Packed>() -> usize {
    match (F::SHIFT, F::LOW + F::HIGH) {
        (7, _) => 1,
        (_, 5) => 4,
        (_, 6) => 2,
        _ => F::GROUP / 4,
    }
}

/// f32 of the 16 f16 at the start of `bytes`.
#[target_feature(enable = "avx2,f16c")]
fn halves(bytes: &[u8]) -> [f32; ROWS] {
    let bytes = &bytes[..2 * ROWS];
    let mut out = [0.0; ROWS];
    for half in 0..2 {
        // SAFETY: 32 bytes are there, and room for 16 values.
        unsafe {
            let bits = _mm_loadu_si128(bytes.as_ptr().add(half * 16).cast());
            _mm256_storeu_ps(out.as_mut_ptr().add(half * 8), _mm256_cvtph_ps(bits));
        }
    }
    out
}

/// A run times up to [`super::COLUMNS`] columns: `out[column][row]`.
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn rows<F: Packed>(run: &Run<'_>, x: &[Row<'_>], out: &mut [&mut [f32]]) {
    assert_long_enough::<F>(run, x);
    // SAFETY: the lengths are checked above.
    unsafe {
        match (x.len(), hints()) {
            (1, FEW) => columns::<F, 1, FEW>(run, x, out),
            (1, ONCE) => columns::<F, 1, ONCE>(run, x, out),
            (1, _) => columns::<F, 1, NEAR>(run, x, out),
            (2..=4, FEW) => columns::<F, 4, FEW>(run, x, out),
            (2..=4, _) => columns::<F, 4, NEAR>(run, x, out),
            (_, FEW) => columns::<F, 8, FEW>(run, x, out),
            (_, _) => columns::<F, 8, NEAR>(run, x, out),
        }
    }
}

/// # Safety
/// The run and every row of x hold what [`assert_long_enough`] says; at most `C` rows. Short of `C`, the last row is computed again.
/// `HINTS` says what is asked for ahead.
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn columns<F: Packed, const C: usize, const HINTS: u8>(
    run: &Run<'_>,
    x: &[Row<'_>],
    out: &mut [&mut [f32]],
) {
    let x: [&Row<'_>; C] = std::array::from_fn(|c| &x[c.min(x.len() - 1)]);
    let mut totals = [[[_mm256_setzero_ps(); 2]; C]; STACK];
    let (mut scale, mut min) = ([[0.0; ROWS]; GROUPS], [[0.0; ROWS]; GROUPS]);
    let mut chunks = run.bytes.chunks_exact(chunk_bytes::<F>());
    for Step { panel, place, columns } in run.steps() {
        let mut total = [[_mm256_setzero_ps(); 2]; C];
        if columns.start > 0 {
            total = totals[place];
        }
        let blocks = columns.start / F::BLOCK..columns.end / F::BLOCK;
        for (b, chunk) in blocks.zip(&mut chunks) {
            plain::scales_with::<F>(chunk, |bytes| halves(bytes), &mut scale, &mut min);
            let groups = F::BLOCK / F::GROUP;
            for g in 0..groups {
                let bytes = chunk.len() / groups;
                if HINTS != FEW {
                    stream::<HINTS>(chunk.as_ptr().wrapping_add(g * bytes), bytes.div_ceil(64));
                }
                let at = b * F::BLOCK + g * F::GROUP;
                let which = at / 32 * 3 + if F::GROUP == 32 { 2 } else { g % 2 };
                for half in 0..2 {
                    // SAFETY: group g of the chunk, its scales and its activations are there (the caller).
                    unsafe {
                        let of =
                            |values: &[f32; ROWS]| _mm256_loadu_ps(values.as_ptr().add(half * 8));
                        let w = lines::<F>(chunk.as_ptr(), g, half);
                        for c in 0..C {
                            let mut sum = _mm256_setzero_si256();
                            if F::SHIFT > 0 && F::SHIFT < 7 {
                                sum = _mm256_set1_epi32(*x[c].less.as_ptr().add(which) << F::SHIFT);
                            }
                            let v = x[c].q.as_ptr().add(at).cast::<i32>();
                            let v = |i: usize| _mm256_set1_epi32(v.add(i).read_unaligned());
                            let together = together::<F>();
                            for i in (0..F::GROUP / 4).step_by(together) {
                                if together == 1 {
                                    sum = _mm256_add_epi32(sum, fours::<F>(w[i], v(i)));
                                    continue;
                                }
                                let mut pairs = _mm256_maddubs_epi16(w[i], v(i));
                                for i in i + 1..i + together {
                                    pairs =
                                        _mm256_add_epi16(pairs, _mm256_maddubs_epi16(w[i], v(i)));
                                }
                                let ones = _mm256_set1_epi16(1);
                                sum = _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, ones));
                            }
                            let by = _mm256_set1_ps(*x[c].scale.as_ptr().add(at / 32));
                            let by = _mm256_mul_ps(of(&scale[g]), by);
                            let to = &mut total[c][half];
                            *to = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sum), by, *to);
                            if F::MINS {
                                let more = _mm256_set1_ps(*x[c].more.as_ptr().add(which));
                                *to = _mm256_fnmadd_ps(of(&min[g]), more, *to);
                            }
                        }
                    }
                }
            }
        }
        if columns.end < run.cols {
            totals[place] = total;
            continue;
        }
        for (to, total) in out.iter_mut().zip(total) {
            let mut products = [0.0; ROWS];
            for half in 0..2 {
                // SAFETY: a row of products is 16 values.
                unsafe { _mm256_storeu_ps(products.as_mut_ptr().add(half * 8), total[half]) };
            }
            Run::put(to, panel, &products);
        }
    }
}

/// Chunks of a panel into an unpacked one.
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn unpack<F: Packed>(chunks: &[u8], to: &mut Unpacked) {
    plain::unpack_bytes::<F>(chunks, to);
}
