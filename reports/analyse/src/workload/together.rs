//! Several processes on one device: what all of them reach together, and how much each loses.

use yardstick_api::Known;
use yardstick_record::{Metric, Record, Sample, Together, Workload};

use super::middle;

/// Processes of a row: medians over launches.
#[derive(Clone, Debug, PartialEq)]
pub struct TogetherView {
    /// The model of each process, its tokens per second alone, and while all others did the same.
    pub members: Vec<(String, Known<f64>, Known<f64>)>,
    /// Tokens per second of all together.
    pub total: Known<f64>,
    /// The mean of what each loses, percent.
    pub slowdown: Known<f64>,
}

/// Tokens per second over samples of one process.
fn speed(samples: &[Sample], (from, to): (u64, u64)) -> Known<f64> {
    let range = usize::try_from(from).ok().zip(usize::try_from(to).ok());
    let Some(samples) = range.and_then(|(from, to)| samples.get(from..to)) else {
        return Known::unavailable("the record lacks its samples");
    };
    let speeds: Vec<f64> = samples
        .iter()
        .filter(|sample| sample.nanoseconds > 0)
        .map(|sample| sample.tokens as f64 * 1e9 / sample.nanoseconds as f64)
        .collect();
    middle(&speeds, "samples")
}

pub(super) fn value(metric: Metric, together: &Together, record: &Record) -> Known<f64> {
    let (mut total, mut losses) = (0.0, Vec::new());
    for member in &together.members {
        let alone = speed(&record.samples, member.alone);
        let crowded = speed(&record.samples, member.together);
        match (alone.value(), crowded.value()) {
            (Some(alone), Some(crowded)) => {
                total += crowded;
                losses.push(100.0 * (1.0 - crowded / alone));
            }
            _ => return Known::unavailable(format!("{} made no samples", member.model)),
        }
    }
    match (losses.is_empty(), metric) {
        (true, _) => Known::unavailable("no process"),
        (false, Metric::Slowdown) => Known::Value(losses.iter().sum::<f64>() / losses.len() as f64),
        (false, _) => Known::Value(total),
    }
}

pub(super) fn view(records: &[&Record]) -> Option<TogetherView> {
    let runs: Vec<(&Together, &Record)> = records
        .iter()
        .filter_map(|record| match record.workload.as_deref()? {
            Workload::Together(together) => Some((together, *record)),
            _ => None,
        })
        .collect();
    let (one, _) = runs.first()?;
    let over = |value: &dyn Fn(&Together, &Record) -> Known<f64>| {
        let values: Vec<f64> =
            runs.iter().filter_map(|(run, record)| value(run, record).value().copied()).collect();
        middle(&values, "launches")
    };
    let member = |index: usize| {
        let of = |together: bool| {
            over(&|run, record| match run.members.get(index) {
                Some(member) if together => speed(&record.samples, member.together),
                Some(member) => speed(&record.samples, member.alone),
                None => Known::unavailable("another number of processes"),
            })
        };
        (one.members[index].model.clone(), of(false), of(true))
    };
    Some(TogetherView {
        members: (0..one.members.len()).map(member).collect(),
        total: over(&|run, record| value(Metric::TokensPerSecond, run, record)),
        slowdown: over(&|run, record| value(Metric::Slowdown, run, record)),
    })
}
