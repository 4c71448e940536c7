//! Wide products with AVX-512 VNNI.

use std::arch::x86_64::*;

use super::{BLOCK, Wide, check};
use crate::kernels::integer::{PAIR, Product, ROWS, TILE, Unpacked};

/// Adds a pair of panels times a tile: 16 sums in registers, and per block one conversion and two multiplications each.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
pub(crate) fn product(
    pair: &mut [Unpacked; PAIR],
    deep: usize,
    x: &Wide<'_>,
    out: &mut [Product; PAIR],
) {
    check(pair, deep, x);
    for start in (0..deep).step_by(BLOCK) {
        // SAFETY: panels and tile hold `deep` values (checked).
        unsafe { block(pair, start, (start + BLOCK).min(deep), x, out) };
    }
}

/// Adds the products of values `start .. end`.
///
/// # Safety
/// Panels and tile hold them.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
unsafe fn block(
    pair: &[Unpacked; PAIR],
    start: usize,
    end: usize,
    x: &Wide<'_>,
    out: &mut [Product; PAIR],
) {
    let at = start / BLOCK * ROWS;
    // SAFETY: the block is there (the caller); buffers are 64-byte aligned, and a row of a product is 16 values.
    unsafe {
        let sum = sums(pair, at, start..end, x);
        let scale = [0, 1].map(|p: usize| _mm512_load_ps(pair[p].scales.pointer().add(at)));
        for c in 0..TILE {
            let column = _mm512_set1_ps(x.scale[start / BLOCK * TILE + c]);
            for p in 0..PAIR {
                let to = out[p][c].as_mut_ptr();
                let total = _mm512_mul_ps(_mm512_cvtepi32_ps(sum[p][c]), scale[p]);
                _mm512_storeu_ps(to, _mm512_fmadd_ps(total, column, _mm512_loadu_ps(to)));
            }
        }
    }
}

/// Sums of the products of one block, `at` the place of its first row's.
///
/// # Safety
/// Panels and tile hold the block.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
unsafe fn sums(
    pair: &[Unpacked; PAIR],
    at: usize,
    values: std::ops::Range<usize>,
    x: &Wide<'_>,
) -> [[__m512i; TILE]; PAIR] {
    // SAFETY: all of it belongs to the block (the caller); panels are 64-byte aligned.
    unsafe {
        let excess = |p: usize| _mm512_load_si512(pair[p].excess.pointer().add(at).cast());
        let mut sum = [[excess(0); TILE], [excess(1); TILE]];
        let q = [0, 1].map(|p: usize| pair[p].q.pointer().add(values.start * ROWS));
        let v = x.q.as_ptr().add(values.start * TILE).cast::<i32>();
        for line in 0..values.len() / 4 {
            let w = q.map(|q| _mm512_load_si512(q.add(line * 64).cast()));
            // A line of a tile is half a cache line.
            if line % 2 == 0 {
                let next = v.wrapping_add(line * TILE).wrapping_byte_add(x.next);
                _mm_prefetch::<_MM_HINT_T0>(next.cast());
            }
            for c in 0..TILE {
                let v = _mm512_set1_epi32(v.add(line * TILE + c).read_unaligned());
                (0..PAIR).for_each(|p| sum[p][c] = _mm512_dpbusd_epi32(sum[p][c], v, w[p]));
            }
        }
        sum
    }
}
