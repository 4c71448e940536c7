//! Plausibility: whether a record that came from elsewhere can be true. Every number that follows from others is computed again
//! from the raw samples; what contradicts itself, or physics as measured beside it, is a flaw. That there is none proves nothing.

use std::fmt;

use yardstick_api::verify::shortfall_limit;
use yardstick_record::{Metric, Outcome, Record, Sample, Test, VerificationStatus};

use crate::estimate::sorted;
use crate::{median, metrics};

/// A field that cannot be true.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// Dotted name within the record.
    pub field: String,
    /// What it holds, or what follows from it.
    pub found: String,
    /// What it may be.
    pub expected: String,
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "field {}: found {}, expected {}", self.field, self.found, self.expected)
    }
}

/// Share of a measured limit that may be exceeded: limits are measured too, and caches help.
const MOST_PERCENT: f64 = 120.0;
/// Most watts: a wall socket's circuit. Most of a package and of a board, as the sensors here hold them.
const MOST_WATTS: f64 = 20_000.0;
const MOST_PACKAGE_WATTS: f64 = 2_000.0;
const MOST_BOARD_WATTS: f64 = 3_000.0;
/// Energy over time against mean power, from the same window.
const MOST_APART: f64 = 0.05;
/// Beyond any machine: bytes and operations a second.
const MOST_BYTES_PER_SECOND: f64 = 1e15;
const MOST_OPERATIONS_PER_SECOND: f64 = 1e18;
/// CPU time over wall time: processors of the largest machines.
const MOST_CORES: u64 = 65_536;
/// Limit of the worst row of a check over that of all its rows.
const WORST_ROW: f64 = 3.0;
/// Samples of a record.
const MOST_SAMPLES: usize = 1_000_000;

/// The first flaw of a record, or none.
pub fn flaw(record: &Record) -> Option<Flaw> {
    samples(record)
        .or_else(|| outcome(record))
        .or_else(|| limits(record))
        .or_else(|| readings(record))
        .or_else(|| energy(record))
        .or_else(|| verification(record))
        .or_else(|| scores(record))
}

fn new(
    field: impl Into<String>,
    found: impl ToString,
    expected: impl Into<String>,
) -> Option<Flaw> {
    Some(Flaw { field: field.into(), found: found.to_string(), expected: expected.into() })
}

fn samples(record: &Record) -> Option<Flaw> {
    if record.samples.len() > MOST_SAMPLES {
        return new("samples", record.samples.len(), format!("at most {MOST_SAMPLES}"));
    }
    let sequences = record.cell.options.sequences as u64;
    let due = match record.cell.test {
        Test::Prefill { tokens, .. }
        | Test::Generate { tokens, .. }
        | Test::FirstToken { tokens, .. } => Some((tokens as u64).saturating_mul(sequences)),
        _ => None,
    };
    // Requests of a queue overlap, and one that was given up has no tokens.
    let is_workload = record.workload.is_some();
    let due = due.filter(|_| record.origin.is_none() && !is_workload);
    let mut before = 0;
    record.samples.iter().enumerate().find_map(|(at, sample)| {
        let counted = if is_workload { None } else { counts(at, sample, due, before) };
        before = sample.started_ns.saturating_add(sample.nanoseconds);
        counted.or_else(|| stamps(at, sample))
    })
}

/// What a sample worked through, after the one before it.
fn counts(at: usize, sample: &Sample, due: Option<u64>, before: u64) -> Option<Flaw> {
    let field = |name: &str| format!("samples.{at}.{name}");
    let (tokens, stamps) = (sample.tokens, sample.emits_ns.len());
    if tokens == 0 {
        return new(field("tokens"), 0, "some");
    }
    if let Some(due) = due.filter(|due| *due != tokens) {
        return new(field("tokens"), tokens, format!("{due}, as the test says"));
    }
    // 0 where nobody tells when it began.
    if sample.started_ns != 0 && sample.started_ns < before {
        let expected = format!("{before} or later, when the one before ended");
        return new(field("started_ns"), sample.started_ns, expected);
    }
    match stamps as u64 > tokens {
        true => new(field("emits_ns"), stamps, format!("at most {tokens} stamps")),
        false => None,
    }
}

/// Times within a sample.
fn stamps(at: usize, sample: &Sample) -> Option<Flaw> {
    let field = |name: &str| format!("samples.{at}.{name}");
    let took = sample.nanoseconds;
    if took == 0 {
        return new(field("nanoseconds"), 0, "more than no time");
    }
    if !sample.emits_ns.is_sorted() {
        return new(field("emits_ns"), "times that go back", "times in order");
    }
    if let Some(last) = sample.emits_ns.last().filter(|last| **last > took) {
        return new(field("emits_ns"), last, format!("at most {took}, the end"));
    }
    let cpu = sample.cpu_ns.filter(|cpu| *cpu / MOST_CORES > took)?;
    new(field("cpu_ns"), cpu, format!("at most {MOST_CORES} times the time it took"))
}

fn outcome(record: &Record) -> Option<Flaw> {
    let measured = record.outcome == Outcome::Ok && record.origin.is_none();
    let others = record.quality.is_some() || record.workload.is_some();
    if measured && record.samples.is_empty() && !others {
        return new("outcome", "ok without samples or scores", "figures, or another outcome");
    }
    None
}

