//! The draft of a foreign record: what a format tells, with the rest missing for the reason that it does not.

use std::collections::BTreeMap;

use serde_json::Value;
use yardstick_api::{Known, Options};
use yardstick_record::{
    Cell, Direction, Environment, ModelRef, Origin, Outcome, Reading, Record, RunInfo, SCHEMA,
    Sample, Test, Tool, Verification,
};

/// What a foreign format tells about one measurement.
pub(crate) struct Draft {
    /// The format's name, which is the tool's too.
    pub(crate) format: &'static str,
    /// The tool's version, where it is told.
    pub(crate) version: Option<String>,
    /// The commit it was built from, where it is told.
    pub(crate) commit: Option<String>,
    /// `format:what`.
    pub(crate) device: String,
    /// The model.
    pub(crate) model: ModelRef,
    /// Options it tells; the others are defaults that reports do not show.
    pub(crate) options: Options,
    /// The test.
    pub(crate) test: Test,
    /// UTC, RFC 3339, or empty.
    pub(crate) started: String,
    /// The machine as it tells it.
    pub(crate) environment: Environment,
    /// Raw samples, if it has any.
    pub(crate) samples: Vec<Sample>,
    /// Summaries and meters.
    pub(crate) readings: Vec<Reading>,
    /// Every original field.
    pub(crate) fields: BTreeMap<String, Value>,
    /// See [`Origin::settings`].
    pub(crate) settings: BTreeMap<String, String>,
}

impl Draft {
    /// The record, without run, launch and id.
    pub(crate) fn record(self) -> Record {
        let format = self.format;
        let silent = || format!("imported: {format} does not tell");
        Record {
            schema: SCHEMA,
            id: String::new(),
            run: RunInfo {
                id: String::new(),
                started: String::new(),
                suite: format!("imported from {format}"),
                command: vec!["import".to_owned()],
                seed: 0,
            },
            tool: Tool {
                name: format.to_owned(),
                version: self.version.unwrap_or_else(|| "unknown".to_owned()),
                commit: self.commit.map_or_else(|| Known::unavailable(silent()), Known::Value),
                build: Known::unavailable(silent()),
            },
            cell: Cell {
                device: self.device,
                model: self.model,
                options: self.options,
                build: None,
                test: self.test,
                subject: None,
            },
            launch: 0,
            started: self.started,
            rerun: format!("imported from {format}: measure again with {format}"),
            environment: self.environment,
            device: Known::unavailable(format!("imported: {format} does not tell where it ran")),
            facts: Known::unavailable(silent()),
            load_ns: Known::unavailable(silent()),
            warm_up: Known::unavailable(silent()),
            samples: self.samples,
            readings: self.readings,
            ceiling: Known::unavailable(silent()),
            peak: None,
            pairing: None,
            quality: None,
            workload: None,
            timeline: None,
            soak: None,
            shared: None,
            origin: Some(Origin {
                format: format.to_owned(),
                fields: self.fields,
                settings: self.settings,
            }),
            verification: Verification::skipped(format!(
                "imported from {format}: answers not checked here"
            )),
            outcome: Outcome::Ok,
        }
    }
}

/// A model of which the format tells the name only.
pub(crate) fn model(name: &str, format: &str) -> ModelRef {
    ModelRef {
        sha256: Known::unavailable(format!("{format} does not give a hash")),
        ..ModelRef::unopened(name, &format!("imported: {format} does not tell"))
    }
}

/// A sample as foreign formats have them: a time and what it covers.
pub(crate) fn sample(nanoseconds: u64, tokens: u64) -> Sample {
    let (emits_ns, marks) = (Vec::new(), Vec::new());
    Sample { started_ns: 0, nanoseconds, tokens, cpu_ns: None, emits_ns, marks }
}

/// A value of the foreign file, under our name.
pub(crate) fn reading(
    name: &str,
    value: f64,
    unit: &str,
    better: Option<Direction>,
    source: impl Into<String>,
) -> Reading {
    Reading {
        name: name.to_owned(),
        value: Known::Value(value),
        unit: unit.to_owned(),
        better,
        source: source.into(),
        scope: "test".to_owned(),
        precision: None,
    }
}

/// The last part of a path of either sort of system.
pub(crate) fn file_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).find(|part| !part.is_empty()).unwrap_or(path)
}
