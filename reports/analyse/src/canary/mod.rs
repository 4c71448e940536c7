//! The canary: values of a candidate that takes more and more traffic, held against a baseline while they arrive. May be asked
//! after every value: the tests are always valid (Ville's inequality), so looking often raises no false alarm.
//!
//! Each quantile of each metric is a share: if the candidate's 95th percentile is within the tolerance, no more than 5 % of
//! its values lie above (1 + floor) times the baseline's 95th percentile. *Roll back* where that share is shown to be larger,
//! *continue* where the share above (1 + caught) times is shown to be smaller, else *need more*. Errors are a share as they
//! are. The baseline's quantiles and its error rate are taken at the cautious end of their own intervals.
//!
//! The error budget is shared by phases and checks (union bound). Values are taken for independent; the tolerance covers some
//! dependence, as simulated in reports/GATE.md.

mod check;
mod share;

use std::collections::BTreeMap;

use serde::Serialize;
use yardstick_record::Direction;

pub use check::{Check, Standing};

use self::check::Limits;

/// What is asked of a candidate.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Shares of the traffic in percent, ascending, each a phase.
    pub phases: Vec<f64>,
    /// Chance of rolling back a candidate that is within the tolerance, over all phases and checks.
    pub alpha: f64,
    /// Chance of continuing with one that is `caught` worse or more.
    pub beta: f64,
    /// Relative: what is no worse by more than this is not rolled back.
    pub floor: f64,
    /// Relative: what is worse by this or more must not continue.
    pub caught: f64,
    /// Quantiles held, from 0 to 1, of costs: 0.95 of a rate is its slow end.
    pub quantiles: Vec<f64>,
    /// The same two for the error rate, as shares of all requests on top of the baseline's.
    pub error_floor: f64,
    /// See `error_floor`.
    pub error_caught: f64,
    /// Metrics of which more is better; of all others less is.
    pub higher: Vec<String>,
}

impl Default for Plan {
    fn default() -> Plan {
        Plan {
            phases: vec![1.0, 10.0, 50.0, 100.0],
            alpha: 0.01,
            beta: 0.01,
            floor: 0.05,
            caught: 0.15,
            quantiles: vec![0.5, 0.95],
            error_floor: 0.002,
            error_caught: 0.01,
            higher: Vec::new(),
        }
    }
}

/// What the baseline did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Baseline {
    /// Values by metric.
    pub values: BTreeMap<String, Vec<f64>>,
    /// Requests that ended in an error, and all of which that was told.
    pub errors: (usize, usize),
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A metric's value.
    Value(String, f64),
    /// A request ended, in an error or not.
    Ended {
        /// It was an error.
        error: bool,
    },
}

/// Why a canary cannot be judged.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Error {
    /// A plan that cannot be carried out.
    #[error("{field}: {found}, expected {expected}")]
    Plan {
        /// Field.
        field: &'static str,
        /// What it should be.
        expected: &'static str,
        /// What it is.
        found: String,
    },
    /// A value that is none.
    #[error("{metric}: {found}, expected a finite number above 0")]
    Value {
        /// Metric.
        metric: String,
        /// The value.
        found: f64,
    },
    /// A metric that only one side has.
    #[error("{metric} has no baseline; the baseline has {known}")]
    Unknown {
        /// Metric.
        metric: String,
        /// Those it has.
        known: String,
    },
    /// Nothing to hold a candidate against.
    #[error("the baseline has no values")]
    Empty,
}

/// A canary under way.
#[derive(Clone, Debug)]
pub struct Canary {
    higher: Vec<String>,
    phases: Vec<Phase>,
}

/// One phase of it.
#[derive(Clone, Debug, Serialize)]
pub struct Phase {
    /// Share of the traffic in percent.
    pub percent: f64,
    /// A check for every quantile of every metric, and for errors.
    pub checks: Vec<Check>,
}

impl Phase {
    /// Roll back if any check says so, continue if all do, else more is needed.
    pub fn standing(&self) -> Standing {
        let all = || self.checks.iter().map(|check| check.standing);
        if all().any(|standing| standing == Standing::Rollback) {
            Standing::Rollback
        } else if all().all(|standing| standing == Standing::Continue) {
            Standing::Continue
        } else {
            Standing::NeedMore
        }
    }
}

