//! Packed panels with AVX-512 VNNI: a line of weights and a broadcast of 4 activations are one instruction for 64 products.

use std::arch::x86_64::*;

use super::{
    GROUPS, LINE, Packed, Run, STACK, Scales, Step, assert_long_enough, chunk_bytes, high_line,
    low_line,
};
use crate::kernels::activations::Row;
use crate::kernels::integer::{ROWS, Unpacked};
use crate::kernels::prefetch::{FEW, NEAR, ONCE, hints, prefetch, stream};

/// Bytes of weights asked for ahead, a hint a chunk, where the processor's own prefetchers do the rest: over the ends of pages.
const PAGE: usize = 4096;

/// Bytes of activations asked for ahead. The weights that stream through the L1 push them out of it, and the more so the longer the
/// rows: with this, rows of 8192 of llama-3.2-1b Q4_K_M stream at 21.5 GB/s, without at 20.
const VALUES_AHEAD: usize = 512;

/// A shift to the left, or to the right if negative; immediate once the loop around it is unrolled.
///
/// # Safety
/// AVX-512 BW.
#[inline(always)]
unsafe fn shift(v: __m512i, by: i32) -> __m512i {
    // SAFETY: the caller's promise.
    unsafe {
        if by >= 0 {
            _mm512_sll_epi16(v, _mm_cvtsi32_si128(by))
        } else {
            _mm512_srl_epi16(v, _mm_cvtsi32_si128(-by))
        }
    }
}

/// The 4 or 8 lines of group `g`.
///
/// # Safety
/// AVX-512 BW; `chunk` is the start of a whole chunk, `g` one of its groups.
#[inline(always)]
unsafe fn lines<F: Packed>(chunk: *const u8, g: usize) -> [__m512i; 8] {
    // SAFETY: the caller's promises; a group's lines lie within the chunk.
    unsafe {
        let count = F::GROUP / 4;
        let load = |at: usize| _mm512_loadu_si512(chunk.add(at).cast());
        let mut w = [_mm512_setzero_si512(); 8];
        match F::LOW {
            8 => {
                for i in 0..count {
                    w[i] = load(low_line::<F>(g * count + i));
                }
            }
            4 => {
                let nibble = _mm512_set1_epi8(15);
                for i in 0..count / 2 {
                    let packed = load(low_line::<F>(g * count / 2 + i));
                    w[2 * i] = _mm512_and_si512(packed, nibble);
                    w[2 * i + 1] = _mm512_and_si512(_mm512_srli_epi16::<4>(packed), nibble);
                }
            }
            _ => {
                let (packed, two) = (load(low_line::<F>(g)), _mm512_set1_epi8(3));
                for i in 0..4 {
                    w[i] = _mm512_and_si512(shift(packed, -2 * i as i32), two);
                }
            }
        }
        if F::HIGH > 0 {
            let together = 8 / F::HIGH as usize;
            let mut packed = load(high_line::<F>(g * count / together));
            if count < together && g % 2 == 1 {
                packed = _mm512_srli_epi16::<4>(packed);
            }
            let mask = _mm512_set1_epi8((((1 << F::HIGH) - 1) << F::LOW) as i8);
            for i in 0..count {
                let by = F::LOW as i32 - (i as i32 * F::HIGH as i32);
                w[i] = _mm512_or_si512(w[i], _mm512_and_si512(shift(packed, by), mask));
            }
        }
        if let Some(table) = F::TABLE {
            let table = _mm512_broadcast_i32x4(_mm_loadu_si128(table.as_ptr().cast()));
            for i in 0..count {
                w[i] = _mm512_shuffle_epi8(table, w[i]);
            }
        }
        w
    }
}

/// Scales and minima of a chunk, a vector of 16 rows for each group.
#[derive(Clone, Copy)]
struct Scaled {
    scales: [__m512; GROUPS],
    mins: [__m512; GROUPS],
}

