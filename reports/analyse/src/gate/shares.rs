//! Shares with exact intervals: alarms among trials, errors among requests.

use crate::Interval;

/// Clopper and Pearson's interval of a share, `hits` of `trials`: covers at least as often as asked, whatever the share.
/// `None` for no trials or more hits than trials.
///
/// Source: Clopper and Pearson, Biometrika 26 (1934), 404-413.
pub fn clopper_pearson(hits: usize, trials: usize, confidence: f64) -> Option<Interval> {
    let tail = (1.0 - confidence) / 2.0;
    Some(Interval {
        low: share_below(hits, trials, tail)?,
        high: share_above(hits, trials, tail)?,
        confidence,
    })
}

/// The largest share of which `hits` or fewer are not rarer than `tail`: an upper bound with confidence 1 - `tail`.
pub fn share_above(hits: usize, trials: usize, tail: f64) -> Option<f64> {
    if trials == 0 || hits > trials {
        return None;
    }
    if hits == trials {
        return Some(1.0);
    }
    Some(bisect(|share| at_most(hits, trials, share) > tail))
}

/// The smallest share of which `hits` or more are not rarer than `tail`: a lower bound with confidence 1 - `tail`.
pub fn share_below(hits: usize, trials: usize, tail: f64) -> Option<f64> {
    share_above(trials.checked_sub(hits)?, trials, tail).map(|share| 1.0 - share)
}

/// Where a condition that holds at 0 ceases to.
fn bisect(holds: impl Fn(f64) -> bool) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if holds(middle) { low = middle } else { high = middle }
    }
    f64::midpoint(low, high)
}

/// P(B <= hits) for B ~ Binomial(trials, share), 0 < share < 1; summed from its logarithms.
pub(crate) fn at_most(hits: usize, trials: usize, share: f64) -> f64 {
    let odds = (share / (1.0 - share)).ln();
    let mut log = trials as f64 * (-share).ln_1p();
    let mut sum = 0.0;
    for k in 0..=hits {
        sum += log.exp();
        log += ((trials - k) as f64 / (k + 1) as f64).ln() + odds;
    }
    f64::min(sum, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_match_published_ones() {
        // The rule of three made exact: 1 - 0.025^(1/n), and 0 of 300 at 95 % one-sided is 0.994 %.
        let none = clopper_pearson(0, 300, 0.95).unwrap();
        assert_eq!(none.low, 0.0);
        assert!((none.high - (1.0 - 0.025_f64.powf(1.0 / 300.0))).abs() < 1e-9);
        assert!((share_above(0, 300, 0.05).unwrap() - 0.009_936).abs() < 1e-6);
        // Clopper and Pearson (1934): 8 of 10 is 0.4439 to 0.9748.
        let eight = clopper_pearson(8, 10, 0.95).unwrap();
        assert!((eight.low - 0.443_905).abs() < 1e-5 && (eight.high - 0.974_789).abs() < 1e-5);
        // Notes of the promise: 99 of 100 found shows at least 95.3 %.
        assert!((share_below(99, 100, 0.05).unwrap() - 0.953_4).abs() < 1e-4);
        assert_eq!(share_below(10, 10, 0.05).map(|s| s > 0.74), Some(true));
    }

    #[test]
    fn no_trials_have_no_share() {
        assert_eq!((clopper_pearson(0, 0, 0.95), clopper_pearson(3, 2, 0.95)), (None, None));
        assert_eq!(clopper_pearson(5, 5, 0.95).map(|i| i.high), Some(1.0));
    }
}
