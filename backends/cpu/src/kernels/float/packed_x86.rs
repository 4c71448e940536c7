//! Packed panels of float weights with AVX-512 and AVX2: a line of 16 rows times a broadcast value of the input.

use std::arch::x86_64::*;

use super::packed::{Brain, Half, Single, Value};
use crate::kernels::activations::Row;
use crate::kernels::integer::ROWS;
use crate::kernels::packed::{COLUMNS, Run};
use crate::kernels::prefetch::{FEW, NEAR, ONCE, hints, stream};

/// Chains of sums of a single column, so that none waits for itself: additions take 4 cycles, and one or two begin in each.
const CHAINS: usize = 8;

/// A float format's loads.
pub(crate) trait Wide: Value {
    /// # Safety
    /// AVX-512 F; 16 values can be read there.
    unsafe fn sixteen(at: *const u8) -> __m512;

    /// # Safety
    /// AVX2 and F16C; 8 values can be read there.
    unsafe fn eight(at: *const u8) -> __m256;
}

impl Wide for Half {
    #[inline(always)]
    unsafe fn sixteen(at: *const u8) -> __m512 {
        // SAFETY: the caller's promise.
        unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(at.cast())) }
    }

    #[inline(always)]
    unsafe fn eight(at: *const u8) -> __m256 {
        // SAFETY: the caller's promise.
        unsafe { _mm256_cvtph_ps(_mm_loadu_si128(at.cast())) }
    }
}

impl Wide for Brain {
    #[inline(always)]
    unsafe fn sixteen(at: *const u8) -> __m512 {
        // SAFETY: the caller's promise.
        unsafe {
            let bits = _mm512_cvtepu16_epi32(_mm256_loadu_si256(at.cast()));
            _mm512_castsi512_ps(_mm512_slli_epi32::<16>(bits))
        }
    }

    #[inline(always)]
    unsafe fn eight(at: *const u8) -> __m256 {
        // SAFETY: the caller's promise.
        unsafe {
            let bits = _mm256_cvtepu16_epi32(_mm_loadu_si128(at.cast()));
            _mm256_castsi256_ps(_mm256_slli_epi32::<16>(bits))
        }
    }
}

impl Wide for Single {
    #[inline(always)]
    unsafe fn sixteen(at: *const u8) -> __m512 {
        // SAFETY: the caller's promise.
        unsafe { _mm512_loadu_ps(at.cast()) }
    }

    #[inline(always)]
    unsafe fn eight(at: *const u8) -> __m256 {
        // SAFETY: the caller's promise.
        unsafe { _mm256_loadu_ps(at.cast()) }
    }
}

/// Defines a row kernel: a run times up to [`COLUMNS`] columns, `out[column][row]`. A line of 16 rows is `$vectors` vectors. Floats
/// are not cut into bands.
macro_rules! rows {
    ($name:ident, $columns:ident, $feature:literal, $vectors:literal, $load:ident, $vector:ty, $zero:ident, $set:ident, $fma:ident,
     $add:ident, $store:ident) => {
        #[target_feature(enable = $feature)]
        pub(crate) fn $name<V: Wide>(run: &Run<'_>, x: &[Row<'_>], out: &mut [&mut [f32]]) {
            assert!(x.len() <= COLUMNS && !x.is_empty());
            assert!(run.bytes.len() >= run.panels * (run.cols * ROWS * V::BYTES));
            assert!(x.iter().all(|x| x.float.len() >= run.cols));
            // SAFETY: the lengths are checked above.
            unsafe {
                match (x.len(), hints()) {
                    (1, FEW) => $columns::<V, 1, { CHAINS / $vectors }, FEW>(run, x, out),
                    (1, ONCE) => $columns::<V, 1, { CHAINS / $vectors }, ONCE>(run, x, out),
                    (1, _) => $columns::<V, 1, { CHAINS / $vectors }, NEAR>(run, x, out),
                    (2..=4, FEW) => $columns::<V, 4, 1, FEW>(run, x, out),
                    (2..=4, _) => $columns::<V, 4, 1, NEAR>(run, x, out),
                    (_, FEW) => $columns::<V, 8, 1, FEW>(run, x, out),
                    (_, _) => $columns::<V, 8, 1, NEAR>(run, x, out),
                }
            }
        }

        /// # Safety
        /// The run holds its panels and every row of x `cols` values; at most `C` rows. Short of `C`, the last row is computed again.
        /// `HINTS` says what is asked for ahead.
        #[target_feature(enable = $feature)]
        unsafe fn $columns<V: Wide, const C: usize, const N: usize, const HINTS: u8>(
            run: &Run<'_>,
            x: &[Row<'_>],
            out: &mut [&mut [f32]],
        ) {
            const LANES: usize = ROWS / $vectors;
            let x: [*const f32; C] = std::array::from_fn(|c| x[c.min(x.len() - 1)].float.as_ptr());
            let cols = run.cols;
            for panel in 0..run.panels {
                let start = run.bytes.as_ptr().wrapping_add(panel * cols * ROWS * V::BYTES);
                let mut sums = [[[$zero(); $vectors]; N]; C];
                let mut add = |k: usize, n: usize| {
                    // SAFETY: line k of the panel and value k of every row are there (the caller).
                    unsafe {
                        for i in 0..$vectors {
                            let w = V::$load(start.add((k * ROWS + i * LANES) * V::BYTES));
                            for c in 0..C {
                                sums[c][n][i] = $fma(w, $set(*x[c].add(k)), sums[c][n][i]);
                            }
                        }
                    }
                };
                let whole = cols / N * N;
                for k in (0..whole).step_by(N) {
                    if HINTS != FEW {
                        let step = N * ROWS * V::BYTES;
                        // Where a step is half a line every other asks in vain, which costs nothing that is missed.
                        stream::<HINTS>(start.wrapping_add(k * ROWS * V::BYTES), step.div_ceil(64));
                    }
                    (0..N).for_each(|n| add(k + n, n));
                }
                (whole..cols).for_each(|k| add(k, k - whole));
                for (to, sums) in out.iter_mut().zip(sums) {
                    let mut products = [0.0; ROWS];
                    for i in 0..$vectors {
                        let mut sum = sums[0][i];
                        sums[1..].iter().for_each(|more| sum = $add(sum, more[i]));
                        // SAFETY: a row of products is 16 values.
                        unsafe { $store(products.as_mut_ptr().add(i * LANES), sum) };
                    }
                    Run::put(to, panel, &products);
                }
            }
        }
    };
}

rows!(
    avx512,
    columns512,
    "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c",
    1,
    sixteen,
    __m512,
    _mm512_setzero_ps,
    _mm512_set1_ps,
    _mm512_fmadd_ps,
    _mm512_add_ps,
    _mm512_storeu_ps
);
rows!(
    avx2,
    columns256,
    "avx2,fma,f16c",
    2,
    eight,
    __m256,
    _mm256_setzero_ps,
    _mm256_set1_ps,
    _mm256_fmadd_ps,
    _mm256_add_ps,
    _mm256_storeu_ps
);
