//! The check: rows held against limits. What cannot be judged says why and never passes.

use serde::{Serialize, Serializer};
use yardstick_api::Known;
use yardstick_record::{Direction, Metric, Outcome};

use crate::{Comparison, Estimate, Interval, Row, describe};

/// A limit on a metric, and the rows it is for.
#[derive(Clone, Debug, PartialEq)]
pub struct Limit {
    /// What is limited; its direction says whether the bound is a floor or a ceiling.
    pub metric: Metric,
    /// How far it may go.
    pub bound: Bound,
    /// Indices of the rows it speaks of.
    pub rows: Vec<usize>,
}

/// How far a metric may go.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// The least or most it may be, in its unit.
    Value(f64),
    /// The largest change for the worse against the baseline, percent.
    Percent(f64),
}

/// What became of a limit on one row.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// Index of the limit.
    pub limit: usize,
    /// What is limited.
    pub metric: Metric,
    /// How far it may go.
    pub bound: Bound,
    /// Index of the row; none where no row is in the limit's scope.
    pub row: Option<usize>,
    /// The figure, as reports have it.
    pub found: Known<Estimate>,
    /// The change for the worse against the baseline, percent, of a limit on change.
    pub change: Option<f64>,
    /// The verdict.
    pub verdict: Verdict,
}

/// Whether a limit is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// It is.
    Kept {
        /// All of the interval keeps it too.
        shown: bool,
    },
    /// It is not.
    Broken {
        /// All of the interval breaks it too.
        shown: bool,
    },
    /// There is no telling.
    Unjudged {
        /// Why.
        reason: String,
    },
}

impl Judgement {
    /// How far within the bound, as a share of it; negative where it is broken. None where the bound is 0 or there is no figure.
    pub fn headroom(&self) -> Option<f64> {
        let (value, bound) = match self.bound {
            Bound::Value(bound) => (self.found.value()?.median, bound),
            Bound::Percent(percent) => return Some((percent - self.change?) / 100.0),
        };
        let room = match self.metric.direction() {
            Direction::Higher => value - bound,
            Direction::Lower => bound - value,
        };
        (bound != 0.0).then(|| room / bound.abs())
    }
}

impl Serialize for Judgement {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Wire<'a> {
            limit: usize,
            metric: &'static str,
            unit: &'static str,
            better: Direction,
            bound: Bound,
            row: Option<usize>,
            found: &'a Known<Estimate>,
            change_for_the_worse_percent: Option<f64>,
            headroom: Option<f64>,
            #[serde(flatten)]
            verdict: &'a Verdict,
        }
        Wire {
            limit: self.limit,
            metric: self.metric.name(),
            unit: self.metric.unit(),
            better: self.metric.direction(),
            bound: self.bound,
            row: self.row,
            found: &self.found,
            change_for_the_worse_percent: self.change,
            headroom: self.headroom(),
            verdict: &self.verdict,
        }
        .serialize(to)
    }
}

/// Holds every row in a limit's scope against it, in the order of limits and rows. Rows to whose test the metric does not apply are
/// no concern of the limit, and those that were never going to run are not either where others were judged.
/// `baseline`: what changes are against.
pub fn check(
    comparison: &Comparison,
    limits: &[Limit],
    baseline: Option<&Comparison>,
) -> Vec<Judgement> {
    let of = |(index, limit): (usize, &Limit)| of_limit(comparison, (index, limit), baseline);
    limits.iter().enumerate().flat_map(of).collect()
}

fn of_limit(
    comparison: &Comparison,
    (index, limit): (usize, &Limit),
    baseline: Option<&Comparison>,
) -> Vec<Judgement> {
    let rows = limit.rows.iter().filter_map(|&at| Some((at, comparison.rows.get(at)?)));
    let concerned: Vec<(usize, &Row)> =
        rows.filter(|(_, row)| row.metrics.contains_key(&limit.metric)).collect();
    let ran = |row: &Row| !matches!(row.outcome, Outcome::Skipped { .. });
    let judged: Vec<Judgement> = concerned
        .iter()
        .filter(|(_, row)| ran(row))
        .map(|&(at, row)| judgement(index, limit, (at, row), baseline))
        .collect();
    if !judged.is_empty() {
        return judged;
    }
    let reason = match concerned.first() {
        Some((_, row)) => format!(
            "none of the {} cells in its scope ran: {}",
            concerned.len(),
            describe(&row.outcome)
        ),
        None => format!("no cell in its scope has {}", limit.metric.name()),
    };
    vec![unjudged(index, limit, None, reason)]
}

