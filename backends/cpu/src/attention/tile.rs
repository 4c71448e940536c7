//! The one product of attention: rows of scalars times lines of 16, the sums in registers. Scores are queries times keys
//! (lines of 16 positions), results are weights times values (lines of 16 of a head).
#![allow(clippy::needless_range_loop, reason = "rows and lines are indexed as in the formula")]

use super::vector::{Element, Vector};
use crate::kernels::prefetch::prefetch_block;

/// `lines` lines for each of `n` steps: line j of step k at `k * step + j * line`.
pub(super) struct Lines<E> {
    pub(super) data: *const E,
    pub(super) n: usize,
    pub(super) lines: usize,
    pub(super) line: usize,
    pub(super) step: usize,
    /// Where a step's second half is, and that of the last step ([`Element::load`]).
    pub(super) second: usize,
    pub(super) last: usize,
    /// What is fetched ahead meanwhile, as much as is read: where the next block will be.
    pub(super) next: *const E,
    /// Into the L1, or the L2.
    pub(super) near: bool,
}

/// `rows` rows of `n` scalars and of `lines` sums, so many apart.
pub(super) struct Rows {
    pub(super) x: *const f32,
    pub(super) x_row: usize,
    pub(super) out: *mut f32,
    pub(super) out_row: usize,
    pub(super) rows: usize,
    /// What each row's sums are multiplied by before; null: they start at 0.
    pub(super) fade: *const f32,
}

/// `out[r][16 j ..] = fade[r] * out[r][16 j ..] + sum over k of x[r][k] * w[k][j]`
///
/// # Safety
/// The features of `V`; every element named is there, and nobody else uses `out`; at most `V::ROWS.0` rows.
#[inline(always)]
pub(super) unsafe fn product<V: Vector, E: Element>(w: &Lines<E>, x: &Rows) {
    macro_rules! rows {
        ($($rows:literal)*) => {
            match x.rows {
                $($rows if $rows <= V::ROWS.0 => {
                    // SAFETY: the caller's.
                    unsafe { strips::<V, E, $rows>(w, x) }
                })*
                _ => {}
            }
        };
    }
    rows!(1 2 3 4 5 6 7 8);
}

/// Strips as wide as registers allow, narrower ones at the end.
///
/// # Safety
/// As [`product`].
#[inline(always)]
unsafe fn strips<V: Vector, E: Element, const R: usize>(w: &Lines<E>, x: &Rows) {
    let most = V::lines(R);
    let mut first = 0;
    // SAFETY: strips lie within the lines (the caller).
    unsafe {
        while most >= 4 && w.lines - first >= 4 {
            strip::<V, E, R, 4>(w, x, first);
            first += 4;
        }
        while most >= 2 && w.lines - first >= 2 {
            strip::<V, E, R, 2>(w, x, first);
            first += 2;
        }
        while first < w.lines {
            strip::<V, E, R, 1>(w, x, first);
            first += 1;
        }
    }
}

/// # Safety
/// As [`product`]; lines `first .. first + L` are there.
#[inline(always)]
unsafe fn strip<V: Vector, E: Element, const R: usize, const L: usize>(
    w: &Lines<E>,
    rows: &Rows,
    first: usize,
) {
    let elements = E::TOGETHER / E::EACH;
    // SAFETY: the caller's.
    unsafe {
        let out = rows.out.add(first * 16);
        let mut sums = [[V::splat(0.0); L]; R];
        if !rows.fade.is_null() {
            for r in 0..R {
                let fade = V::splat(*rows.fade.add(r));
                for j in 0..L {
                    sums[r][j] = V::load(out.add(r * rows.out_row + j * 16)).mul(fade);
                }
            }
        }
        let (mut line, mut x) = (w.data.add(first * w.line), rows.x);
        let mut next = w.next.wrapping_add(first * w.n * 16 * elements).cast::<u8>();
        for k in 0..w.n {
            if E::STREAMED {
                let bytes = L * 16 * elements * size_of::<E>();
                for line in (0..bytes).step_by(64) {
                    prefetch_block(next.wrapping_add(line), w.near);
                }
                next = next.wrapping_add(bytes);
            }
            let second = if k + 1 == w.n { w.last } else { w.second };
            let mut lines = [V::splat(0.0); L];
            for j in 0..L {
                lines[j] = E::load::<V>(line.add(j * w.line), second);
            }
            for r in 0..R {
                let scalar = V::splat(*x.add(r * rows.x_row));
                for j in 0..L {
                    sums[r][j] = E::fma(sums[r][j], lines[j], scalar);
                }
            }
            line = line.wrapping_add(w.step);
            x = x.wrapping_add(1);
        }
        for r in 0..R {
            for j in 0..L {
                sums[r][j].store(out.add(r * rows.out_row + j * 16));
            }
        }
    }
}
