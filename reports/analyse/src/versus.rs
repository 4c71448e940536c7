//! One row against its baseline: the ratio, whether it shows a difference, and what stands against believing it.

use std::collections::HashMap;

use serde::Serialize;
use yardstick_api::Known;
use yardstick_record::{Direction, Metric, Test};

use crate::ratio::log_ratios;
use crate::{Drift, Noise, Ratio, Row, drift};

/// The median of one launch of a row.
#[derive(Clone, Debug, PartialEq)]
pub struct LaunchValue {
    /// Run.
    pub run: String,
    /// Launch number within the run.
    pub launch: u32,
    /// Pairing group, where it took turns with others.
    pub group: Option<String>,
    /// Median over its samples of the row's headline metric.
    pub value: f64,
}

/// A row against its baseline.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Versus {
    /// Index of the baseline among the comparison's rows.
    pub baseline: usize,
    /// Its device, with the label of its build.
    pub against: String,
    /// Why that one.
    pub choice: Choice,
    /// What is compared.
    pub metric: Metric,
    /// Row over baseline.
    #[serde(flatten)]
    pub ratio: Ratio,
    /// What it shows.
    pub difference: Difference,
    /// Smallest relative difference that could be told from the machine's own noise at this n (0.012 is 1.2 %).
    pub noise_floor: Known<f64>,
    /// The launches depend on when they ran.
    pub drift: Option<Drift>,
}

/// How the baseline was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// It was asked for.
    Asked,
    /// The first named of those that took turns.
    FirstNamed,
    /// It has the best median.
    Fastest,
}

impl Choice {
    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            Choice::Asked => "as asked",
            Choice::FirstNamed => "the first named",
            Choice::Fastest => "the fastest",
        }
    }
}

/// What a ratio shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Difference {
    /// The interval excludes 1, and the difference exceeds the noise floor where that was measured.
    Shown,
    /// The interval holds 1.
    NotShown,
    /// The interval excludes 1, but the machine tells as much between two copies of the same program.
    BelowNoise,
    /// There is no interval.
    NoInterval,
}

impl Versus {
    /// Row against baseline; `None` where either has no value. Indices and choice are the caller's.
    pub(crate) fn between(
        row: &Row,
        (baseline, index): (&Row, usize),
        choice: Choice,
        noise: Option<&Noise>,
    ) -> Option<Versus> {
        let (ratio, drift) = held(&row.by_launch, &baseline.by_launch)?;
        let drift = if ratio.paired { drift } else { row.drift.or(baseline.drift) };
        let apart = (row.by_launch.len(), baseline.by_launch.len());
        let cells = [row, baseline].map(|row| (row.cell.device.as_str(), row.cell.test));
        let noise_floor = floor(noise, cells, &ratio, apart);
        let difference = judge(&ratio, noise_floor.value().copied());
        Some(Versus {
            baseline: index,
            against: baseline.member(),
            choice,
            metric: row.headline(),
            ratio,
            difference,
            noise_floor,
            drift,
        })
    }
}

impl Versus {
    /// Rows of two models on one device: their launches of one number follow each other in one shuffled round of a run, and
    /// count as a pair; elsewhere as [`Versus::between`].
    pub(crate) fn across(
        row: &Row,
        (baseline, index): (&Row, usize),
        noise: Option<&Noise>,
    ) -> Option<Versus> {
        let usual = Versus::between(row, (baseline, index), Choice::Asked, noise)?;
        let pairs = rounds(row, baseline);
        if usual.ratio.paired || pairs.len() < 3 || pairs.len() < row.by_launch.len() {
            return Some(usual);
        }
        let ratio = Ratio::paired(&pairs)?;
        // The floor of launches measured apart: a pair of whole launches cancels less than one of samples.
        let difference = judge(&ratio, usual.noise_floor.value().copied());
        Some(Versus { ratio, difference, drift: drift(&log_ratios(&pairs)), ..usual })
    }

    /// The ratio of speeds, whichever way is better for the metric: above 1 the row is faster than its baseline.
    pub fn speed(&self) -> Ratio {
        match self.metric.direction() {
            Direction::Higher => self.ratio.clone(),
            Direction::Lower => self.ratio.inverse(),
        }
    }
}

/// The ratio of a row's launches to its baseline's, of those that took turns where they say more; and the drift of either.
pub(crate) fn held(
    row: &[LaunchValue],
    baseline: &[LaunchValue],
) -> Option<(Ratio, Option<Drift>)> {
    let pairs = pairs(row, baseline);
    let (a, b) = (values(row), values(baseline));
    // Few pairs beside many launches measured apart say less than those.
    let paired = pairs.len() >= 3 || (!pairs.is_empty() && pairs.len() >= a.len().min(b.len()));
    Some(match paired {
        true => (Ratio::paired(&pairs)?, drift(&log_ratios(&pairs))),
        false => (Ratio::unpaired(&a, &b)?, drift(&a).or_else(|| drift(&b))),
    })
}

/// Smallest relative difference between two cells' launches, `apart` of each where they did not take turns, that is no noise.
pub(crate) fn floor(
    noise: Option<&Noise>,
    cells: [(&str, Test); 2],
    ratio: &Ratio,
    apart: (usize, usize),
) -> Known<f64> {
    match noise {
        Some(noise) => noise.smallest(cells, ratio.n, (!ratio.paired).then_some(apart)),
        None => Known::unavailable("not measured: yardstick run --noise"),
    }
}

pub(crate) fn judge(ratio: &Ratio, floor: Option<f64>) -> Difference {
    let Some(interval) = ratio.interval.value() else { return Difference::NoInterval };
    let size = ratio.median.max(1.0 / ratio.median) - 1.0;
    if interval.low <= 1.0 && interval.high >= 1.0 {
        Difference::NotShown
    } else if floor.is_some_and(|floor| size < floor) {
        Difference::BelowNoise
    } else {
        Difference::Shown
    }
}

/// Values of launches of one number of one run, in the order of time.
fn rounds(row: &Row, baseline: &Row) -> Vec<(f64, f64)> {
    let key = |l: &LaunchValue| (l.run.clone(), l.launch);
    let other: HashMap<_, f64> = baseline.by_launch.iter().map(|l| (key(l), l.value)).collect();
    row.by_launch.iter().filter_map(|l| Some((l.value, *other.get(&key(l))?))).collect()
}

fn values(launches: &[LaunchValue]) -> Vec<f64> {
    launches.iter().map(|launch| launch.value).collect()
}

/// Values of launches in which both took turns, in the order of time.
pub(crate) fn pairs(row: &[LaunchValue], baseline: &[LaunchValue]) -> Vec<(f64, f64)> {
    let key = |l: &LaunchValue| Some((l.run.clone(), l.launch, l.group.clone()?));
    let other: HashMap<_, f64> = baseline.iter().filter_map(|l| Some((key(l)?, l.value))).collect();
    row.iter().filter_map(|l| Some((l.value, *other.get(&key(l)?)?))).collect()
}