fn unjudged(index: usize, limit: &Limit, row: Option<usize>, reason: String) -> Judgement {
    Judgement {
        limit: index,
        metric: limit.metric,
        bound: limit.bound,
        row,
        found: Known::unavailable(&reason),
        change: None,
        verdict: Verdict::Unjudged { reason },
    }
}

fn judgement(
    index: usize,
    limit: &Limit,
    (at, row): (usize, &Row),
    baseline: Option<&Comparison>,
) -> Judgement {
    let found = match row.metrics.get(&limit.metric) {
        Some(Known::Value(found)) => found,
        missing => {
            let reason = missing.and_then(Known::reason).unwrap_or("not measured").to_owned();
            return unjudged(index, limit, Some(at), reason);
        }
    };
    let judged = match limit.bound {
        Bound::Value(bound) => Ok((None, verdict(limit.metric, found, bound))),
        Bound::Percent(most) => change(limit.metric, (row, found), baseline).map(|change| {
            let (low, high) = change.range.unwrap_or((f64::NAN, f64::NAN));
            let verdict = match change.worse > most {
                true => Verdict::Broken { shown: low > most },
                false => Verdict::Kept { shown: high <= most },
            };
            (Some(change.worse), verdict)
        }),
    };
    match judged {
        Ok((change, verdict)) => Judgement {
            limit: index,
            metric: limit.metric,
            bound: limit.bound,
            row: Some(at),
            found: Known::Value(found.clone()),
            change,
            verdict,
        },
        Err(reason) => {
            let found = Known::Value(found.clone());
            Judgement { found, ..unjudged(index, limit, Some(at), reason) }
        }
    }
}

/// A value that is the bound keeps it.
fn verdict(metric: Metric, found: &Estimate, bound: f64) -> Verdict {
    let keeps = |value: f64| match metric.direction() {
        Direction::Higher => value >= bound,
        Direction::Lower => value <= bound,
    };
    let ends = |test: &dyn Fn(f64) -> bool| {
        found.interval.value().is_some_and(|interval| test(interval.low) && test(interval.high))
    };
    match keeps(found.median) {
        true => Verdict::Kept { shown: ends(&keeps) },
        false => Verdict::Broken { shown: ends(&|value| !keeps(value)) },
    }
}

/// A change for the worse, percent.
struct ForTheWorse {
    worse: f64,
    range: Option<(f64, f64)>,
}

/// Against the same cell of the baseline, on the same machine.
fn change(
    metric: Metric,
    (row, found): (&Row, &Estimate),
    baseline: Option<&Comparison>,
) -> Result<ForTheWorse, String> {
    let baseline = baseline.ok_or("a limit on change needs a baseline: --baseline FILE")?;
    let machine = |row: &Row| row.settings.get("machine").cloned();
    let same = |other: &&Row| {
        other.cell.key() == row.cell.key()
            && machine(other) == machine(row)
            && other.settings.get("soak") == row.settings.get("soak")
    };
    let base = baseline.rows.iter().find(same).ok_or("the baseline lacks this cell")?;
    let base = match base.metrics.get(&metric) {
        Some(Known::Value(base)) => base,
        missing => {
            let reason = missing.and_then(Known::reason).unwrap_or("not measured");
            return Err(format!("the baseline has no value: {reason}"));
        }
    };
    if base.median == 0.0 {
        return Err("the baseline is 0, of which no change is a share".to_owned());
    }
    let worse = |value: f64, base: f64| match metric.direction() {
        Direction::Higher => 100.0 * (1.0 - value / base),
        Direction::Lower => 100.0 * (value / base - 1.0),
    };
    let range = match (found.interval.value(), base.interval.value()) {
        (Some(a), Some(b)) if b.low > 0.0 => Some(extremes(a, b, &worse)),
        _ => None,
    };
    Ok(ForTheWorse { worse: worse(found.median, base.median), range })
}

/// The least and the most over both intervals: wider than 95 % of the change.
fn extremes(a: &Interval, b: &Interval, of: &dyn Fn(f64, f64) -> f64) -> (f64, f64) {
    let corners = [of(a.low, b.low), of(a.low, b.high), of(a.high, b.low), of(a.high, b.high)];
    (
        corners.iter().copied().fold(f64::INFINITY, f64::min),
        corners.iter().copied().fold(f64::NEG_INFINITY, f64::max),
    )
}
