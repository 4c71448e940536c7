//! The estimate: a median with an interval, and what the interval is about.

use serde::Serialize;
use yardstick_api::Known;

use crate::{Interval, median, median_interval, t_interval};

/// Confidence asked of every interval.
pub const CONFIDENCE: f64 = 0.95;

/// Fewest launches that carry an interval over launches.
const LEAST_LAUNCHES: usize = 3;
/// From here on order statistics reach [`CONFIDENCE`]: 1 - 2 / 2^6 = 96.9 %.
const LEAST_ORDERED: usize = 6;

/// A quantity as measured: its median and how far it can be trusted.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Estimate {
    /// Median of the launches' medians.
    pub median: f64,
    /// Interval, or why there is none.
    pub interval: Known<Interval>,
    /// Number of values behind median and interval, in `unit_of_statistics`.
    pub n: usize,
    /// What was counted: launches vary more than the samples of one.
    pub unit_of_statistics: UnitOfStatistics,
    /// How the interval was made.
    pub method: Method,
}

impl Estimate {
    /// The same in another unit.
    pub(crate) fn times(&self, factor: f64) -> Estimate {
        let interval = self.interval.clone().map(|interval| Interval {
            low: interval.low * factor,
            high: interval.high * factor,
            ..interval
        });
        Estimate { median: self.median * factor, interval, ..self.clone() }
    }
}

/// What an interval speaks about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum UnitOfStatistics {
    /// New launches would land in it.
    Launches,
    /// Only more samples of this very launch would: the next launch may differ by more.
    SamplesOfOneLaunch,
    /// Other positions of such a text, or other such questions, would land in it.
    PositionsOrAnswers,
}

impl UnitOfStatistics {
    /// For people: `launches`, `samples within one launch`.
    pub fn name(self) -> &'static str {
        match self {
            UnitOfStatistics::Launches => "launches",
            UnitOfStatistics::SamplesOfOneLaunch => "samples within one launch",
            UnitOfStatistics::PositionsOrAnswers => "positions or answers",
        }
    }
}

/// How an interval was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Student's t over the launches' medians (3 to 5 launches).
    StudentT,
    /// Ranks that bracket the median whatever the distribution (6 or more values).
    OrderStatistics,
    /// Percentiles of the resampled medians of two sides (5 or more launches of each).
    Bootstrap,
    /// Recovered from the intervals of two sides (3 or 4 launches of one).
    Recovered,
    /// Normal, from a score's standard error.
    Normal,
    /// There is no interval.
    None,
}

impl Method {
    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            Method::StudentT => "Student's t",
            Method::OrderStatistics => "order statistics",
            Method::Bootstrap => "bootstrap of medians",
            Method::Recovered => "recovery from both sides' intervals",
            Method::Normal => "the standard error",
            Method::None => "no interval",
        }
    }
}

/// Estimates a quantity from its values, one list a launch. Values that are not finite are left out;
/// `None` where no value is left.
pub fn estimate(launches: &[Vec<f64>]) -> Option<Estimate> {
    let mut launches: Vec<Vec<f64>> = launches.iter().map(|values| sorted(values)).collect();
    launches.retain(|values| !values.is_empty());
    match launches.as_slice() {
        [only] => Some(build(only, UnitOfStatistics::SamplesOfOneLaunch)),
        many => {
            let medians: Vec<f64> = many.iter().filter_map(|values| median(values)).collect();
            (!medians.is_empty()).then(|| build(&sorted(&medians), UnitOfStatistics::Launches))
        }
    }
}

/// The finite values, ascending.
pub(crate) fn sorted(values: &[f64]) -> Vec<f64> {
    let mut finite: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
    finite.sort_by(f64::total_cmp);
    finite
}

/// Estimates from sorted values, at least one. A t interval of 3 to 5 values always holds their median: it reaches more than
/// one standard deviation to either side of the mean.
fn build(values: &[f64], unit: UnitOfStatistics) -> Estimate {
    let n = values.len();
    let (method, interval) = match unit {
        UnitOfStatistics::SamplesOfOneLaunch if n < LEAST_ORDERED => (Method::None, None),
        _ => launch_interval(values),
    };
    let needed = match unit {
        UnitOfStatistics::Launches => LEAST_LAUNCHES,
        _ => LEAST_ORDERED,
    };
    let too_small = || {
        Known::unavailable(format!("n too small: {n} {}, an interval needs {needed}", unit.name()))
    };
    Estimate {
        median: median(values).unwrap_or(f64::NAN),
        interval: interval.map_or_else(too_small, Known::Value),
        n,
        unit_of_statistics: unit,
        method,
    }
}

/// The interval of the median of launches, sorted, and how it is made. The choice is argued by the table in reports/README.md.
pub(crate) fn launch_interval(values: &[f64]) -> (Method, Option<Interval>) {
    let (method, found) = match values.len() {
        LEAST_ORDERED.. => (Method::OrderStatistics, median_interval(values, CONFIDENCE)),
        LEAST_LAUNCHES.. => (Method::StudentT, t_interval(values, CONFIDENCE)),
        _ => (Method::None, None),
    };
    // Values near the largest a float holds overflow a variance.
    (method, found.filter(|found| found.low.is_finite() && found.high.is_finite()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_launch_speaks_only_of_itself() {
        let found = estimate(&[(1..=10).map(f64::from).collect()]).unwrap();
        assert_eq!(found.unit_of_statistics, UnitOfStatistics::SamplesOfOneLaunch);
        assert_eq!((found.median, found.n), (5.5, 10));
        assert_eq!(found.interval.value().map(|i| (i.low, i.high)), Some((2.0, 9.0)));
    }

    #[test]
    fn two_launches_carry_no_interval() {
        let found = estimate(&[vec![1.0; 50], vec![2.0; 50]]).unwrap();
        assert_eq!((found.median, found.n), (1.5, 2));
        assert!(found.interval.reason().unwrap().contains("n too small"));
        assert_eq!(found.method, Method::None);
    }

    #[test]
    fn three_launches_use_students_t_over_their_medians() {
        let found = estimate(&[vec![10.0, 11.0, 12.0], vec![12.0], vec![13.0, 13.0]]).unwrap();
        let interval = found.interval.value().unwrap();
        assert_eq!((found.median, found.n, found.method), (12.0, 3, Method::StudentT));
        // Mean 12, s = 1, t(2) = 4.30265, / sqrt 3.
        assert!((interval.high - 12.0 - 2.484_13).abs() < 1e-4, "{interval:?}");
    }

    #[test]
    fn one_value_is_no_interval_and_no_value_is_no_estimate() {
        assert!(estimate(&[vec![4.0]]).unwrap().interval.value().is_none());
        assert_eq!(estimate(&[vec![], vec![f64::NAN, f64::INFINITY]]), None);
        assert_eq!(estimate(&[]), None);
    }
}
