//! Searching: the scale (and minimum) of a group with the least weighted squared error.
//!
//! Wanted is the `(s, m)` and the codes `q` that minimise `E = sum w (x - s q - m)^2`, `w` the importance of
//! a weight. For given codes the best line is that of weighted least squares,
//! `s = (W Sqx - Sq Sx) / (W Sqq - Sq^2)`, `m = (Sqq Sx - Sq Sqx) / (W Sqq - Sq^2)`, with
//! `W = sum w`, `Sq = sum w q`, `Sqx = sum w q x` and so on; without a minimum `s = Sqx / Sqq`. For a given
//! line the best codes are the nearest. So: several starts (the span of the weights laid over a few more or
//! fewer codes than there are), the line of each start's codes, then from the best of them codes and line by
//! turns (Lloyd's algorithm), which never gets worse.
//!
//! As in `fit`, only IEEE f32 `+ - * /` and comparisons in a fixed order: the same bytes on every machine.

use super::fit::{self, FLAT, inverse, nearest, sum};

/// Turns of codes and line after the best start.
const TURNS: usize = 2;

/// Importances are held within these, about a mean of 1: squares of immense weights times the upper one are
/// still finite, those of tiny weights times the lower one still normal numbers.
const IMPORTANCE: (f32, f32) = (1e-6, 1e6);

/// Importances made usable; NaN and what is negative count least.
#[inline(always)]
pub(super) fn clean<const L: usize>(importance: &[f32; L]) -> [f32; L] {
    let (least, most) = IMPORTANCE;
    importance.map(|w| if w > least { w.min(most) } else { least })
}

/// `sum w (x - y)^2`.
#[inline(always)]
pub(super) fn error<const L: usize>(x: &[f32; L], w: &[f32; L], y: impl Fn(usize) -> f32) -> f32 {
    sum::<L>(|i| {
        let off = x[i] - y(i);
        w[i] * off * off
    })
}

/// Where the weight of largest magnitude is put in each start of [`symmetric`].
pub(super) type Ends = [f32];

/// `scale`, of either sign, so that `scale * code` is close, codes `low..=high`.
#[inline(always)]
pub(super) fn symmetric<const L: usize>(
    x: &[f32; L],
    w: &[f32; L],
    codes: (f32, f32),
    ends: &Ends,
) -> f32 {
    scale_of(x, w, ends, |x| nearest(x, codes.0, codes.1))
}

/// As [`symmetric`], for any set of values that codes stand for: `value` gives the one nearest to a number.
#[inline(always)]
pub(super) fn scale_of<const L: usize>(
    x: &[f32; L],
    w: &[f32; L],
    ends: &Ends,
    value: impl Fn(f32) -> f32,
) -> f32 {
    let extreme = fit::extreme(x);
    if extreme.abs() < FLAT {
        return 0.0;
    }
    let wx: [f32; L] = std::array::from_fn(|i| w[i] * x[i]);
    // Scale and by how much the error falls below that of zeros, for the codes of one step size.
    let attempt = |per_code: f32| {
        let mut q = [0.0; L];
        for (q, &x) in q.iter_mut().zip(x) {
            *q = value(x * per_code);
        }
        let qq = sum::<L>(|i| w[i] * q[i] * q[i]);
        let qx = sum::<L>(|i| q[i] * wx[i]);
        let scale = qx * inverse(qq);
        (scale, scale * qx)
    };
    let (mut best, mut gain) = (0.0, 0.0);
    for &end in ends {
        let found = attempt(end / extreme);
        if found.1 > gain {
            (best, gain) = found;
        }
    }
    for _ in 0..TURNS {
        let found = attempt(inverse(best));
        if found.1 <= gain {
            break;
        }
        (best, gain) = found;
    }
    best
}

/// `scale` and `min` so that `scale * code + min` is close, codes `0..=top`; `min` at most 0 unless `free`.
/// Each start lays the span of the weights over `top + stretch` steps.
#[inline(always)]
pub(super) fn affine<const L: usize>(
    x: &[f32; L],
    w: &[f32; L],
    top: f32,
    stretch: &[f32],
    free: bool,
) -> (f32, f32) {
    let (low, high) = fit::range(x);
    let low = if low > 0.0 && !free { 0.0 } else { low };
    if high - low < FLAT {
        return (0.0, low);
    }
    // Above the lowest, so that far from zero no digits are lost.
    let u: [f32; L] = std::array::from_fn(|i| x[i] - low);
    let wu: [f32; L] = std::array::from_fn(|i| w[i] * u[i]);
    let sum_w = sum::<L>(|i| w[i]);
    let sum_u = sum::<L>(|i| wu[i]);
    let attempt = |per_code: f32, from: f32| {
        let (mut q, mut wq) = ([0.0; L], [0.0; L]);
        for i in 0..L {
            q[i] = nearest((u[i] - from) * per_code, 0.0, top);
            wq[i] = w[i] * q[i];
        }
        let sum_q = sum::<L>(|i| wq[i]);
        let sum_qq = sum::<L>(|i| wq[i] * q[i]);
        let sum_qu = sum::<L>(|i| wu[i] * q[i]);
        let spread = sum_w * sum_qq - sum_q * sum_q;
        let mut scale = (sum_w * sum_qu - sum_q * sum_u) / spread;
        let mut start = (sum_qq * sum_u - sum_q * sum_qu) / spread;
        // A minimum above 0, or all weights of one code: the line starts at 0.
        if spread.is_nan() || spread <= 0.0 || (!free && start + low > 0.0) {
            start = if free { 0.0 } else { -low };
            scale = (sum_qu - start * sum_q) * inverse(sum_qq);
        }
        // The squared error less the sum of w u u, which all attempts share.
        let error = scale * (scale * sum_qq - 2.0 * sum_qu)
            + start * (sum_w * start + 2.0 * (scale * sum_q - sum_u));
        (scale, start, error)
    };
    let mut best = (0.0, 0.0, f32::INFINITY);
    for &stretch in stretch {
        let found = attempt((top + stretch) / (high - low), 0.0);
        if found.2 < best.2 {
            best = found;
        }
    }
    for _ in 0..TURNS {
        let found = attempt(inverse(best.0), best.1);
        if found.2 >= best.2 || found.2.is_nan() {
            break;
        }
        best = found;
    }
    (best.0, low + best.1)
}
