//! Tests of the store, and the records they store.

mod appending;
mod finding;
mod killed;
mod lines;
mod opening;
mod paging;
mod torn;

use std::path::PathBuf;

use tempfile::TempDir;
use yardstick_api::Known;
use yardstick_record::{
    Cell, Environment, FailureKind, ModelRef, Outcome, Record, RunInfo, SCHEMA, Test, Tool,
    Verification,
};

use crate::Store;

/// A store in a folder of its own.
struct Folder {
    folder: TempDir,
}

impl Folder {
    fn new() -> Folder {
        Folder { folder: TempDir::new().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("made by open").join("records.sqlite")
    }

    fn open(&self) -> Store {
        Store::open(&self.path()).unwrap()
    }
}

fn run(id: &str) -> RunInfo {
    RunInfo {
        id: id.into(),
        started: format!("2026-01-01T00:00:00Z {id}"),
        suite: "quick".into(),
        command: vec!["run".into(), "a b".into()],
        seed: 1,
    }
}

/// An unsealed record; `launch` tells records apart.
fn draft(launch: u32) -> Record {
    let missing = "not measured in this test";
    Record {
        schema: SCHEMA,
        id: String::new(),
        run: run("r1"),
        tool: Tool {
            name: "yardstick".into(),
            version: "0.1.0".into(),
            commit: Known::unavailable(missing),
            build: Known::unavailable(missing),
        },
        cell: Cell {
            device: "cpu:avx2".into(),
            model: ModelRef::unopened("smollm-135m:Q4_0", missing),
            options: yardstick_api::Options::default(),
            build: None,
            test: Test::Generate { tokens: 8, depth: 0 },
            subject: None,
        },
        launch,
        started: "2026-01-01T00:00:00Z".into(),
        rerun: "yardstick run --test \"tg8\"\n# a line end and <b>\u{1F600}".into(),
        environment: Environment::default(),
        device: Known::unavailable(missing),
        facts: Known::unavailable(missing),
        load_ns: Known::Value(u64::MAX),
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
        outcome: Outcome::Ok,
    }
}

fn record(launch: u32) -> Record {
    draft(launch).seal()
}

fn interrupted(launch: u32) -> Record {
    let outcome =
        Outcome::Failed { kind: FailureKind::Interrupted, message: "interrupted by Ctrl-C".into() };
    Record { outcome, ..draft(launch) }.seal()
}
