//! Super-blocks of 256 weights, searched: scales (and minima) of groups, which are integers themselves in
//! units of one (or two) f16 numbers for all groups.
//!
//! Three steps, the last two twice: the best line of every group (`search`); those units from the largest of
//! the scales and minima; for every group the integers near its line that have the least error as stored.
//! The second time the units are those of weighted least squares over the whole super-block, for the codes
//! and integers just found; what has the lower error is kept.

use super::search::{self, Ends, error};
use super::{f16, fit};

/// Weights of a super-block.
pub(super) const LEN: usize = 256;

/// A super-block with scales and minima: weight = `d * scale * code - dmin * min`. `G` groups.
pub(super) struct Affine<const G: usize> {
    /// f16 unit of the scales.
    pub(super) d: u16,
    /// f16 unit of the minima.
    pub(super) dmin: u16,
    pub(super) scales: [u8; G],
    pub(super) mins: [u8; G],
    pub(super) codes: [u8; LEN],
    error: f32,
}

/// What an affine format can hold.
#[derive(Clone, Copy)]
pub(super) struct AffineKind {
    /// The largest code.
    pub(super) top: f32,
    /// The largest scale and minimum.
    pub(super) scale_top: f32,
    /// How far the codes are stretched in each start (`search::affine`).
    pub(super) stretch: &'static [f32],
}

/// Searches an affine super-block of `G` groups of `L` weights.
#[inline(always)]
pub(super) fn affine<const L: usize, const G: usize>(
    x: &[f32; LEN],
    w: &[f32; LEN],
    kind: AffineKind,
) -> Affine<G> {
    let x = fit::clean(x);
    let w = search::clean(w);
    let (groups, weights) = (x.as_chunks::<L>().0, w.as_chunks::<L>().0);
    let mut lines = [(0.0, 0.0); G];
    for ((line, x), w) in lines.iter_mut().zip(groups).zip(weights) {
        let (scale, min) = search::affine(x, w, kind.top, kind.stretch, false);
        *line = (scale, -min);
    }
    let unit = |values: [f32; G]| fit::store(fit::range(&values).1 / kind.scale_top);
    let first = (unit(lines.map(|l| l.0)), unit(lines.map(|l| l.1)));
    let found = choose::<L, G>(groups, weights, kind, &lines, first);
    let again = refit::<L, G>(groups, weights, &found);
    if again == first {
        return found;
    }
    let other = choose::<L, G>(groups, weights, kind, &lines, again);
    if other.error < found.error { other } else { found }
}

/// The integers and codes of every group under given units.
#[inline(always)]
fn choose<const L: usize, const G: usize>(
    groups: &[[f32; L]],
    weights: &[[f32; L]],
    kind: AffineKind,
    lines: &[(f32, f32); G],
    (d, dmin): (u16, u16),
) -> Affine<G> {
    let mut out = Affine { d, dmin, scales: [0; G], mins: [0; G], codes: [0; LEN], error: 0.0 };
    let units = (f16::widen(d), f16::widen(dmin));
    let codes = out.codes.as_chunks_mut::<L>().0;
    for (g, codes) in codes.iter_mut().enumerate() {
        let (x, w) = (&groups[g], &weights[g]);
        let near = nearest_integer(lines[g].0, units.0, 0.0, kind.scale_top);
        let mut best = (0.0, 0.0, f32::INFINITY);
        for step in [0.0, -1.0, 1.0] {
            let scale = near + step;
            if scale < 0.0 || scale > kind.scale_top {
                continue;
            }
            let min = best_minimum(x, w, units.0 * scale, lines[g].1, kind.top);
            let min = nearest_integer(min, units.1, 0.0, kind.scale_top);
            let (s, m) = (units.0 * scale, units.1 * min);
            let per_code = fit::inverse(s);
            let y = |i: usize| s * fit::nearest((x[i] + m) * per_code, 0.0, kind.top) - m;
            let error = error(x, w, y);
            if error < best.2 {
                best = (scale, min, error);
            }
        }
        (out.scales[g], out.mins[g]) = (best.0 as u8, best.1 as u8);
        out.error += best.2;
        let (per_code, m) = (fit::inverse(units.0 * best.0), units.1 * best.1);
        for (code, &x) in codes.iter_mut().zip(x) {
            *code = fit::code((x + m) * per_code, 0.0, kind.top);
        }
    }
    out
}

/// `value / unit` as an integer within bounds.
#[inline(always)]
fn nearest_integer(value: f32, unit: f32, low: f32, high: f32) -> f32 {
    fit::nearest(value * fit::inverse(unit), low, high)
}

/// The best minimum, at least 0, for a scale and the codes that the minimum `near` gives.
#[inline(always)]
fn best_minimum<const L: usize>(
    x: &[f32; L],
    w: &[f32; L],
    scale: f32,
    near: f32,
    top: f32,
) -> f32 {
    let per_code = fit::inverse(scale);
    let rest =
        fit::sum::<L>(|i| w[i] * (scale * fit::nearest((x[i] + near) * per_code, 0.0, top) - x[i]));
    let min = rest * fit::inverse(fit::sum::<L>(|i| w[i]));
    if min > 0.0 { min } else { 0.0 }
}

