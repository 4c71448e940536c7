//! From the records of one launch to its statistic of one metric.

use yardstick_analyse::gate::Launch;
use yardstick_analyse::of_launch;
use yardstick_api::Known;
use yardstick_record::{Direction, Metric, Record, Test};

use super::cells::Group;
use super::found::{Records, record};
use crate::Arm;
use crate::session::launch_of;

/// The launch and how many samples a side it is of; the side and why where there is none.
pub(super) fn launch_of_records(
    group: &Group,
    test: Test,
    metric: Metric,
    records: &Records,
) -> Result<(Launch, usize), String> {
    let of =
        |arm| record(group, arm, test, records).map_err(|why| format!("{arm}: {}", why.reason));
    let (base, candidate) = (of(Arm::Base)?, of(Arm::Candidate)?);
    // The control is the base's program: one that cannot run now says nothing of the candidate.
    let control = of(Arm::Control).ok();
    let rounds = base.samples.len();
    match metric {
        Metric::TokensPerSecond | Metric::TimeNs => Ok((times(base, control, candidate)?, rounds)),
        _ => {
            let cost =
                |arm: Arm, record| cost(metric, record).map_err(|why| format!("{arm}: {why}"));
            let (b, c) = (cost(Arm::Base, base)?, cost(Arm::Candidate, candidate)?);
            let control = control.and_then(|record| cost(Arm::Control, record).ok());
            let control = control.map(|cost| [cost]);
            let control = control.as_ref().map(|control| &control[..]);
            let launch = Launch::of_samples(&[b], &[c], control);
            Ok((launch.map_err(|error| error.to_string())?, rounds))
        }
    }
}

/// Sides that took turns have as many samples each, of which the i-th are of one round.
fn times(base: &Record, control: Option<&Record>, candidate: &Record) -> Result<Launch, String> {
    let costs = |record: &Record| -> Vec<f64> {
        let each = |sample: &yardstick_record::Sample| {
            sample.nanoseconds as f64 / sample.tokens.max(1) as f64
        };
        record.samples.iter().map(each).collect()
    };
    let (b, c, control) = (costs(base), costs(candidate), control.map(costs));
    let turns = [Some(base), Some(candidate)].into_iter().flatten().all(|record| {
        record.pairing.as_ref().is_some_and(|p| p.unit == yardstick_record::Turn::Samples)
    });
    let control = control.filter(|control| !turns || control.len() == b.len());
    let launch = match turns && b.len() == c.len() {
        true => Launch::of_samples(&b, &c, control.as_deref()).map_err(|error| error.to_string()),
        false => launch_of(&b, &c, control.as_deref(), 0.5).map_err(|error| error.to_string()),
    };
    launch.map_err(|why| format!("its samples: {why}"))
}

/// What is worse the larger it is.
fn cost(metric: Metric, record: &Record) -> Result<f64, String> {
    match (of_launch(metric, record), metric.direction()) {
        (Known::Value(value), Direction::Lower) => Ok(value),
        (Known::Value(value), Direction::Higher) => Ok(1.0 / value),
        (Known::Unavailable { unavailable }, _) => Err(unavailable),
    }
}
