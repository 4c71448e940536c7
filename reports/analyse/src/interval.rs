//! Medians, quantiles and their intervals: order statistics (distribution-free) and Student's t.
//! Every list of values given here is sorted ascending, finite and not empty unless said otherwise.

use serde::Serialize;

/// Bounds that hold the true value with a stated probability, were the measuring repeated.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Interval {
    /// Lower bound.
    pub low: f64,
    /// Upper bound.
    pub high: f64,
    /// Probability of covering the true value; for order statistics the exact one, at least what was asked for.
    pub confidence: f64,
}

impl Interval {
    /// Share at least one point.
    pub fn overlaps(&self, other: &Interval) -> bool {
        self.low <= other.high && other.low <= self.high
    }
}

/// The middle value, or the mean of the two middle ones; `None` for no values.
pub fn median(sorted: &[f64]) -> Option<f64> {
    let n = sorted.len();
    let upper = *sorted.get(n / 2)?;
    Some(if n % 2 == 1 { upper } else { sorted[n / 2 - 1].midpoint(upper) })
}

/// An interval of the median by order statistics: [`quantile_interval`] at one half.
pub fn median_interval(sorted: &[f64], confidence: f64) -> Option<Interval> {
    quantile_interval(sorted, 0.5, confidence)
}

/// An interval of the `p`-quantile by order statistics: the number of values below the true quantile is
/// Binomial(n, p) whatever the distribution, so the values of rank `l` and `u` bracket it with probability
/// P(l <= B < u). `None` where n is too small for any two ranks to do so.
///
/// Source: David and Nagaraja, Order Statistics, 3rd ed. (2003), section 7.1; Conover, Practical Nonparametric
/// Statistics, 3rd ed. (1999), section 3.2.
pub fn quantile_interval(sorted: &[f64], p: f64, confidence: f64) -> Option<Interval> {
    let tail = (1.0 - confidence) / 2.0;
    let cdf = binomial_cdf(sorted.len(), p);
    let low_rank = cdf.iter().take_while(|&&c| c <= tail).count();
    let high_rank = cdf.iter().position(|&c| c >= 1.0 - tail)? + 1;
    if low_rank == 0 || high_rank > sorted.len() {
        return None;
    }
    Some(Interval {
        low: sorted[low_rank - 1],
        high: sorted[high_rank - 1],
        confidence: cdf[high_rank - 1] - cdf[low_rank - 1],
    })
}

/// P(B <= k) for k = 0 ..= n, B ~ Binomial(n, p), 0 < p < 1. Summed in logarithms so that n may be large.
pub fn binomial_cdf(n: usize, p: f64) -> Vec<f64> {
    let odds = (p / (1.0 - p)).ln();
    let mut log_mass = n as f64 * (1.0 - p).ln();
    let mut sum = 0.0_f64;
    (0..=n)
        .map(|k| {
            sum += log_mass.exp();
            log_mass += ((n - k) as f64 / (k + 1) as f64).ln() + odds;
            sum.min(1.0)
        })
        .collect()
}

/// Student's interval of the mean of at least two values, which need not be sorted: mean ± t s / √n.
/// Assumes values that are roughly normal, which medians of many samples are.
pub fn t_interval(values: &[f64], confidence: f64) -> Option<Interval> {
    let n = values.len();
    if n < 2 {
        return None;
    }
    let mean = values.iter().sum::<f64>() / n as f64;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1) as f64;
    let half = t_quantile(n - 1, confidence) * (variance / n as f64).sqrt();
    Some(Interval { low: mean - half, high: mean + half, confidence })
}

/// The t with P(|T| <= t) = `confidence`, by bisection of [`t_central`].
pub(crate) fn t_quantile(freedom: usize, confidence: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1e6);
    while high - low > 1e-9 * (1.0 + low) {
        let middle = f64::midpoint(low, high);
        if t_central(freedom, middle) < confidence { low = middle } else { high = middle }
    }
    low
}

/// P(T >= t) for Student's t.
pub(crate) fn t_upper(freedom: usize, t: f64) -> f64 {
    let outside = (1.0 - t_central(freedom, t.abs())) / 2.0;
    if t >= 0.0 { outside } else { 1.0 - outside }
}

/// P(|T| <= t) for Student's t with a whole number of degrees of freedom.
///
/// Source: Abramowitz and Stegun, Handbook of Mathematical Functions (1964), 26.7.3 and 26.7.4.
pub(crate) fn t_central(freedom: usize, t: f64) -> f64 {
    let angle = (t / (freedom as f64).sqrt()).atan();
    let (sine, cosine) = angle.sin_cos();
    let odd = freedom % 2 == 1;
    // Odd: cos + 2/3 cos^3 + (2 4)/(3 5) cos^5 ...; even: 1 + 1/2 cos^2 + (1 3)/(2 4) cos^4 ...
    let (mut term, first) = if odd { (cosine, 2) } else { (1.0, 1) };
    let mut series = 0.0;
    for k in (first..).step_by(2).take(freedom / 2) {
        series += term;
        term *= f64::from(k) / f64::from(k + 1) * cosine * cosine;
    }
    if odd { std::f64::consts::FRAC_2_PI * (angle + sine * series) } else { sine * series }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t_quantiles_match_the_printed_tables() {
        let table = [
            (1, 12.706_2),
            (2, 4.302_65),
            (3, 3.182_45),
            (4, 2.776_45),
            (5, 2.570_58),
            (6, 2.446_91),
            (7, 2.364_62),
            (10, 2.228_14),
            (29, 2.045_23),
            (100, 1.983_97),
        ];
        for (freedom, expected) in table {
            let found = t_quantile(freedom, 0.95);
            assert!((found - expected).abs() < 1e-4, "{freedom}: {found} for {expected}");
        }
        assert!((t_quantile(9, 0.99) - 3.249_84).abs() < 1e-4);
    }

    #[test]
    fn order_statistics_match_the_printed_ranks() {
        // Conover (1999), table A3 by hand: n = 6 gives ranks 1 and 6 with 1 - 2/64, n = 10 ranks 2 and 9, n = 20 ranks 6 and 15.
        for (n, low, high, confidence) in
            [(6, 1, 6, 1.0 - 2.0 / 64.0), (10, 2, 9, 0.978_516), (20, 6, 15, 0.958_611)]
        {
            let values: Vec<f64> = (1..=n).map(f64::from).collect();
            let found = median_interval(&values, 0.95).unwrap();
            assert_eq!((found.low, found.high), (f64::from(low), f64::from(high)), "n = {n}");
            assert!((found.confidence - confidence).abs() < 1e-6, "n = {n}: {found:?}");
        }
    }

    #[test]
    fn five_values_carry_no_interval_of_the_median() {
        assert_eq!(median_interval(&[1.0, 2.0, 3.0, 4.0, 5.0], 0.95), None);
        assert_eq!(median_interval(&[], 0.95), None);
    }

    #[test]
    fn binomial_sums_stay_exact_for_many_values() {
        let cdf = binomial_cdf(100_000, 0.5);
        assert!((cdf[100_000] - 1.0).abs() < 1e-6);
        assert!((cdf[49_999] - 0.498_738_4).abs() < 1e-5, "{}", cdf[49_999]);
    }

    #[test]
    fn medians_of_odd_even_and_no_values() {
        assert_eq!(median(&[1.0, 2.0, 9.0]), Some(2.0));
        assert_eq!(median(&[1.0, 2.0, 4.0, 9.0]), Some(3.0));
        assert_eq!(median(&[]), None);
    }
}
