//! The one product of attention: rows of scalars times lines of 16, the sums in registers. Scores are queries times keys
//! (lines of 16 positions), results are weights times values (lines of 16 of a head).
#![allow(clippy::needless_range_loop, reason = "rows and lines are indexed as in the formula")]

use super::vector::{Element, Vector};
use crate::kernels::prefetch::{FEW, ask_next};
use crate::kv::LINE;

#[derive(Clone, Copy)]
/// `lines` lines for each of `n` steps. A line's steps follow each other, and the next line begins `apart` elements behind its first.
pub(super) struct Lines<E> {
    pub(super) data: *const E,
    pub(super) n: usize,
    pub(super) lines: usize,
    pub(super) apart: usize,
    /// What is fetched ahead meanwhile, as much as is read.
    pub(super) next: *const E,
}

impl<E: Element> Lines<E> {
    /// Asks for all of them at once.
    #[inline(always)]
    pub(super) fn ask<const HINTS: u8>(&self) {
        for line in 0..self.lines {
            fetch::<E, HINTS>(self.data.wrapping_add(line * self.apart), self.n);
        }
    }
}

/// Asks for so many steps of a line.
#[inline(always)]
fn fetch<E: Element, const HINTS: u8>(from: *const E, steps: usize) {
    if E::STREAMED {
        for at in (0..steps * step::<E>() * size_of::<E>()).step_by(64) {
            ask_next::<HINTS>(from.cast::<u8>().wrapping_add(at));
        }
    }
}

