//! Wide products with AVX-512 VNNI.

use std::arch::x86_64::*;

use super::{BLOCK, Wide, check, summed};
use crate::kernels::integer::{PAIR, Product, ROWS, TILE, Unpacked};

/// Adds a pair of panels, in groups of `GROUP` with minima or not, times a tile: 16 sums in registers, and per group one conversion
/// and one multiplication each.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
pub(crate) fn product<const GROUP: usize, const MINS: bool>(
    pair: &mut [Unpacked; PAIR],
    deep: usize,
    x: &Wide<'_>,
    out: &mut [Product; PAIR],
) {
    check(pair, deep, GROUP, x);
    for start in (0..deep).step_by(BLOCK) {
        // SAFETY: panels and tile hold `deep` values (checked).
        unsafe { block::<GROUP, MINS>(pair, start, (start + BLOCK).min(deep), x, out) };
    }
}

/// Adds the products of values `start .. end`.
///
/// # Safety
/// Panels and tile hold them.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
unsafe fn block<const GROUP: usize, const MINS: bool>(
    pair: &[Unpacked; PAIR],
    start: usize,
    end: usize,
    x: &Wide<'_>,
    out: &mut [Product; PAIR],
) {
    let mut total = [[_mm512_setzero_ps(); TILE]; PAIR];
    for from in (start..end).step_by(GROUP) {
        let at = from / GROUP * ROWS;
        // SAFETY: the group is there (the caller); buffers are 64-byte aligned.
        unsafe {
            let sum = sums(pair, at, from..(from + GROUP).min(end), x);
            let scale = [0, 1].map(|p: usize| _mm512_load_ps(pair[p].scales.pointer().add(at)));
            for c in 0..TILE {
                for p in 0..PAIR {
                    let sum = _mm512_cvtepi32_ps(sum[p][c]);
                    total[p][c] = _mm512_fmadd_ps(sum, scale[p], total[p][c]);
                }
            }
            if MINS {
                let min = [0, 1].map(|p: usize| _mm512_load_ps(pair[p].mins.pointer().add(at)));
                let sums = x.sums.as_ptr().add(summed(from, GROUP));
                for c in 0..TILE {
                    let of = _mm512_set1_ps(*sums.add(c));
                    for p in 0..PAIR {
                        total[p][c] = _mm512_fnmadd_ps(min[p], of, total[p][c]);
                    }
                }
            }
        }
    }
    for c in 0..TILE {
        let column = _mm512_set1_ps(x.scale[start / BLOCK * TILE + c]);
        for p in 0..PAIR {
            let to = out[p][c].as_mut_ptr();
            // SAFETY: a row of a product is 16 values.
            unsafe {
                _mm512_storeu_ps(to, _mm512_fmadd_ps(total[p][c], column, _mm512_loadu_ps(to)));
            }
        }
    }
}

/// Sums of the products of one group, `at` the place of its first row's.
///
/// # Safety
/// Panels and tile hold the group.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
unsafe fn sums(
    pair: &[Unpacked; PAIR],
    at: usize,
    group: std::ops::Range<usize>,
    x: &Wide<'_>,
) -> [[__m512i; TILE]; PAIR] {
    // SAFETY: all of it belongs to the group (the caller); panels are 64-byte aligned.
    unsafe {
        let excess = |p: usize| _mm512_load_si512(pair[p].excess.pointer().add(at).cast());
        let mut sum = [[excess(0); TILE], [excess(1); TILE]];
        let q = [0, 1].map(|p: usize| pair[p].q.pointer().add(group.start * ROWS));
        let v = x.q.as_ptr().add(group.start * TILE).cast::<i32>();
        for line in 0..group.len() / 4 {
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
