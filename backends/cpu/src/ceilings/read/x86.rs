//! Readers for x86-64: 64-byte and 32-byte loads, several streams, optional prefetch.

use std::arch::x86_64::*;

use super::{Pattern, STEP};

macro_rules! reader {
    ($name:ident, $inner:ident, $feature:literal, $vector:ty, $zero:ident, $load:ident, $add:ident, $lanes:literal) => {
        /// Sum of `words`, a multiple of [`STEP`] of them.
        #[target_feature(enable = $feature)]
        pub(super) fn $name(words: &[i32], pattern: Pattern) -> i32 {
            match (pattern.streams, pattern.ahead) {
                (2, 0) => $inner::<2, 0>(words),
                (4, 0) => $inner::<4, 0>(words),
                (8, 0) => $inner::<8, 0>(words),
                (1, 1024) => $inner::<1, 1024>(words),
                (2, 1024) => $inner::<2, 1024>(words),
                (4, 1024) => $inner::<4, 1024>(words),
                (8, 1024) => $inner::<8, 1024>(words),
                (1, 4096) => $inner::<1, 4096>(words),
                (4, 4096) => $inner::<4, 4096>(words),
                _ => $inner::<1, 0>(words),
            }
        }

        #[target_feature(enable = $feature)]
        fn $inner<const STREAMS: usize, const AHEAD: usize>(words: &[i32]) -> i32 {
            let part = words.len() / STREAMS;
            let each = STEP / STREAMS;
            let mut sums: [$vector; 8] = [$zero(); 8];
            for i in (0..part / each * each).step_by(each) {
                for s in 0..STREAMS {
                    let at = words.as_ptr().wrapping_add(s * part + i);
                    for j in 0..each / $lanes {
                        let at = at.wrapping_add(j * $lanes);
                        if AHEAD > 0 && j * $lanes % 16 == 0 {
                            _mm_prefetch::<_MM_HINT_T0>(at.wrapping_byte_add(AHEAD).cast());
                        }
                        let k = (s * (each / $lanes) + j) % 8;
                        // SAFETY: s * part + i + each <= words.len().
                        sums[k] = $add(sums[k], unsafe { $load(at.cast()) });
                    }
                }
            }
            let mut lanes = [0_i32; 16 * 8];
            for (lanes, sum) in lanes.chunks_exact_mut(16).zip(sums) {
                // SAFETY: 16 lanes hold either vector.
                unsafe { lanes.as_mut_ptr().cast::<$vector>().write_unaligned(sum) };
            }
            lanes.iter().fold(0, |sum: i32, &lane| sum.wrapping_add(lane))
        }
    };
}

reader!(
    read512,
    inner512,
    "avx512f",
    __m512i,
    _mm512_setzero_si512,
    _mm512_loadu_si512,
    _mm512_add_epi32,
    16
);
reader!(
    read256,
    inner256,
    "avx2",
    __m256i,
    _mm256_setzero_si256,
    _mm256_loadu_si256,
    _mm256_add_epi32,
    8
);
