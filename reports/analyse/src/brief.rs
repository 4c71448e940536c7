//! A record in brief: what comparing sides takes of it, a hundredth of its size, so that a whole store fits in memory.

use std::collections::BTreeMap;

use yardstick_api::Numerics;
use yardstick_record::{FailureKind, Metric, Outcome, Profile, Record, Test, VerificationStatus};

use crate::estimate::sorted;
use crate::row::{build, capped, headline, machine, soaked};
use crate::{CONFIDENCE, Interval, median, metrics};

/// One record: a cell in one launch.
#[derive(Clone, Debug, PartialEq)]
pub struct Brief {
    /// Head of the record's id.
    pub id: String,
    /// Run, and when it started.
    pub run: String,
    /// The profile it was shared by, where it was measured elsewhere.
    pub shared: Option<Profile>,
    /// UTC start of the cell, RFC 3339.
    pub started: String,
    /// Launch number within the run.
    pub launch: u32,
    /// Pairing group, where it took turns with others.
    pub group: Option<String>,
    /// Device.
    pub device: String,
    /// Label of the build.
    pub build: Option<String>,
    /// Commit that the program was built from, whole.
    pub commit: Option<String>,
    /// The program: name, version, head of the commit.
    pub program: String,
    /// Model's name.
    pub model: String,
    /// Its SHA-256.
    pub sha256: Option<String>,
    /// Processor and memory.
    pub machine: String,
    /// The test.
    pub test: Test,
    /// Options and what else tells cells apart, by name: as they took effect, and as they were asked for.
    pub effective: BTreeMap<&'static str, String>,
    /// The same as asked.
    pub asked: BTreeMap<&'static str, String>,
    /// What may explain a difference: kernel, microcode, governor.
    pub surroundings: BTreeMap<&'static str, String>,
    /// Why its numbers do not count, in words; `None` where they do.
    pub trouble: Option<String>,
    /// It ran in the wrong place or answered wrongly: no launch of the cell counts.
    pub spoils: bool,
    /// Values by metric.
    pub values: BTreeMap<Metric, Value>,
}

/// A metric of one launch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Value {
    /// Median over the samples, or the score.
    pub median: f64,
    /// Of a score: its own interval, as launches do not vary.
    pub interval: Option<Interval>,
}

/// Fields of the environment that explain differences.
const SURROUNDINGS: [&str; 4] = ["os.kernel", "cpu.microcode", "cpu.governor", "power.source"];
/// Metrics beside a test's headline that sides are compared by.
const BESIDE: [Metric; 2] = [Metric::PeakRssBytes, Metric::JoulesPerToken];
/// Characters of an id that find its record.
const ID: usize = 12;

impl Brief {
    /// The record in brief.
    pub fn of(record: &Record) -> Brief {
        let trouble = trouble(record);
        let text = |name: &&'static str| Some((*name, record.environment.text(name)?));
        let effective = effective(record);
        Brief {
            id: record.id.chars().take(ID).collect(),
            run: record.run.id.clone(),
            shared: record.shared.as_ref().map(|shared| shared.profile),
            started: record.started.clone(),
            launch: record.launch,
            group: record.pairing.as_ref().map(|pairing| pairing.group.clone()),
            device: record.cell.device.clone(),
            build: record.cell.build.clone(),
            commit: record.tool.commit.value().cloned(),
            program: build(record),
            model: record.cell.model.name.clone(),
            sha256: record.cell.model.sha256.value().cloned(),
            machine: machine(record),
            test: record.cell.test,
            asked: asked(record),
            effective,
            surroundings: SURROUNDINGS.iter().filter_map(text).collect(),
            values: if trouble.is_none() { values(record) } else { BTreeMap::new() },
            spoils: spoils(&record.outcome),
            trouble,
        }
    }

    /// Where its numbers are from.
    pub(crate) fn source(&self) -> String {
        self.shared.map_or("own store".to_owned(), |profile| format!("shared, {}", profile.name()))
    }

    /// The metric its test is about.
    pub fn headline(&self) -> Metric {
        headline(self.test)
    }
}

fn trouble(record: &Record) -> Option<String> {
    if !record.outcome.is_ok() {
        return Some(crate::describe(&record.outcome));
    }
    match &record.verification.status {
        VerificationStatus::Failed => Some("verification failed".to_owned()),
        _ => None,
    }
}

fn spoils(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Invalid { .. } | Outcome::Failed { kind: FailureKind::Verify, .. })
}

/// Options as asked, and what is no option but tells cells apart as well.
fn asked(record: &Record) -> BTreeMap<&'static str, String> {
    let options = &record.cell.options;
    let auto = |value: Option<usize>| value.map_or("auto".to_owned(), |n| n.to_string());
    let mut asked = BTreeMap::from([
        ("threads", auto(options.threads)),
        ("context", auto(options.context)),
        ("sequences", options.sequences.to_string()),
        ("chunk", options.chunk.to_string()),
        ("kv", options.kv.name().to_owned()),
        ("numerics", options.numerics.map_or("auto".to_owned(), numerics)),
        ("repack", options.repack.to_string()),
        ("profile", options.profile.to_string()),
    ]);
    let weights = options.weights.map(|scheme| scheme.name().to_owned());
    let subject = record.cell.subject.as_ref();
    let origin = record.origin.as_ref();
    let others = [
        ("weights", weights),
        ("cap", capped(record)),
        ("soak", soaked(record)),
        ("data", subject.map(|subject| format!("{} {}", subject.data, head(&subject.sha256)))),
        ("reference", subject.and_then(|subject| subject.reference.clone())),
        ("imported", origin.map(|origin| format!("{} {:?}", origin.format, origin.settings))),
    ];
    asked.extend(others.into_iter().filter_map(|(name, value)| Some((name, value?))));
    asked
}

/// Options as they took effect, where the facts tell.
fn effective(record: &Record) -> BTreeMap<&'static str, String> {
    let mut effective = asked(record);
    let Some(facts) = record.facts.value() else { return effective };
    if let Some(threads) = facts.threads.value() {
        effective.insert("threads", threads.to_string());
    }
    effective.insert("kv", facts.kv.name().to_owned());
    effective.insert("numerics", numerics(facts.numerics));
    effective
}

/// As records write it.
fn numerics(class: Numerics) -> String {
    format!("{class:?}").to_lowercase()
}

fn head(hash: &str) -> String {
    hash.chars().take(8).collect()
}

fn values(record: &Record) -> BTreeMap<Metric, Value> {
    let scored = record.quality.iter().flat_map(|quality| quality.scores.iter());
    let scores = scored.filter_map(|score| {
        let median = *score.value.value()?;
        let reach = score.error.value().map(|error| crate::scores::REACH * error);
        let interval = reach.map(|reach| Interval {
            low: median - reach,
            high: median + reach,
            confidence: CONFIDENCE,
        });
        Some((score.metric, Value { median, interval }))
    });
    let headline = headline(record.cell.test);
    let measured = [headline].into_iter().chain(BESIDE).filter(|metric| !metric.is_score());
    let applies = measured.filter(|metric| metrics::applies(*metric, record.cell.test));
    let medians = applies.filter_map(|metric| {
        let values = metrics::values(metric, record);
        let median = median(&sorted(values.value()?)).filter(|value| *value > 0.0)?;
        Some((metric, Value { median, interval: None }))
    });
    medians.chain(scores).filter(|(_, value)| value.median.is_finite()).collect()
}
