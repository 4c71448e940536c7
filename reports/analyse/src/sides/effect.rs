//! By how much a side differs from the baseline: a ratio of what varies from launch to launch, a difference of scores.

use serde::Serialize;
use yardstick_api::Known;
use yardstick_record::{Direction, Metric, Test};

use super::Shift;
use crate::versus::{floor, held, judge};
use crate::{CONFIDENCE, Difference, Estimate, Interval, LaunchValue, Noise, Ratio};

/// By how much.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Side over baseline.
    Ratio(Ratio),
    /// Side less baseline, in the metric's unit.
    Difference {
        /// The difference.
        value: f64,
        /// Its interval, recovered from those of both sides.
        interval: Known<Interval>,
        /// Share of the larger of both values.
        relative: f64,
    },
}

impl Effect {
    /// For sorting: how far from no change, as a logarithm.
    pub fn size(&self) -> f64 {
        match self {
            Effect::Ratio(ratio) => ratio.median.ln().abs(),
            Effect::Difference { relative, .. } => relative.abs(),
        }
    }

    /// Whether the side's value is larger than the baseline's.
    pub fn rises(&self) -> bool {
        match self {
            Effect::Ratio(ratio) => ratio.median > 1.0,
            Effect::Difference { value, .. } => *value > 0.0,
        }
    }
}

/// A metric's launches and estimate on one side.
pub(super) struct Measured<'a> {
    pub(super) device: &'a str,
    pub(super) launches: Vec<LaunchValue>,
    pub(super) estimate: Estimate,
}

/// A side against the baseline.
pub(super) fn shift(
    metric: Metric,
    test: Test,
    side: &Measured<'_>,
    baseline: &Measured<'_>,
    noise: Option<&Noise>,
) -> Option<Shift> {
    if metric.is_score() {
        return Some(of_scores(metric, &side.estimate, &baseline.estimate));
    }
    let (ratio, drift) = held(&side.launches, &baseline.launches)?;
    let cells = [(side.device, test), (baseline.device, test)];
    let apart = (side.launches.len(), baseline.launches.len());
    // What machines tell between copies of a program was measured for speeds.
    let noise_floor = match metric {
        Metric::PeakRssBytes | Metric::JoulesPerToken => {
            Known::unavailable("measured for speeds alone")
        }
        _ => floor(noise, cells, &ratio, apart),
    };
    let difference = judge(&ratio, noise_floor.value().copied());
    let effect = Effect::Ratio(ratio);
    let better = better(metric, &effect, difference);
    Some(Shift { effect, difference, better, noise_floor, drift })
}

/// Scores have intervals of their own, over positions or answers. Both sides were asked the same, so this is cautious.
fn of_scores(metric: Metric, side: &Estimate, baseline: &Estimate) -> Shift {
    let value = side.median - baseline.median;
    let largest = side.median.abs().max(baseline.median.abs());
    let interval = match (side.interval.value(), baseline.interval.value()) {
        (Some(a), Some(b)) => Known::Value(Interval {
            low: value - (side.median - a.low).hypot(b.high - baseline.median),
            high: value + (a.high - side.median).hypot(baseline.median - b.low),
            confidence: CONFIDENCE,
        }),
        _ => Known::unavailable("a side's score has no standard error"),
    };
    let difference = match interval.value() {
        None => Difference::NoInterval,
        Some(i) if i.low <= 0.0 && i.high >= 0.0 => Difference::NotShown,
        Some(_) => Difference::Shown,
    };
    let relative = if largest > 0.0 { value / largest } else { 0.0 };
    let effect = Effect::Difference { value, interval, relative };
    let better = better(metric, &effect, difference);
    Shift {
        effect,
        difference,
        better,
        noise_floor: Known::unavailable("measured for speeds alone"),
        drift: None,
    }
}

fn better(metric: Metric, effect: &Effect, difference: Difference) -> Option<bool> {
    let higher = metric.direction() == Direction::Higher;
    (difference == Difference::Shown).then(|| effect.rises() == higher)
}