fn limits(record: &Record) -> Option<Flaw> {
    let within = |field: &str, value: f64, most: f64| match value > 0.0 && value <= most {
        true => None,
        false => new(field, value, format!("more than 0, at most {most:e}")),
    };
    let ceiling = record.ceiling.value().and_then(|ceiling| {
        let best = ceiling.bytes_per_second;
        within("ceiling.bytes_per_second", best, MOST_BYTES_PER_SECOND).or_else(|| {
            // All rounds together are no faster than the best of them, but for the rounding of a division.
            let sustained = ceiling.sustained_bytes_per_second?;
            within("ceiling.sustained_bytes_per_second", sustained, best * (1.0 + 1e-9))
        })
    });
    let peak = record.peak.as_ref().and_then(|peak| peak.value()).and_then(|peak| {
        within("peak.operations_per_second", peak.operations_per_second, MOST_OPERATIONS_PER_SECOND)
    });
    let percent = || {
        if !metrics::applies(Metric::PercentOfLimit, record.cell.test) {
            return None;
        }
        let values = metrics::values(Metric::PercentOfLimit, record);
        let percent = median(&sorted(values.value()?))?;
        match percent <= MOST_PERCENT {
            true => None,
            false => new(
                "samples",
                format!("{percent:.0} % of the limit measured beside them"),
                format!("at most {MOST_PERCENT} %"),
            ),
        }
    };
    ceiling.or(peak).or_else(percent)
}

fn readings(record: &Record) -> Option<Flaw> {
    record.readings.iter().find_map(|reading| {
        let value = *reading.value.value()?;
        let field = format!("readings.{}", reading.name);
        let most = match (reading.unit.as_str(), reading.scope.as_str()) {
            ("W", "package") => MOST_PACKAGE_WATTS,
            ("W", "board") => MOST_BOARD_WATTS,
            ("W", _) => MOST_WATTS,
            ("%", _) => 100.0 * MOST_CORES as f64,
            ("°C", _) => 200.0,
            _ => f64::MAX,
        };
        let least = if reading.unit == "°C" { -100.0 } else { 0.0 };
        match value.is_finite() && (least..=most).contains(&value) {
            true => None,
            false => new(field, value, format!("{least} to {most} {}", reading.unit)),
        }
    })
}

/// Energy over the window is the mean power of the same meter.
fn energy(record: &Record) -> Option<Flaw> {
    let window = record.reading("window_seconds").and_then(|reading| reading.value.value())?;
    record.readings.iter().find_map(|reading| {
        let stem = reading.name.strip_suffix("_joules")?;
        let joules = *reading.value.value()?;
        let power = joules / window;
        let watts = ["watts", "mean_watts"]
            .into_iter()
            .find_map(|end| record.reading(&format!("{stem}_{end}"))?.value.value().copied());
        let most = if reading.scope == "package" { MOST_PACKAGE_WATTS } else { MOST_WATTS };
        let field = format!("readings.{}", reading.name);
        if !power.is_finite() || power > most {
            return new(
                field,
                format!("{power:.0} W over the window"),
                format!("at most {most} W"),
            );
        }
        match watts {
            Some(watts) if (power - watts).abs() > MOST_APART * watts.max(1.0) => new(
                field,
                format!("{power:.2} W over the window"),
                format!("{watts:.2} W, its mean power"),
            ),
            _ => None,
        }
    })
}

fn verification(record: &Record) -> Option<Flaw> {
    let claimed = &record.verification;
    if claimed.status != VerificationStatus::Passed {
        return None;
    }
    let Some(numerics) = claimed.numerics else {
        return new("verification.numerics", "none", "the class that set the limits");
    };
    if claimed.checks.is_empty() {
        return new("verification.checks", "none", "the figures that it passed by");
    }
    claimed.checks.iter().find_map(|check| {
        let field = format!("verification.checks.{}", check.name);
        let most = numerics.nmse_limit();
        if !check.passed() {
            return new(field, check, "within its limit, since it passed");
        }
        if check.value.value().is_some_and(|value| *value < 0.0) || check.compared == 0 {
            return new(field, check, "0 or more, of something compared");
        }
        // One row may be off by more than all of them; `generate` is judged by logits, not by their error.
        let most = match check.name.as_str() {
            "generate" => shortfall_limit(most),
            name if name.ends_with("worst row") => WORST_ROW * most,
            _ => most,
        };
        match check.limit > most * 1.01 {
            true => new(
                field,
                format!("limit {:e}", check.limit),
                format!("{most:e}, the limit of {numerics:?}"),
            ),
            false => None,
        }
    })
}

fn scores(record: &Record) -> Option<Flaw> {
    let quality = record.quality.as_ref()?;
    quality.scores.iter().find_map(|score| {
        let value = *score.value.value()?;
        let field = format!("quality.scores.{}", score.metric.name());
        let (least, most) = match (score.metric, score.metric.unit()) {
            (Metric::Perplexity, _) => (1.0, f64::MAX),
            (_, "%") => (0.0, 100.0),
            _ => (0.0, f64::MAX),
        };
        if !(least..=most).contains(&value) {
            return new(field, value, format!("{least} to {most}"));
        }
        match score.error.value() {
            Some(error) if *error < 0.0 => new(field, format!("error {error}"), "0 or more"),
            _ => None,
        }
    })
}
