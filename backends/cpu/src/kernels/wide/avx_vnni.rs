//! Wide products with AVX-VNNI, the dot products of 32 bytes that processors without AVX-512 have. No such processor has run
//! this yet: tests run the same body on the AVX-512 form of the instruction.

use std::arch::x86_64::*;

use super::{BLOCK, Wide, check};
use crate::kernels::integer::{PAIR, Product, ROWS, TILE, Unpacked};

/// Columns multiplied together: with 16 rows eight sums, which 16 registers hold.
const COLUMNS: usize = 4;

/// Defines `product` for an instruction.
macro_rules! products {
    ($product:ident, $part:ident, $features:literal, $dot:ident) => {
        /// Adds a pair of panels times a tile.
        #[target_feature(enable = $features)]
        pub(crate) fn $product(
            pair: &mut [Unpacked; PAIR],
            deep: usize,
            x: &Wide<'_>,
            out: &mut [Product; PAIR],
        ) {
            check(pair, deep, x);
            for (panel, out) in pair.iter().zip(out) {
                for start in (0..deep).step_by(BLOCK) {
                    let end = (start + BLOCK).min(deep);
                    for first in (0..TILE).step_by(COLUMNS) {
                        let out = &mut out[first..first + COLUMNS];
                        // SAFETY: panel and tile hold `deep` values (checked).
                        unsafe { $part(panel, start..end, x, first, out) };
                    }
                }
            }
        }

        /// Sixteen rows by four columns of a block of values, at most 256.
        ///
        /// # Safety
        /// Panel and tile hold the values; `first` is a multiple of 4.
        #[target_feature(enable = $features)]
        unsafe fn $part(
            panel: &Unpacked,
            values: std::ops::Range<usize>,
            x: &Wide<'_>,
            first: usize,
            out: &mut [[f32; ROWS]],
        ) {
            let (block, halves) = (values.start / BLOCK, [0, 8]);
            // SAFETY: the block is there (the caller); panels are 64-byte aligned, and a row of a product is 16 values.
            unsafe {
                let excess = panel.excess.pointer().add(block * ROWS);
                let excess = halves.map(|half| _mm256_load_si256(excess.add(half).cast()));
                let mut sum = [excess; COLUMNS];
                for line in values.start / 4..values.end / 4 {
                    let w = panel.q.pointer().add(line * ROWS * 4);
                    let w = halves.map(|half| _mm256_load_si256(w.add(half * 4).cast()));
                    let v = x.q.as_ptr().add((line * TILE + first) * 4).cast::<i32>();
                    for c in 0..COLUMNS {
                        let v = _mm256_set1_epi32(v.add(c).read_unaligned());
                        (0..2).for_each(|h| sum[c][h] = $dot(sum[c][h], v, w[h]));
                    }
                }
                let scale = panel.scales.pointer().add(block * ROWS);
                let scale = halves.map(|half| _mm256_load_ps(scale.add(half)));
                for (c, out) in out.iter_mut().enumerate().take(COLUMNS) {
                    let column = _mm256_set1_ps(x.scale[block * TILE + first + c]);
                    for h in 0..2 {
                        let to = out.as_mut_ptr().add(8 * h);
                        let total = _mm256_mul_ps(_mm256_cvtepi32_ps(sum[c][h]), scale[h]);
                        _mm256_storeu_ps(to, _mm256_fmadd_ps(total, column, _mm256_loadu_ps(to)));
                    }
                }
            }
        }
    };
}

products!(product, part, "avx2,fma,f16c,avxvnni", _mm256_dpbusd_avx_epi32);
#[cfg(test)]
products!(tested, tested_part, "avx2,fma,f16c,avx512vl,avx512vnni", _mm256_dpbusd_epi32);