/// Elements of a step.
const fn step<E: Element>() -> usize {
    LINE * E::TOGETHER / E::EACH
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
/// `HINTS` as [`crate::kernels::prefetch::hints`] says.
///
/// # Safety
/// The features of `V`; every element named is there, and nobody else uses `out`; at most `V::ROWS.0` rows.
#[inline(always)]
pub(super) unsafe fn product<V: Vector, E: Element, const HINTS: u8>(w: &Lines<E>, x: &Rows) {
    macro_rules! rows {
        ($($rows:literal)*) => {
            match x.rows {
                $($rows if $rows <= V::ROWS.0 => {
                    // SAFETY: the caller's.
                    unsafe { Tile::<V, E, HINTS, $rows>::strips(w, x) }
                })*
                _ => {}
            }
        };
    }
    rows!(1 2 3 4 5 6 7 8);
}

/// The product of `R` rows.
struct Tile<V, E, const HINTS: u8, const R: usize>(V, E);

impl<V: Vector, E: Element, const HINTS: u8, const R: usize> Tile<V, E, HINTS, R> {
    const STEP: usize = step::<E>();

    /// Whether one line is read after the other, in the order of memory. With many rows of f32 a scalar that is loaded once for several
    /// lines is worth more.
    const IN_ORDER: bool = E::STREAMED && HINTS != FEW && (E::TOGETHER > 1 || R <= 4);

    /// Line after line where that pays and registers allow it; or strips of lines as wide as they do, narrower ones at the end.
    ///
    /// # Safety
    /// As [`product`].
    #[inline(always)]
    unsafe fn strips(w: &Lines<E>, x: &Rows) {
        // SAFETY: strips lie within the lines (the caller).
        unsafe {
            if Self::IN_ORDER && V::lines(1) > 1 {
                for first in 0..w.lines {
                    Self::line(w, x, first);
                }
                return;
            }
            let most = V::lines(R);
            let mut first = 0;
            while most >= 4 && w.lines - first >= 4 {
                Self::strip::<4>(w, x, first);
                first += 4;
            }
            while most >= 2 && w.lines - first >= 2 {
                Self::strip::<2>(w, x, first);
                first += 2;
            }
            while first < w.lines {
                Self::strip::<1>(w, x, first);
                first += 1;
            }
        }
    }

    /// # Safety
    /// As [`product`]; lines `first .. first + L` are there.
    #[inline(always)]
    unsafe fn strip<const L: usize>(w: &Lines<E>, rows: &Rows, first: usize) {
        // SAFETY: the caller's.
        unsafe {
            let mut sums = Self::begun::<L>(rows, first);
            let (mut at, mut x) = (w.data.add(first * w.apart), rows.x);
            let mut next = w.next.wrapping_add(first * w.apart);
            for _ in 0..w.n {
                fetch::<E, HINTS>(next, L);
                let mut lines = [V::splat(0.0); L];
                for j in 0..L {
                    lines[j] = E::load(at.wrapping_add(j * w.apart));
                }
                Self::add::<L>(&mut sums, &lines, x, rows.x_row);
                (at, x) = (at.wrapping_add(Self::STEP), x.wrapping_add(1));
                next = next.wrapping_add(L * Self::STEP);
            }
            Self::end::<L>(&sums, rows, first);
        }
    }

    /// One line, two steps at a time, with sums of their own that do not wait for each other.
    ///
    /// # Safety
    /// As [`product`]; line `first` is there.
    #[inline(always)]
    unsafe fn line(w: &Lines<E>, rows: &Rows, first: usize) {
        // SAFETY: the caller's.
        unsafe {
            let mut sums = Self::begun::<1>(rows, first);
            let mut others = [[V::splat(0.0); 1]; R];
            let (mut at, mut x) = (w.data.add(first * w.apart), rows.x);
            let mut next = w.next.wrapping_add(first * w.apart);
            for _ in 0..w.n / 2 {
                if Self::STEP * size_of::<E>() >= 64 {
                    fetch::<E, HINTS>(next, 1);
                    Self::add::<1>(&mut sums, &[E::load(at)], x, rows.x_row);
                    fetch::<E, HINTS>(next.wrapping_add(Self::STEP), 1);
                    let other = E::load(at.wrapping_add(Self::STEP));
                    Self::add::<1>(&mut others, &[other], x.wrapping_add(1), rows.x_row);
                } else {
                    fetch::<E, HINTS>(next, 2);
                    let [one, other] = E::load_two::<V>(at);
                    Self::add::<1>(&mut sums, &[one], x, rows.x_row);
                    Self::add::<1>(&mut others, &[other], x.wrapping_add(1), rows.x_row);
                }
                (at, x) = (at.wrapping_add(2 * Self::STEP), x.wrapping_add(2));
                next = next.wrapping_add(2 * Self::STEP);
            }
            if w.n % 2 == 1 {
                fetch::<E, HINTS>(next, 1);
                Self::add::<1>(&mut sums, &[E::load(at)], x, rows.x_row);
            }
            for r in 0..R {
                sums[r][0] = sums[r][0].add(others[r][0]);
            }
            Self::end::<1>(&sums, rows, first);
        }
    }

    /// Sums as they are before: faded, or 0.
    ///
    /// # Safety
    /// As [`product`]; lines `first .. first + L` are there.
    #[inline(always)]
    unsafe fn begun<const L: usize>(rows: &Rows, first: usize) -> [[V; L]; R] {
        // SAFETY: the caller's.
        unsafe {
            let mut sums = [[V::splat(0.0); L]; R];
            if !rows.fade.is_null() {
                for r in 0..R {
                    let fade = V::splat(*rows.fade.add(r));
                    for j in 0..L {
                        let at = rows.out.add(r * rows.out_row + (first + j) * LINE);
                        sums[r][j] = V::load(at).mul(fade);
                    }
                }
            }
            sums
        }
    }

    /// Keeps sums.
    ///
    /// # Safety
    /// As [`product`]; lines `first .. first + L` are there.
    #[inline(always)]
    unsafe fn end<const L: usize>(sums: &[[V; L]; R], rows: &Rows, first: usize) {
        for r in 0..R {
            for j in 0..L {
                // SAFETY: the caller's.
                unsafe { sums[r][j].store(rows.out.add(r * rows.out_row + (first + j) * LINE)) };
            }
        }
    }

    /// A step: each row's scalar, the first at `x`, times each line.
    ///
    /// # Safety
    /// As [`product`].
    #[inline(always)]
    unsafe fn add<const L: usize>(
        sums: &mut [[V; L]; R],
        lines: &[V; L],
        x: *const f32,
        x_row: usize,
    ) {
        for r in 0..R {
            // SAFETY: the caller's.
            unsafe {
                let scalar = V::splat(*x.add(r * x_row));
                for j in 0..L {
                    sums[r][j] = E::fma(sums[r][j], lines[j], scalar);
                }
            }
        }
    }
}
