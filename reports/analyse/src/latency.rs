//! Token latency: percentiles where n carries them, and its course over a generation.

use serde::Serialize;
use yardstick_api::Known;
use yardstick_record::Record;

use crate::estimate::sorted;
use crate::{CONFIDENCE, Interval, median, quantile_interval};

/// Times from one emit to the next, pooled over samples and launches.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Latency {
    /// Gaps pooled.
    pub n: usize,
    /// p50, p90, p99, in this order.
    pub percentiles: Vec<Percentile>,
    /// Median gap after the first, second, ... emit, nanoseconds.
    #[serde(skip)]
    pub course: Vec<f64>,
}

/// One percentile.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Percentile {
    /// 50, 90, 99.
    pub percent: u8,
    /// Nanoseconds, or `n too small`.
    pub value: Known<f64>,
    /// Binomial interval.
    pub interval: Known<Interval>,
}

/// Samples without which a percentile is not stated: with fewer, even all of them below a bound would not show with 99 %
/// confidence that the percentile is (44 for p90, 459 for p99).
///
/// Source: MLPerf LoadGen's early stopping; n >= ln(1 - 0.99) / ln p.
pub fn least_samples(percent: u8) -> usize {
    let p = f64::from(percent.clamp(1, 99)) / 100.0;
    (0.01_f64.ln() / p.ln()).ceil() as usize
}

/// The latency over records of one cell; `None` where no sample has two emits.
pub(crate) fn latency(records: &[&Record]) -> Option<Latency> {
    let per_sample: Vec<Vec<f64>> =
        records.iter().flat_map(|r| &r.samples).map(|s| gaps(&s.emits_ns)).collect();
    let pooled = sorted(&per_sample.concat());
    if pooled.is_empty() {
        return None;
    }
    let percentiles = [50, 90, 99].map(|percent| percentile(&pooled, percent)).to_vec();
    Some(Latency { n: pooled.len(), percentiles, course: course(&per_sample) })
}

/// Differences of neighbours; a stamp that goes back counts as 0 rather than as a huge number.
pub(crate) fn gaps(emits_ns: &[u64]) -> Vec<f64> {
    emits_ns.windows(2).map(|pair| pair[1].saturating_sub(pair[0]) as f64).collect()
}

fn percentile(pooled: &[f64], percent: u8) -> Percentile {
    let (n, least) = (pooled.len(), least_samples(percent));
    let missing = format!("n too small: {n} gaps, p{percent} needs {least}");
    if n < least {
        let value = Known::unavailable(&missing);
        return Percentile { percent, value, interval: Known::unavailable(missing) };
    }
    let rank = (n * usize::from(percent)).div_ceil(100).max(1);
    let interval = quantile_interval(pooled, f64::from(percent) / 100.0, CONFIDENCE)
        .map_or_else(|| Known::unavailable(missing), Known::Value);
    Percentile { percent, value: Known::Value(pooled[rank - 1]), interval }
}

fn course(per_sample: &[Vec<f64>]) -> Vec<f64> {
    let longest = per_sample.iter().map(Vec::len).max().unwrap_or(0);
    let at = |i: usize| {
        sorted(&per_sample.iter().filter_map(|gaps| gaps.get(i).copied()).collect::<Vec<_>>())
    };
    (0..longest).filter_map(|i| median(&at(i))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_need_the_samples_loadgen_asks_for() {
        assert_eq!((least_samples(99), least_samples(90), least_samples(50)), (459, 44, 7));
        let many: Vec<f64> = (1..=458).map(f64::from).collect();
        assert!(percentile(&many, 99).value.reason().unwrap().contains("n too small"));
        assert_eq!(percentile(&many, 90).value, Known::Value(413.0));
        let enough: Vec<f64> = (1..=459).map(f64::from).collect();
        assert_eq!(percentile(&enough, 99).value, Known::Value(455.0));
    }

    #[test]
    fn a_stamp_that_goes_back_is_no_huge_gap() {
        assert_eq!(gaps(&[5, 3, 9]), [0.0, 6.0]);
    }
}
