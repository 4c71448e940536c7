//! Fitting: which scale (and minimum) makes a group of weights and its integer codes closest.
//!
//! Every encoder gives the same bytes on every machine: only IEEE f32 `+ - * /` and comparisons are
//! used, in an order fixed here (sums run in a fixed number of lanes, folded in a fixed order), so
//! wider vectors change the speed and nothing else.
//!
//! What a quantised block cannot express is made expressible first, never an error and never a
//! panic: NaN counts as 0, and magnitudes beyond [`LIMIT`] (infinities too) count as that limit.
//! Scales too large for f16 saturate at 65504 and codes at their ends; weights too small for the
//! smallest scale become 0.

use super::f16;

/// Far above what any block decodes to, and small enough that sums of squares stay finite.
pub(super) const LIMIT: f32 = 1e12;

/// Spans below this are flat: no half is so small, and their squares are still normal numbers.
pub(super) const FLAT: f32 = 1e-12;

/// Adding it leaves a small number's nearest integer (ties to even) in the low bits: 1.5 * 2^23.
const MAGIC: f32 = 12_582_912.0;

/// The group with NaN and immense values made expressible.
#[inline(always)]
pub(super) fn clean<const L: usize>(values: &[f32; L]) -> [f32; L] {
    values.map(|x| (if x.is_nan() { 0.0 } else { x }).clamp(-LIMIT, LIMIT))
}

/// The f16 bits to store for a scale. Among the coarse subnormals one that falls short by more than
/// normal rounding goes up a step: too small a scale cuts off the largest weights.
#[inline(always)]
pub(super) fn store(scale: f32) -> u16 {
    let bits = f16::narrow(scale);
    let short = f16::widen(bits).abs() < scale.abs() * (1.0 - 1.0 / 1024.0);
    if short && scale.abs() < 1.0 { bits + 1 } else { bits }
}

/// `1 / scale`, or 0 for a scale that was lost: then every code is the one of weight 0.
#[inline(always)]
pub(super) fn inverse(scale: f32) -> f32 {
    if scale == 0.0 { 0.0 } else { 1.0 / scale }
}

/// `x` held within `low..=high`, to the nearest integer, ties to even.
#[inline(always)]
pub(super) fn nearest(x: f32, low: f32, high: f32) -> f32 {
    (x.clamp(low, high) + MAGIC) - MAGIC
}

/// The code of `x`: `nearest`, as an integer. `low` and `high` are within -128 and 255.
#[inline(always)]
pub(super) fn code(x: f32, low: f32, high: f32) -> u8 {
    (x.clamp(low, high) + MAGIC).to_bits() as u8
}

/// A sum in eight lanes, so that it vectorises and still has one order.
#[inline(always)]
pub(super) fn sum<const L: usize>(term: impl Fn(usize) -> f32) -> f32 {
    let mut lanes = [0.0; 8];
    for at in (0..L).step_by(8) {
        for (lane, total) in lanes.iter_mut().enumerate() {
            *total += term(at + lane);
        }
    }
    let [a, b, c, d, e, f, g, h] = lanes;
    ((a + e) + (c + g)) + ((b + f) + (d + h))
}

/// Smallest and largest weight of a clean group.
#[inline(always)]
pub(super) fn range<const L: usize>(x: &[f32; L]) -> (f32, f32) {
    let (mut low, mut high) = ([x[0]; 8], [x[0]; 8]);
    for chunk in x.as_chunks::<8>().0 {
        for (lane, &x) in chunk.iter().enumerate() {
            low[lane] = if x < low[lane] { x } else { low[lane] };
            high[lane] = if x > high[lane] { x } else { high[lane] };
        }
    }
    let low = low.into_iter().reduce(|a, b| if b < a { b } else { a });
    let high = high.into_iter().reduce(|a, b| if b > a { b } else { a });
    (low.unwrap_or(0.0), high.unwrap_or(0.0))
}

/// The weight of largest magnitude, with its sign; the positive one of two equals.
#[inline(always)]
pub(super) fn extreme<const L: usize>(x: &[f32; L]) -> f32 {
    let (low, high) = range(x);
    if -low > high { low } else { high }
}

/// `scale` and `min` so that `scale * code + min` is close, codes `0..=top` and `min` at most 0.
///
/// Each entry of `stretch` is one attempt: codes spread over `top + stretch` steps, then the least
/// squares line through (code, weight). The attempt with the least squared error wins.
#[inline(always)]
pub(super) fn affine<const L: usize>(x: &[f32; L], top: f32, stretch: &[f32]) -> (f32, f32) {
    let (low, high) = range(x);
    let low = if low > 0.0 { 0.0 } else { low };
    if high - low < FLAT {
        return (0.0, low);
    }
    let n = L as f32;
    let sum_x = sum::<L>(|i| x[i]);
    let mut best = (0.0, low);
    let mut best_error = f32::INFINITY;
    for &stretch in stretch {
        let per_code = (top + stretch) / (high - low);
        let mut codes = [0.0; L];
        for (code, &x) in codes.iter_mut().zip(x) {
            *code = nearest((x - low) * per_code, 0.0, top);
        }
        let sum_q = sum::<L>(|i| codes[i]);
        let sum_qq = sum::<L>(|i| codes[i] * codes[i]);
        let sum_qx = sum::<L>(|i| codes[i] * x[i]);
        let spread = n * sum_qq - sum_q * sum_q;
        let mut scale = (n * sum_qx - sum_q * sum_x) / spread;
        let mut min = (sum_qq * sum_x - sum_q * sum_qx) / spread;
        // No spread: weights far from 0 and close together, all of one code.
        if spread <= 0.0 || min > 0.0 {
            (scale, min) = (sum_qx / sum_qq, 0.0);
        }
        // The squared error less the sum of x * x, which all attempts share.
        let error = scale * (scale * sum_qq - 2.0 * sum_qx)
            + min * (n * min + 2.0 * (scale * sum_q - sum_x));
        if error < best_error {
            (best, best_error) = ((scale, min), error);
        }
    }
    best
}

/// The best `min`, at most 0, for this `scale` and the codes that `near` gives.
#[inline(always)]
pub(super) fn minimum<const L: usize>(x: &[f32; L], scale: f32, near: f32, top: f32) -> f32 {
    let per_code = inverse(scale);
    let rest = sum::<L>(|i| x[i] - scale * nearest((x[i] - near) * per_code, 0.0, top));
    let min = rest / L as f32;
    if min > 0.0 { 0.0 } else { min }
}

/// `scale`, of either sign, so that `scale * code` is close, codes `-half..half`.
///
/// As [`affine`], without a minimum: the extreme weight gets code `-(half + stretch)`.
#[inline(always)]
pub(super) fn symmetric<const L: usize>(x: &[f32; L], half: f32, stretch: &[f32]) -> f32 {
    let extreme = extreme(x);
    if extreme.abs() < FLAT {
        return 0.0;
    }
    let (mut best, mut best_gain) = (0.0, 0.0);
    for &stretch in stretch {
        let per_code = -(half + stretch) / extreme;
        let mut codes = [0.0; L];
        for (code, &x) in codes.iter_mut().zip(x) {
            *code = nearest(x * per_code, -half, half - 1.0);
        }
        let sum_qq = sum::<L>(|i| codes[i] * codes[i]);
        let sum_qx = sum::<L>(|i| codes[i] * x[i]);
        let scale = sum_qx / sum_qq;
        // How much the squared error falls below the sum of x * x.
        let gain = scale * sum_qx;
        if gain > best_gain {
            (best, best_gain) = (scale, gain);
        }
    }
    best
}
