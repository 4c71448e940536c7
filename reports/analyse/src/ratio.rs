//! The ratio of two medians with its interval, for sides measured side by side and for sides measured apart. Launches are the
//! unit; everything is done on logarithms, so that `a / b` is exactly one over `b / a`.

use serde::Serialize;
use yardstick_api::Known;

use crate::estimate::{launch_interval, sorted};
use crate::resample::{difference_quantile, medians};
use crate::{CONFIDENCE, Interval, Method, median};

/// Fewest launches of each side whose medians are resampled; with fewer the bootstrap covers too little.
const LEAST_RESAMPLED: usize = 5;
/// Fewest launches that carry an interval.
const LEAST_LAUNCHES: usize = 3;

/// How one median compares with another.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ratio {
    /// Median over the launches' ratios where they are paired, ratio of the medians over launches where not.
    pub median: f64,
    /// Interval over launches, or why there is none.
    pub interval: Known<Interval>,
    /// Launches behind it: pairs, or those of the side that has fewer.
    pub n: usize,
    /// How the interval was made.
    pub method: Method,
    /// Both sides took turns in the same launches. Where they did not, drift between them is not excluded.
    pub paired: bool,
}

impl Ratio {
    /// The ratio of pairs `(a, b)`, one a launch; pairs with a value that is not finite and positive are left out.
    pub fn paired(pairs: &[(f64, f64)]) -> Option<Ratio> {
        let logs = sorted(&log_ratios(pairs));
        let centre = median(&logs)?;
        let (method, found) = launch_interval(&logs);
        Some(Ratio::new(centre, logs.len(), "pairs", method, found, true))
    }

    /// The ratio of `a` to `b`, a value a launch each, measured apart; values that are not finite and positive are left out.
    ///
    /// Both sides vary from launch to launch: from 5 launches of each on their medians are resampled (bootstrap, percentiles); with
    /// 3 or 4 the interval is recovered from those of the sides (Zou and Donner, Statistics in Medicine 27 (2008), MOVER).
    pub fn unpaired(a: &[f64], b: &[f64]) -> Option<Ratio> {
        let (a, b) = (sorted(&logs(a)), sorted(&logs(b)));
        let (ma, mb) = (median(&a)?, median(&b)?);
        let n = a.len().min(b.len());
        let (method, found) = match n {
            LEAST_RESAMPLED.. => (Method::Bootstrap, bootstrap(&a, &b)),
            LEAST_LAUNCHES.. => (Method::Recovered, recovered(&a, &b)),
            _ => (Method::None, None),
        };
        Some(Ratio::new(ma - mb, n, "launches of each", method, found, false))
    }

    /// From logarithms.
    fn new(
        centre: f64,
        n: usize,
        what: &str,
        method: Method,
        found: Option<Interval>,
        paired: bool,
    ) -> Ratio {
        let found = found.map(|i| Interval { low: i.low.exp(), high: i.high.exp(), ..i });
        let found = found.filter(|i| i.low > 0.0 && i.high.is_finite());
        let missing = || {
            Known::unavailable(format!(
                "n too small: {n} {what}, an interval needs {LEAST_LAUNCHES}"
            ))
        };
        Ratio {
            median: centre.exp(),
            method: if found.is_some() { method } else { Method::None },
            interval: found.map_or_else(missing, Known::Value),
            n,
            paired,
        }
    }

    /// The ratio seen from the other side.
    pub fn inverse(&self) -> Ratio {
        let turned = |i: Interval| Interval { low: 1.0 / i.high, high: 1.0 / i.low, ..i };
        Ratio {
            median: 1.0 / self.median,
            interval: self.interval.clone().map(turned),
            ..self.clone()
        }
    }
}

fn logs(values: &[f64]) -> Vec<f64> {
    values.iter().filter(|v| v.is_finite() && **v > 0.0).map(|v| v.ln()).collect()
}

/// Logarithms of `a / b`, in the order given.
pub(crate) fn log_ratios(pairs: &[(f64, f64)]) -> Vec<f64> {
    let usable = |v: f64| v.is_finite() && v > 0.0;
    pairs.iter().filter(|p| usable(p.0) && usable(p.1)).map(|p| p.0.ln() - p.1.ln()).collect()
}

/// Percentiles of the difference of both sides' resampled medians.
fn bootstrap(a: &[f64], b: &[f64]) -> Option<Interval> {
    let tail = (1.0 - CONFIDENCE) / 2.0;
    let (a, b) = (medians(a, a.len()), medians(b, b.len()));
    Some(Interval {
        low: difference_quantile(&a, &b, tail)?,
        // Seen from the other side, so that both ends are made alike.
        high: -difference_quantile(&b, &a, tail)?,
        confidence: CONFIDENCE,
    })
}

/// The sides' own intervals, their arms added as the legs of a right angle.
fn recovered(a: &[f64], b: &[f64]) -> Option<Interval> {
    let (ia, ib) = (launch_interval(a).1?, launch_interval(b).1?);
    let (ma, mb) = (median(a)?, median(b)?);
    let centre = ma - mb;
    Some(Interval {
        low: centre - (ma - ia.low).hypot(ib.high - mb),
        high: centre + (ia.high - ma).hypot(mb - ib.low),
        confidence: CONFIDENCE,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_cancel_what_hits_both_alike() {
        // The machine slows down by a third over the launches, both sides alike; one is 20 % faster.
        let pairs: Vec<(f64, f64)> =
            (0..6).map(|i| 100.0 - 5.0 * f64::from(i)).map(|v| (1.2 * v, v)).collect();
        let (a, b): (Vec<f64>, Vec<f64>) = pairs.iter().copied().unzip();
        let (with, without) = (Ratio::paired(&pairs).unwrap(), Ratio::unpaired(&a, &b).unwrap());
        assert!((with.median - 1.2).abs() < 1e-9 && (without.median - 1.2).abs() < 1e-9);
        let wide = |r: &Ratio| r.interval.value().map(|i| i.high - i.low).unwrap();
        assert!(wide(&with) < 1e-9 && wide(&without) > 0.1);
        assert_eq!((with.method, without.method), (Method::OrderStatistics, Method::Bootstrap));
    }

    #[test]
    fn few_launches_say_so() {
        let two = Ratio::paired(&[(2.0, 1.0), (2.2, 1.0)]).unwrap();
        assert_eq!((two.n, two.method), (2, Method::None));
        assert!(two.interval.reason().unwrap().contains("n too small: 2 pairs"));
        assert_eq!(Ratio::paired(&[]), None);
        assert_eq!(Ratio::unpaired(&[1.0], &[]), None);
        let three = Ratio::unpaired(&[1.0, 1.1, 1.2], &[2.0, 2.1, 2.2, 2.3]).unwrap();
        assert_eq!((three.n, three.method), (3, Method::Recovered));
    }
}
