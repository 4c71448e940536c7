//! The run, launch and id of imported records: functions of what was imported, so that importing twice changes nothing.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use sha2::{Digest, Sha256};
use yardstick_record::{Record, RunInfo};

/// Numbers the records of one file, in their order.
#[derive(Default)]
pub(crate) struct Numbering {
    run: Option<RunInfo>,
    launches: HashMap<u64, u32>,
    seen: HashSet<u64>,
}

impl Numbering {
    /// The sealed record, or nothing where the very same was there before: a file appended to itself measured nothing anew.
    ///
    /// The first record names the run, so that a file that grew belongs to the run it began. A cell's next measurement is its
    /// next launch.
    pub(crate) fn number(&mut self, mut record: Record) -> Option<Record> {
        let content = origin(&record);
        if !self.seen.insert(hash(&content)) {
            return None;
        }
        let run = self.run.get_or_insert_with(|| run(&record, &content)).clone();
        record.run = run;
        let settings = record.origin.as_ref().map(|origin| &origin.settings);
        let cell = hash(&format!("{}|{settings:?}|{:?}", record.cell.key(), record.tool));
        let launch = self.launches.entry(cell).or_insert(0);
        record.launch = *launch;
        *launch = launch.saturating_add(1);
        Some(record.seal())
    }
}

fn origin(record: &Record) -> String {
    serde_json::to_string(&record.origin).expect("an origin is plain data")
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// Sortable by time where a time is known: digits like those of a run of ours.
fn run(record: &Record, content: &str) -> RunInfo {
    let digits: String =
        record.started.chars().filter(char::is_ascii_digit).chain("0".repeat(17).chars()).collect();
    let when = if record.started.is_empty() { "imported" } else { &digits[..17] };
    let digest = Sha256::digest(content.as_bytes());
    let head: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    RunInfo { id: format!("{when}-{head}"), started: record.started.clone(), ..record.run.clone() }
}