/// The units of least squares for codes and integers as they are; those in use where there are none better.
#[inline(always)]
fn refit<const L: usize, const G: usize>(
    groups: &[[f32; L]],
    weights: &[[f32; L]],
    found: &Affine<G>,
) -> (u16, u16) {
    // The normal equations of x = d a - dmin b, with a = scale * code and b = min.
    let (mut aa, mut ab, mut bb, mut ax, mut bx) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for (g, codes) in found.codes.as_chunks::<L>().0.iter().enumerate() {
        let (x, w) = (&groups[g], &weights[g]);
        let (scale, b) = (f32::from(found.scales[g]), f32::from(found.mins[g]));
        let q: [f32; L] = std::array::from_fn(|i| f32::from(codes[i]));
        let wq: [f32; L] = std::array::from_fn(|i| w[i] * q[i]);
        aa += scale * scale * fit::sum::<L>(|i| wq[i] * q[i]);
        ab += scale * b * fit::sum::<L>(|i| wq[i]);
        bb += b * b * fit::sum::<L>(|i| w[i]);
        ax += scale * fit::sum::<L>(|i| wq[i] * x[i]);
        bx += b * fit::sum::<L>(|i| w[i] * x[i]);
    }
    let spread = aa * bb - ab * ab;
    let (d, dmin) = ((ax * bb - bx * ab) / spread, (ax * ab - bx * aa) / spread);
    // No minima at all, or no two independent columns.
    if spread > 0.0 && d > 0.0 && dmin > 0.0 && d.is_finite() && dmin.is_finite() {
        (fit::store(d), fit::store(dmin))
    } else {
        (found.d, found.dmin)
    }
}

/// A super-block without minima: weight = `d * scale * (code - half)`, 16 groups of 16.
pub(super) struct Symmetric {
    /// f16 unit of the scales.
    pub(super) d: u16,
    pub(super) scales: [i8; 16],
    pub(super) codes: [u8; LEN],
    error: f32,
}

/// What a symmetric format can hold.
#[derive(Clone, Copy)]
pub(super) struct SymmetricKind {
    /// Codes are `-half..half`, stored plus `half`.
    pub(super) half: f32,
    /// Scales are `-scale_half..scale_half`.
    pub(super) scale_half: f32,
    /// Where the extreme weight is put in each start (`search::symmetric`).
    pub(super) ends: &'static Ends,
}

/// Searches a symmetric super-block.
#[inline(always)]
pub(super) fn symmetric(x: &[f32; LEN], w: &[f32; LEN], kind: SymmetricKind) -> Symmetric {
    let x = fit::clean(x);
    let w = search::clean(w);
    let (groups, weights) = (x.as_chunks::<16>().0, w.as_chunks::<16>().0);
    let mut wanted = [0.0; 16];
    for ((wanted, x), w) in wanted.iter_mut().zip(groups).zip(weights) {
        *wanted = search::symmetric(x, w, (-kind.half, kind.half - 1.0), kind.ends);
    }
    let first = fit::store(fit::extreme(&wanted) / -kind.scale_half);
    let found = choose_symmetric(groups, weights, kind, &wanted, first);
    let again = refit_symmetric(groups, weights, kind, &found);
    if again == first {
        return found;
    }
    let other = choose_symmetric(groups, weights, kind, &wanted, again);
    if other.error < found.error { other } else { found }
}

#[inline(always)]
fn choose_symmetric(
    groups: &[[f32; 16]],
    weights: &[[f32; 16]],
    kind: SymmetricKind,
    wanted: &[f32; 16],
    d: u16,
) -> Symmetric {
    let mut out = Symmetric { d, scales: [0; 16], codes: [0; LEN], error: 0.0 };
    let unit = f16::widen(d);
    let (low, high) = (-kind.half, kind.half - 1.0);
    let codes = out.codes.as_chunks_mut::<16>().0;
    for (g, codes) in codes.iter_mut().enumerate() {
        let (x, w) = (&groups[g], &weights[g]);
        let (lowest, highest) = (-kind.scale_half, kind.scale_half - 1.0);
        let near = nearest_integer(wanted[g], unit, lowest, highest);
        let mut best = (0.0, f32::INFINITY);
        for step in [0.0, -1.0, 1.0] {
            let scale = near + step;
            if scale < lowest || scale > highest {
                continue;
            }
            let s = unit * scale;
            let per_code = fit::inverse(s);
            let error = error(x, w, |i| s * fit::nearest(x[i] * per_code, low, high));
            if error < best.1 {
                best = (scale, error);
            }
        }
        out.scales[g] = best.0 as i8;
        out.error += best.1;
        let per_code = fit::inverse(unit * best.0);
        for (code, &x) in codes.iter_mut().zip(x) {
            *code = fit::code(x * per_code + kind.half, 0.0, 2.0 * kind.half - 1.0);
        }
    }
    out
}

#[inline(always)]
fn refit_symmetric(
    groups: &[[f32; 16]],
    weights: &[[f32; 16]],
    kind: SymmetricKind,
    found: &Symmetric,
) -> u16 {
    let (mut qq, mut qx) = (0.0, 0.0);
    for (g, codes) in found.codes.as_chunks::<16>().0.iter().enumerate() {
        let (x, w, scale) = (&groups[g], &weights[g], f32::from(found.scales[g]));
        let q: [f32; 16] = std::array::from_fn(|i| scale * (f32::from(codes[i]) - kind.half));
        qq += fit::sum::<16>(|i| w[i] * q[i] * q[i]);
        qx += fit::sum::<16>(|i| w[i] * q[i] * x[i]);
    }
    let d = qx / qq;
    if d.is_finite() && d != 0.0 { fit::store(d) } else { found.d }
}
