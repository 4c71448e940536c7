//! Perplexities of the same windows of one text, held side by side: what is hard in a text is hard for both, so that their
//! difference is known far better than either.

use yardstick_record::{Quality, Window};

use crate::interval::t_quantile;
use crate::{CONFIDENCE, Interval};

/// Fewest windows whose differences carry an interval.
const LEAST_WINDOWS: usize = 6;

/// How one perplexity compares with another on the same windows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WindowedChange {
    /// One over the other.
    pub ratio: f64,
    /// 95 % interval of it: other windows of such a text would land in it.
    pub ratio_interval: Interval,
    /// One less the other.
    pub difference: f64,
    /// 95 % interval of it.
    pub difference_interval: Interval,
    /// Windows behind it.
    pub n: usize,
}

/// `a` against `b`, where both scored the same positions of one text in at least six windows.
///
/// Windows are the unit, as positions within one depend on each other. Standard errors are the delete-one jackknife's, of the
/// logarithm of the ratio and of the difference; intervals are Student's with windows - 1 degrees of freedom.
///
/// Source: B. Efron and C. Stein, The jackknife estimate of variance, Annals of Statistics 9 (1981).
pub fn windowed_change(a: &Quality, b: &Quality) -> Option<WindowedChange> {
    let same_text = a.data.sha256 == b.data.sha256 && a.method == b.method;
    let same_positions = a.windows.len() == b.windows.len()
        && a.windows.iter().zip(&b.windows).all(|(a, b)| a.n == b.n && a.n > 0);
    let n = a.windows.len();
    if !same_text || !same_positions || n < LEAST_WINDOWS {
        return None;
    }
    let log_ratio = jackknife(&a.windows, &b.windows, |a, b| a - b);
    let difference = jackknife(&a.windows, &b.windows, |a, b| a.exp() - b.exp());
    let finite = |(value, half): (f64, f64)| (value.is_finite() && half.is_finite()).then_some(());
    finite(log_ratio).and(finite(difference))?;
    let around = |(value, half): (f64, f64)| Interval {
        low: value - half,
        high: value + half,
        confidence: CONFIDENCE,
    };
    let logs = around(log_ratio);
    Some(WindowedChange {
        ratio: log_ratio.0.exp(),
        ratio_interval: Interval { low: logs.low.exp(), high: logs.high.exp(), ..logs },
        difference: difference.0,
        difference_interval: around(difference),
        n,
    })
}

/// What `of` makes of both sides' mean negative log-likelihoods, and half the width of its interval.
fn jackknife(a: &[Window], b: &[Window], of: impl Fn(f64, f64) -> f64) -> (f64, f64) {
    let sum = |windows: &[Window]| windows.iter().map(|window| window.nll).sum::<f64>();
    let (sums, positions) = ((sum(a), sum(b)), a.iter().map(|window| window.n).sum::<u64>());
    let without = |(a, b): (&Window, &Window)| {
        let left = (positions - a.n) as f64;
        of((sums.0 - a.nll) / left, (sums.1 - b.nll) / left)
    };
    let values: Vec<f64> = a.iter().zip(b).map(without).collect();
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    let error = ((count - 1.0) / count * squares).sqrt();
    let whole = of(sums.0 / positions as f64, sums.1 / positions as f64);
    (whole, t_quantile(values.len() - 1, CONFIDENCE) * error)
}
