//! The one product of attention: rows of scalars times lines of 16, the sums in registers. Scores are queries times keys
//! (lines of 16 positions), results are weights times values (lines of 16 of a head).
#![allow(clippy::needless_range_loop, reason = "rows and lines are indexed as in the formula")]

use super::vector::{Element, Vector};
use crate::kernels::prefetch::Ahead;

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
    /// What is fetched ahead meanwhile, as much as is read.
    pub(super) next: *const E,
    /// And how.
    pub(super) ahead: Ahead,
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

impl<E: Element> Lines<E> {
    /// Whether a line's steps follow each other in memory and are to be read so: in registers enough for it.
    #[inline(always)]
    fn in_order<V: Vector>(&self) -> bool {
        let beside = self.step * E::EACH == 16 * E::TOGETHER;
        self.ahead.fills_l1() && E::STREAMED && beside && V::lines(1) > 1
    }

    /// Bytes of a step of so many lines.
    #[inline(always)]
    fn bytes(lines: usize) -> usize {
        lines * 16 * E::TOGETHER / E::EACH * size_of::<E>()
    }

    /// What is fetched while line `first` and those behind it are read.
    #[inline(always)]
    fn next_of(&self, first: usize) -> *const u8 {
        self.next.cast::<u8>().wrapping_add(first * self.n * Self::bytes(1))
    }

    /// Asks for so many bytes, and says where it goes on.
    #[inline(always)]
    fn fetch(&self, next: *const u8, bytes: usize) -> *const u8 {
        if E::STREAMED {
            for line in (0..bytes).step_by(64) {
                self.ahead.ask(next.wrapping_add(line));
            }
        }
        next.wrapping_add(bytes)
    }
}

/// Strips as wide as registers allow, narrower ones at the end; or, with few rows, line after line in the order of memory. With many
/// a scalar that is loaded once for several lines is worth more.
///
/// # Safety
/// As [`product`].
#[inline(always)]
unsafe fn strips<V: Vector, E: Element, const R: usize>(w: &Lines<E>, x: &Rows) {
    // SAFETY: strips lie within the lines (the caller).
    unsafe {
        if R <= if E::TOGETHER > 1 { 7 } else { 4 } && w.in_order::<V>() {
            for first in 0..w.lines {
                line::<V, E, R>(w, x, first);
            }
            return;
        }
        let most = V::lines(R);
        let mut first = 0;
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
    // SAFETY: the caller's.
    unsafe {
        let mut sums = begun::<V, R, L>(rows, first);
        let (mut line, mut x) = (w.data.add(first * w.line), rows.x);
        let mut next = w.next_of(first);
        let beside = if w.ahead.fills_l1() && E::STREAMED && w.line == 16 { L / 2 * 2 } else { 0 };
        for k in 0..w.n {
            next = w.fetch(next, Lines::<E>::bytes(L));
            let second = if k + 1 == w.n { w.last } else { w.second };
            let mut lines = [V::splat(0.0); L];
            for j in (0..beside).step_by(2) {
                [lines[j], lines[j + 1]] = E::load_lines(line.add(j * 16), second);
            }
            for j in beside..L {
                lines[j] = E::load(line.add(j * w.line), second);
            }
            add::<V, E, R, L>(&mut sums, &lines, x, rows.x_row);
            (line, x) = (line.wrapping_add(w.step), x.wrapping_add(1));
        }
        end(&sums, rows, first);
    }
}

/// One line, two steps at a time, with sums of their own that do not wait for each other.
///
/// # Safety
/// As [`product`]; line `first` is there, its steps right behind each other.
#[inline(always)]
unsafe fn line<V: Vector, E: Element, const R: usize>(w: &Lines<E>, rows: &Rows, first: usize) {
    // SAFETY: the caller's.
    unsafe {
        let mut sums = begun::<V, R, 1>(rows, first);
        let mut others = [[V::splat(0.0); 1]; R];
        let (mut line, mut x) = (w.data.add(first * w.line), rows.x);
        let mut next = w.next_of(first);
        let whole = if w.last == w.second { w.n } else { w.n - 1 };
        for _ in 0..whole / 2 {
            next = w.fetch(next, 2 * Lines::<E>::bytes(1));
            let [one, other] = E::load_steps::<V>(line);
            add::<V, E, R, 1>(&mut sums, &[one], x, rows.x_row);
            add::<V, E, R, 1>(&mut others, &[other], x.wrapping_add(1), rows.x_row);
            (line, x) = (line.wrapping_add(2 * w.step), x.wrapping_add(2));
        }
        for k in whole / 2 * 2..w.n {
            next = w.fetch(next, Lines::<E>::bytes(1));
            let second = if k + 1 == w.n { w.last } else { w.second };
            add::<V, E, R, 1>(&mut sums, &[E::load(line, second)], x, rows.x_row);
            (line, x) = (line.wrapping_add(w.step), x.wrapping_add(1));
        }
        for r in 0..R {
            sums[r][0] = sums[r][0].add(others[r][0]);
        }
        end(&sums, rows, first);
    }
}

/// Sums as they are before: faded, or 0.
///
/// # Safety
/// As [`product`]; lines `first .. first + L` are there.
#[inline(always)]
unsafe fn begun<V: Vector, const R: usize, const L: usize>(
    rows: &Rows,
    first: usize,
) -> [[V; L]; R] {
    // SAFETY: the caller's.
    unsafe {
        let mut sums = [[V::splat(0.0); L]; R];
        if !rows.fade.is_null() {
            for r in 0..R {
                let fade = V::splat(*rows.fade.add(r));
                for j in 0..L {
                    let at = rows.out.add(r * rows.out_row + (first + j) * 16);
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
unsafe fn end<V: Vector, const R: usize, const L: usize>(
    sums: &[[V; L]; R],
    rows: &Rows,
    first: usize,
) {
    for r in 0..R {
        for j in 0..L {
            // SAFETY: the caller's.
            unsafe { sums[r][j].store(rows.out.add(r * rows.out_row + (first + j) * 16)) };
        }
    }
}

/// A step: each row's scalar, the first at `x`, times each line.
///
/// # Safety
/// As [`product`].
#[inline(always)]
unsafe fn add<V: Vector, E: Element, const R: usize, const L: usize>(
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