/// # Safety
/// AVX-512 F and BW; `chunk` is the start of a whole chunk.
#[inline(always)]
unsafe fn scales<F: Packed>(chunk: *const u8, to: &mut Scaled) {
    // SAFETY: the caller's promises: all that is read lies in the chunk's head.
    unsafe {
        let half = |at: usize| _mm512_cvtph_ps(_mm256_loadu_si256(chunk.add(at).cast()));
        let bytes = |at: *const u8| _mm_loadu_si128(at.cast());
        let unsigned = |at: *const u8| _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(bytes(at)));
        let d = half(0);
        match F::SCALES {
            Scales::Half => to.scales[0] = d,
            Scales::HalfMin => {
                to.scales[0] = d;
                to.mins[0] = _mm512_sub_ps(_mm512_setzero_ps(), half(32));
            }
            Scales::SixBit => {
                let (m, codes) = (half(32), six_bits(chunk.add(64)));
                for g in 0..8 {
                    to.scales[g] = _mm512_mul_ps(d, unsigned(codes.0.as_ptr().add(g * ROWS)));
                    to.mins[g] = _mm512_mul_ps(m, unsigned(codes.0.as_ptr().add((g + 8) * ROWS)));
                }
            }
            Scales::SixBitSigned => {
                let (codes, zero) = (six_bits(chunk.add(32)), _mm512_set1_ps(32.0));
                for g in 0..GROUPS {
                    let code = unsigned(codes.0.as_ptr().add(g * ROWS));
                    to.scales[g] = _mm512_mul_ps(d, _mm512_sub_ps(code, zero));
                }
            }
            Scales::Byte => {
                for g in 0..GROUPS {
                    let code = _mm512_cvtepi8_epi32(bytes(chunk.add(32 + g * ROWS)));
                    to.scales[g] = _mm512_mul_ps(d, _mm512_cvtepi32_ps(code));
                }
            }
            Scales::Nibble => {
                let (m, nibble) = (half(32), _mm512_set1_epi32(15));
                for g in 0..GROUPS {
                    let code = _mm512_cvtepu8_epi32(bytes(chunk.add(64 + g * ROWS)));
                    let min = _mm512_cvtepi32_ps(_mm512_srli_epi32::<4>(code));
                    let scale = _mm512_cvtepi32_ps(_mm512_and_si512(code, nibble));
                    to.scales[g] = _mm512_mul_ps(d, scale);
                    to.mins[g] = _mm512_mul_ps(m, min);
                }
            }
        }
    }
}

#[repr(align(64))]
struct Codes([u8; GROUPS * ROWS]);

/// Sixteen 6-bit codes of 16 rows.
///
/// # Safety
/// AVX-512 BW; three lines can be read at `at`.
#[inline(always)]
unsafe fn six_bits(at: *const u8) -> Codes {
    // SAFETY: the caller's promises; `codes` holds four lines and is aligned.
    unsafe {
        let load = |n: usize| _mm512_loadu_si512(at.add(n * LINE).cast());
        let (a, b, top) = (load(0), load(1), load(2));
        let (nibble, two) = (_mm512_set1_epi8(15), _mm512_set1_epi8(0x30));
        let join = |low: __m512i, top: __m512i| {
            _mm512_or_si512(_mm512_and_si512(low, nibble), _mm512_and_si512(top, two))
        };
        let four = [
            join(a, _mm512_slli_epi16::<4>(top)),
            join(_mm512_srli_epi16::<4>(a), _mm512_slli_epi16::<2>(top)),
            join(b, top),
            join(_mm512_srli_epi16::<4>(b), _mm512_srli_epi16::<2>(top)),
        ];
        let mut codes = Codes([0; GROUPS * ROWS]);
        for (i, line) in four.into_iter().enumerate() {
            _mm512_store_si512(codes.0.as_mut_ptr().add(i * LINE).cast(), line);
        }
        codes
    }
}

