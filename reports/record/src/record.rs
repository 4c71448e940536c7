//! The record itself, its identity and its JSON schema.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use yardstick_api::{Device, Facts, Known};

use crate::{
    Ceiling, Cell, Environment, Origin, Outcome, Pairing, Peak, Quality, Reading, Sample, Shared,
    Soak, Timeline, Verification, WarmUp, Workload,
};

/// Version of the record's shape. A reader refuses newer ones. Versions 2 to 4 added fields that may be absent, and
/// 3 tests and metrics of quality, so that an older record reads as it is and keeps its id.
pub const SCHEMA: u32 = 4;

/// Everything known about one measured cell in one launch. Never edited: its id is the hash of the rest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// [`SCHEMA`] when it was written.
    pub schema: u32,
    /// SHA-256 (hex) of the record's JSON with this field empty.
    pub id: String,
    /// The run it belongs to.
    pub run: RunInfo,
    /// The program that measured.
    pub tool: Tool,
    /// What was measured.
    pub cell: Cell,
    /// Launch number within the run, from 0.
    pub launch: u32,
    /// UTC start of this cell, RFC 3339; empty where a foreign format does not tell.
    pub started: String,
    /// A command line that measures this cell again.
    pub rerun: String,
    /// The machine and its state.
    pub environment: Environment,
    /// The device as its backend described it.
    pub device: Known<Device>,
    /// What really ran.
    pub facts: Known<Facts>,
    /// Time to load the model in this launch, nanoseconds.
    pub load_ns: Known<u64>,
    /// The warm-up of this test.
    pub warm_up: Known<WarmUp>,
    /// Raw samples, in order.
    pub samples: Vec<Sample>,
    /// What the probes read.
    pub readings: Vec<Reading>,
    /// What else the machine did meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeline: Option<Timeline>,
    /// Read bandwidth measured in this launch at this test's working set.
    pub ceiling: Known<Ceiling>,
    /// Arithmetic peak measured in this launch, where the test is held against it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak: Option<Known<Peak>>,
    /// What it was measured side by side with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pairing: Option<Pairing>,
    /// What its answers are worth, for tests of quality.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quality: Option<Box<Quality>>,
    /// What the samples are of, where the test is what people do with a model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload: Option<Box<Workload>>,
    /// The samples are a soak: minutes without a pause, and what the sensors read beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soak: Option<Soak>,
    /// The foreign result it was imported from; nothing in it was verified here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// The record it was made from when that was shared; nobody here measured it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared: Option<Shared>,
    /// Whether the answers are right.
    pub verification: Verification,
    /// How it ended.
    pub outcome: Outcome,
}

/// The run a record belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunInfo {
    /// Unique id, sortable by time.
    pub id: String,
    /// UTC start, RFC 3339; empty where a foreign format does not tell.
    pub started: String,
    /// Suite's name, or `command line`.
    pub suite: String,
    /// The arguments of the run.
    pub command: Vec<String>,
    /// Seed of the shuffled order.
    pub seed: u64,
}

/// The program that measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tool {
    /// `yardstick`, or the foreign tool of an imported record.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Commit it was built from.
    pub commit: Known<String>,
    /// Compiler, target and profile.
    pub build: Known<String>,
}

/// A record that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not a record's JSON.
    #[error("not a record: {0}")]
    Json(#[from] serde_json::Error),
    /// Written by a newer program.
    #[error(
        "record schema {found} is newer than {SCHEMA}, the newest this program reads; update yardstick"
    )]
    Newer {
        /// The record's schema.
        found: u64,
    },
    /// The id is not the hash of the content.
    #[error("record {id} was changed after it was written: its content hashes to {actual}")]
    Changed {
        /// The id it claims.
        id: String,
        /// The hash of what it holds.
        actual: String,
    },
}

impl Record {
    /// The id this content must have.
    pub fn content_id(&self) -> String {
        let mut blank = self.clone();
        blank.id = String::new();
        let json = serde_json::to_vec(&blank).expect("a record is plain data");
        hex(&Sha256::digest(&json))
    }

