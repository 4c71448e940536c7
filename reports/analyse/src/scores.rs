//! Scores of quality: which apply to a test, and their estimates. A score's interval comes from the positions or answers
//! behind it, not from launches: the same weights on the same device score the same in each.

use std::collections::BTreeMap;

use yardstick_api::Known;
use yardstick_record::{Metric, Record, Score, Test};

use crate::estimate::sorted;
use crate::{CONFIDENCE, Estimate, Interval, Method, UnitOfStatistics, median};

/// Standard errors to either side that hold 95 % of a normal distribution.
pub(crate) const REACH: f64 = 1.959_964;

/// The score a test is about.
pub(crate) fn headline(test: Test) -> Option<Metric> {
    match test {
        Test::Perplexity { .. } => Some(Metric::Perplexity),
        Test::Kld { .. } => Some(Metric::KldMean),
        Test::Choice | Test::Generation => Some(Metric::Accuracy),
        Test::Divergence { .. } => Some(Metric::MatchingTokens),
        _ => None,
    }
}

/// Every score that applies to a test: those that were told, and its headline in any case.
pub(crate) fn metrics(
    test: Test,
    records: &[&Record],
    not_ok: Option<&str>,
) -> BTreeMap<Metric, Known<Estimate>> {
    let told = records.iter().filter_map(|record| record.quality.as_ref());
    let told = told.flat_map(|quality| quality.scores.iter().map(|score| score.metric));
    let metrics = told.chain(headline(test));
    metrics
        .map(|metric| match not_ok {
            Some(reason) => (metric, Known::unavailable(reason)),
            None => (metric, estimate(metric, records)),
        })
        .collect()
}

/// The value of one record.
pub(crate) fn value(metric: Metric, record: &Record) -> Known<f64> {
    match score(metric, record) {
        Some(score) => score.value.clone(),
        None => Known::unavailable("not scored"),
    }
}

fn score(metric: Metric, record: &Record) -> Option<&Score> {
    record.quality.as_ref()?.score(metric)
}

/// The median over launches, with the largest of their standard errors.
fn estimate(metric: Metric, records: &[&Record]) -> Known<Estimate> {
    let scores: Vec<&Score> = records.iter().filter_map(|record| score(metric, record)).collect();
    let values: Vec<f64> = scores.iter().filter_map(|s| s.value.value().copied()).collect();
    let Some(middle) = median(&sorted(&values)) else {
        let reason = scores.iter().find_map(|score| score.value.reason());
        return Known::unavailable(reason.unwrap_or("not scored"));
    };
    let n = scores.iter().map(|score| score.n).min().unwrap_or(0);
    let errors = scores.iter().filter_map(|score| score.error.value().copied());
    let interval = match errors.reduce(f64::max) {
        Some(error) => Known::Value(Interval {
            low: middle - REACH * error,
            high: middle + REACH * error,
            confidence: CONFIDENCE,
        }),
        None => {
            let reason = scores.iter().find_map(|score| score.error.reason());
            Known::unavailable(reason.unwrap_or("no standard error"))
        }
    };
    let method = if interval.value().is_some() { Method::Normal } else { Method::None };
    Known::Value(Estimate {
        median: middle,
        interval,
        n: n as usize,
        unit_of_statistics: UnitOfStatistics::PositionsOrAnswers,
        method,
    })
}