/// A run times up to [`super::COLUMNS`] columns: `out[column][row]`.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
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
/// The run and every row of x hold what [`assert_long_enough`] says; at most `C` rows. Short of `C`, the last row is computed again. `HINTS`
/// says what is asked for ahead.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
unsafe fn columns<F: Packed, const C: usize, const HINTS: u8>(
    run: &Run<'_>,
    x: &[Row<'_>],
    out: &mut [&mut [f32]],
) {
    let x: [&Row<'_>; C] = std::array::from_fn(|c| &x[c.min(x.len() - 1)]);
    let mut totals = [[_mm512_setzero_ps(); C]; STACK];
    let mut scaled = Scaled { scales: [_mm512_setzero_ps(); 16], mins: [_mm512_setzero_ps(); 16] };
    let groups = F::BLOCK / F::GROUP;
    let mut chunk = run.bytes.as_ptr();
    for Step { panel, place, columns } in run.steps() {
        let mut total = [_mm512_setzero_ps(); C];
        if columns.start > 0 {
            total = totals[place];
        }
        for b in columns.start / F::BLOCK..columns.end / F::BLOCK {
            // SAFETY: block b of the panel comes next in the run, and its activations are there (the caller).
            unsafe {
                scales::<F>(chunk, &mut scaled);
                for g in 0..groups {
                    let bytes = chunk_bytes::<F>() / groups;
                    if HINTS != FEW {
                        stream::<HINTS>(chunk.wrapping_add(g * bytes), bytes.div_ceil(64));
                    } else if g == 0 {
                        prefetch(chunk.wrapping_add(PAGE));
                    }
                    let w = lines::<F>(chunk, g);
                    let at = b * F::BLOCK + g * F::GROUP;
                    let (block, which) = (at / 32, if F::GROUP == 32 { 2 } else { g % 2 });
                    for c in 0..C {
                        if HINTS == FEW && at % 64 == 0 {
                            let ahead = x[c].q.as_ptr().wrapping_add(at + VALUES_AHEAD);
                            _mm_prefetch::<_MM_HINT_T0>(ahead);
                        }
                        let mut sums = [_mm512_setzero_si512(); 2];
                        if F::SHIFT > 0 {
                            let less = *x[c].less.as_ptr().add(block * 3 + which) << F::SHIFT;
                            sums[0] = _mm512_set1_epi32(less);
                        }
                        let v = x[c].q.as_ptr().add(at).cast::<i32>();
                        for i in 0..F::GROUP / 4 {
                            let v = _mm512_set1_epi32(v.add(i).read_unaligned());
                            // Alone, a column has two chains of sums, so as not to wait for itself.
                            let chain = if C == 1 { i % 2 } else { 0 };
                            sums[chain] = _mm512_dpbusd_epi32(sums[chain], w[i], v);
                        }
                        let sum = match C {
                            1 => _mm512_add_epi32(sums[0], sums[1]),
                            _ => sums[0],
                        };
                        let scale = _mm512_set1_ps(*x[c].scale.as_ptr().add(block));
                        let scale = _mm512_mul_ps(scaled.scales[g], scale);
                        total[c] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum), scale, total[c]);
                        if F::MINS {
                            let more = _mm512_set1_ps(*x[c].more.as_ptr().add(block * 3 + which));
                            total[c] = _mm512_fnmadd_ps(scaled.mins[g], more, total[c]);
                        }
                    }
                }
                chunk = chunk.add(chunk_bytes::<F>());
            }
        }
        if columns.end < run.cols {
            totals[place] = total;
            continue;
        }
        for (to, total) in out.iter_mut().zip(total) {
            let mut products = [0.0; ROWS];
            // SAFETY: a row of products is 16 values.
            unsafe { _mm512_storeu_ps(products.as_mut_ptr(), total) };
            Run::put(to, panel, &products);
        }
    }
}

/// Chunks of a panel into an unpacked one.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
pub(crate) fn unpack<F: Packed>(chunks: &[u8], to: &mut Unpacked) {
    let count = chunks.len() / chunk_bytes::<F>();
    let (groups, lines_of) = (F::BLOCK / F::GROUP, F::GROUP / 4);
    assert!(to.q.len() >= count * F::BLOCK * ROWS);
    assert!(to.scales.len() >= count * groups * ROWS && to.mins.len() >= count * groups * ROWS);
    let (q, scale, min) = (to.q.pointer(), to.scales.pointer(), to.mins.pointer());
    let mut scaled = Scaled { scales: [_mm512_setzero_ps(); 16], mins: [_mm512_setzero_ps(); 16] };
    for b in 0..count {
        // SAFETY: chunk b is there, and there is room for it (checked above); buffers are 64-byte aligned.
        unsafe {
            let chunk = chunks.as_ptr().add(b * chunk_bytes::<F>());
            scales::<F>(chunk, &mut scaled);
            for g in 0..groups {
                let at = b * groups + g;
                _mm512_store_ps(scale.add(at * ROWS), scaled.scales[g]);
                if F::MINS {
                    _mm512_store_ps(min.add(at * ROWS), scaled.mins[g]);
                }
                let w = lines::<F>(chunk, g);
                for (i, w) in w.into_iter().take(lines_of).enumerate() {
                    _mm512_store_si512(q.add((at * lines_of + i) * LINE).cast(), w);
                }
            }
        }
    }
}