    /// Sets the id; the record must not change afterwards.
    pub fn seal(mut self) -> Record {
        self.id = self.content_id();
        self
    }

    /// One line of JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a record is plain data")
    }

    /// Reads one record's JSON and checks schema and id.
    pub fn from_json(text: &str) -> Result<Record, Error> {
        #[derive(Deserialize)]
        struct Version {
            schema: u64,
        }
        let Version { schema } = serde_json::from_str(text)?;
        if schema > u64::from(SCHEMA) {
            return Err(Error::Newer { found: schema });
        }
        let record: Record = serde_json::from_str(text)?;
        let actual = record.content_id();
        if actual == record.id { Ok(record) } else { Err(Error::Changed { id: record.id, actual }) }
    }

    /// A reading by name.
    pub fn reading(&self, name: &str) -> Option<&Reading> {
        self.readings.iter().find(|reading| reading.name == name)
    }
}

/// The JSON Schema of a record, as published.
pub fn json_schema() -> serde_json::Value {
    schemars::schema_for!(Record).to_value()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ModelRef, Test};

    fn record() -> Record {
        let missing = "the model could not be opened";
        Record {
            schema: SCHEMA,
            id: String::new(),
            run: RunInfo {
                id: "r".into(),
                started: "2026-01-01T00:00:00Z".into(),
                suite: "command line".into(),
                command: vec!["run".into()],
                seed: 1,
            },
            tool: Tool {
                name: "yardstick".into(),
                version: "0.1.0".into(),
                commit: Known::unavailable("not built from a checkout"),
                build: Known::Value("release".into()),
            },
            cell: Cell {
                device: "null:ok".into(),
                model: ModelRef::unopened("x.gguf", missing),
                options: yardstick_api::Options::default(),
                build: None,
                test: Test::Generate { tokens: 8, depth: 0 },
                subject: None,
            },
            launch: 0,
            started: "2026-01-01T00:00:00Z".into(),
            rerun: "yardstick run".into(),
            environment: Environment::default(),
            device: Known::unavailable(missing),
            facts: Known::unavailable(missing),
            load_ns: Known::unavailable(missing),
            warm_up: Known::unavailable(missing),
            samples: Vec::new(),
            readings: Vec::new(),
            ceiling: Known::unavailable(missing),
            peak: None,
            pairing: None,
            quality: None,
            workload: None,
            timeline: None,
            soak: None,
            origin: None,
            shared: None,
            verification: Verification::skipped(missing),
            outcome: Outcome::Skipped { reason: missing.into(), fix: None },
        }
    }

    #[test]
    fn json_round_trips_and_keeps_its_id() {
        let sealed = record().seal();
        assert_eq!(Record::from_json(&sealed.to_json()).unwrap(), sealed);
    }

    #[test]
    fn a_changed_record_is_refused() {
        let text = record().seal().to_json().replace("\"launch\":0", "\"launch\":1");
        assert!(matches!(Record::from_json(&text), Err(Error::Changed { .. })));
    }

    #[test]
    fn a_newer_schema_is_refused() {
        let [known, newer] = [SCHEMA, SCHEMA + 1].map(|schema| format!("\"schema\":{schema},"));
        let text = record().seal().to_json().replacen(&known, &newer, 1);
        let found = u64::from(SCHEMA) + 1;
        assert!(matches!(Record::from_json(&text), Err(Error::Newer { found: f }) if f == found));
    }

    #[test]
    fn records_of_version_1_read_and_keep_their_ids() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../records");
        let mut read = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "jsonl") {
                for line in std::fs::read_to_string(&path).unwrap().lines() {
                    read += usize::from(Record::from_json(line).unwrap().schema == 1);
                }
            }
        }
        assert!(read > 0, "no record of version 1 is kept in {folder}");
    }

    #[test]
    fn the_published_schema_is_current() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/record.schema.json");
        let published: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        assert_eq!(
            published,
            json_schema(),
            "run: cargo run -p yardstick-record --example schema > {path}"
        );
    }
}
