//! Row dot products of float formats: one row after the other, or two, four vectors at a time.

use std::arch::x86_64::*;

use super::packed::{Brain, Half, Single, Value};
use super::packed_x86::Wide;
use crate::kernels::activations::Row;
use crate::kernels::integer::avx2::total;
use crate::kernels::prefetch::{FEW, NEAR, ONCE, ask, hints};

/// Columns up to which one row is multiplied at a time where not every line is asked for, so that none is: one stream is what
/// the processor's own prefetchers follow best. F16 rows of 2048 alone on Zen 4, GB/s, from large pages and from small pages of a file: 32 and 27, as
/// fast as a plain read, with [`ahead`] 21 and 20; in llama-3.2-1b gate and up went from 25.7 to 27.5.
///
/// Longer inputs do not stay in the L1 beside the weights, so two rows share what is read of them, and two streams need
/// [`ahead`] (8192 columns: 21 GB/s, without prefetches 15, one row 12).
const SHORT: usize = 4096;

/// Bytes that hints run ahead where every line is asked for. Zen 5, F16 rows of 2048: 41.8 GB/s, with 4608 bytes 41.5, 6144 40 to 41, 6912 40.
const NEXT: usize = 5120;

/// Pages fetched ahead side by side.
const PAGES: usize = 8;
const PAGE: usize = 4096;

/// What to fetch while the line at `at` is read: of every block of eight pages each line names one of the next block, page
/// after page, so that the processor's prefetchers see eight streams where there is one.
#[inline(always)]
fn ahead(at: *const u8) -> *const u8 {
    const BLOCK: usize = PAGES * PAGE;
    let within = (at.addr() % BLOCK) & !63;
    let n = within / 64;
    let to = BLOCK + n % PAGES * PAGE + n / PAGES * 64;
    at.wrapping_add(to).wrapping_sub(within)
}

/// Defines four rows times one column for a format: `$load` widens the weights at a place, `$rest` those of a last, short
/// vector one by one.
macro_rules! float_rows {
    ($name:ident, $one:ident, $feature:literal, $lanes:literal, $bytes:literal, $vector:ty, $zero:ident, $loadx:ident, $fma:ident, $add:ident,
     $load:expr, $sum:expr, $value:expr) => {
        /// Four rows times one column.
        #[target_feature(enable = $feature)]
        pub(crate) fn $name(rows: [&[u8]; 4], cols: usize, x: &Row<'_>) -> [f32; 4] {
            assert!(rows.iter().all(|row| row.len() >= cols * $bytes) && x.float.len() >= cols);
            let [a, b, c, d] = rows;
            match hints() {
                FEW => {}
                ONCE => return rows.map(|row| $one::<1, ONCE>([row], cols, x.float)[0]),
                _ => return rows.map(|row| $one::<1, NEAR>([row], cols, x.float)[0]),
            }
            if cols <= SHORT {
                return rows.map(|row| $one::<1, FEW>([row], cols, x.float)[0]);
            }
            let two = |rows| $one::<2, FEW>(rows, cols, x.float);
            let ([a, b], [c, d]) = (two([a, b]), two([c, d]));
            [a, b, c, d]
        }

        // One place in the program for all rows: prefetchers learn by the place of a load, and of four that take turns each sees
        // every fourth row (Zen 5, one row after the other: 17.6 GB/s in four copies, 37 in one, which was a throw-away loop).
        #[inline(never)]
        #[target_feature(enable = $feature)]
        fn $one<const R: usize, const HINTS: u8>(
            rows: [&[u8]; R],
            cols: usize,
            x: &[f32],
        ) -> [f32; R] {
            let mut sums: [[$vector; 4]; R] = [[$zero(); 4]; R];
            let mut add = |k: usize, i: usize| {
                // SAFETY: a whole vector from k is within each row and x, whose lengths the caller checked.
                unsafe {
                    let x = $loadx(x.as_ptr().add(k));
                    for (row, sums) in rows.iter().zip(&mut sums) {
                        let at = row.as_ptr().add(k * $bytes);
                        if R > 1 && i * $lanes * $bytes % 64 == 0 {
                            _mm_prefetch::<_MM_HINT_T1>(ahead(at).cast());
                        }
                        sums[i] = $fma($load(at), x, sums[i]);
                    }
                }
            };
            const STEP: usize = 4 * $lanes;
            let (steps, whole) = (cols / STEP * STEP, cols / $lanes * $lanes);
            for k in (0..steps).step_by(STEP) {
                if HINTS != FEW {
                    let at = rows[0].as_ptr().wrapping_add(k * $bytes + NEXT);
                    ask::<HINTS>(at, STEP * $bytes / 64);
                }
                (0..4).for_each(|i| add(k + i * $lanes, i));
            }
            (steps..whole).step_by($lanes).enumerate().for_each(|(i, k)| add(k, i));
            std::array::from_fn(|r| {
                let rest = (whole..cols).map(|k| $value(&rows[r][k * $bytes..]) * x[k]);
                let sum = sums[r];
                $sum($add($add(sum[0], sum[1]), $add(sum[2], sum[3]))) + rest.sum::<f32>()
            })
        }
    };
}

macro_rules! avx512 {
    ($name:ident, $one:ident, $bytes:literal, $load:expr, $value:expr) => {
        float_rows!(
            $name,
            $one,
            "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c",
            16,
            $bytes,
            __m512,
            _mm512_setzero_ps,
            _mm512_loadu_ps,
            _mm512_fmadd_ps,
            _mm512_add_ps,
            $load,
            _mm512_reduce_add_ps,
            $value
        );
    };
}

macro_rules! avx2 {
    ($name:ident, $one:ident, $bytes:literal, $load:expr, $value:expr) => {
        float_rows!(
            $name,
            $one,
            "avx2,fma,f16c",
            8,
            $bytes,
            __m256,
            _mm256_setzero_ps,
            _mm256_loadu_ps,
            _mm256_fmadd_ps,
            _mm256_add_ps,
            $load,
            total,
            $value
        );
    };
}

avx512!(f16_avx512, f16_avx512_row, 2, Half::sixteen, Half::value);
avx512!(bf16_avx512, bf16_avx512_row, 2, Brain::sixteen, Brain::value);
avx512!(f32_avx512, f32_avx512_row, 4, Single::sixteen, Single::value);
avx2!(f16_avx2, f16_avx2_row, 2, Half::eight, Half::value);
avx2!(bf16_avx2, bf16_avx2_row, 2, Brain::eight, Brain::value);
avx2!(f32_avx2, f32_avx2_row, 4, Single::eight, Single::value);