impl Plan {
    fn check(&self) -> Result<(), Error> {
        let refuse = |field, expected, found: String| Err(Error::Plan { field, expected, found });
        let percent = |p: &f64| *p > 0.0 && *p <= 100.0;
        let rising = self.phases.windows(2).all(|pair| pair[0] < pair[1]);
        if self.phases.is_empty() || !rising || !self.phases.iter().all(percent) {
            let found = format!("{:?}", self.phases);
            return refuse("phases", "percentages above 0 to 100, ascending", found);
        }
        for (field, value) in [("alpha", self.alpha), ("beta", self.beta)] {
            if !(value > 0.0 && value < 0.5) {
                return refuse(field, "a chance between 0 and 0.5", value.to_string());
            }
        }
        let tolerances = [
            ("caught", self.floor, self.caught),
            ("error_caught", self.error_floor, self.error_caught),
        ];
        for (field, floor, caught) in tolerances {
            if !(floor.is_finite() && floor >= 0.0 && caught.is_finite() && caught > floor) {
                return refuse(
                    field,
                    "a share above its floor, which is 0 or more",
                    format!("{caught} above {floor}"),
                );
            }
        }
        if self.quantiles.is_empty() || !self.quantiles.iter().all(|q| *q > 0.0 && *q < 1.0) {
            let found = format!("{:?}", self.quantiles);
            return refuse("quantiles", "one or more between 0 and 1", found);
        }
        Ok(())
    }
}

impl Canary {
    /// Begins; the baseline stays as it is.
    pub fn new(plan: &Plan, baseline: &Baseline) -> Result<Canary, Error> {
        plan.check()?;
        let has_errors = baseline.errors.1 > 0;
        let metrics = baseline.values.values().filter(|values| !values.is_empty()).count();
        let checks = metrics * plan.quantiles.len() + usize::from(has_errors);
        if checks == 0 {
            return Err(Error::Empty);
        }
        let share = (checks * plan.phases.len()) as f64;
        let limits = Limits::of(plan, share);
        let mut first = Vec::new();
        for (metric, values) in baseline.values.iter().filter(|(_, values)| !values.is_empty()) {
            let costs =
                values.iter().map(|v| cost(&plan.higher, metric, *v)).collect::<Result<_, _>>()?;
            first.extend(Check::quantiles(
                (metric, plan.higher.contains(metric)),
                costs,
                &plan.quantiles,
                &limits,
            ));
        }
        if has_errors {
            first.push(Check::errors(baseline.errors, plan, &limits));
        }
        let phase = |percent: &f64| Phase { percent: *percent, checks: first.clone() };
        Ok(Canary { higher: plan.higher.clone(), phases: plan.phases.iter().map(phase).collect() })
    }

    /// Takes what happened in a phase (an index into the plan's).
    pub fn observe(&mut self, phase: usize, event: &Event) -> Result<(), Error> {
        let checks = &mut self.phases[phase].checks;
        match event {
            Event::Ended { error } => {
                let Some(check) = checks.iter_mut().find(|check| check.metric.is_none()) else {
                    return Err(unknown("error", checks));
                };
                check.count(f64::from(u8::from(*error)));
            }
            Event::Value(metric, value) => {
                let cost = cost(&self.higher, metric, *value)?;
                let mut known = false;
                for check in checks.iter_mut().filter(|c| c.metric.as_ref() == Some(metric)) {
                    check.count(cost);
                    known = true;
                }
                if !known {
                    return Err(unknown(metric, checks));
                }
            }
        }
        Ok(())
    }

    /// Every phase.
    pub fn phases(&self) -> &[Phase] {
        &self.phases
    }

    /// Where it stands: roll back if any phase says so, else as the last phase that saw anything.
    pub fn standing(&self) -> Standing {
        let begun = || self.phases.iter().filter(|phase| phase.checks.iter().any(|c| c.n() > 0));
        if begun().any(|phase| phase.standing() == Standing::Rollback) {
            return Standing::Rollback;
        }
        begun().next_back().map_or(Standing::NeedMore, Phase::standing)
    }
}

fn unknown(metric: &str, checks: &[Check]) -> Error {
    let mut known: Vec<&str> =
        checks.iter().map(|check| check.metric.as_deref().unwrap_or("error")).collect();
    known.dedup();
    Error::Unknown { metric: metric.to_owned(), known: known.join(", ") }
}

/// Positive, less is better: a rate becomes the time of one.
fn cost(higher: &[String], metric: &str, value: f64) -> Result<f64, Error> {
    if !(value.is_finite() && value > 0.0) {
        return Err(Error::Value { metric: metric.to_owned(), found: value });
    }
    Ok(match higher.iter().any(|name| name == metric) {
        true => 1.0 / value,
        false => value,
    })
}

/// The direction that the name of one of our own metrics has.
pub fn direction(metric: &str) -> Option<Direction> {
    let known = yardstick_record::Metric::ALL.into_iter().find(|known| known.name() == metric);
    known.map(|metric| metric.direction())
}
