//! What the tests share: a tiny model, a plan, a run, its records.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use yardstick_api::Known;
use yardstick_measure::plan::{self, Catalogue, Overrides, Plan, Role, expand};
use yardstick_measure::runner::{
    self, Ceilings, Event, Run, RunError, Sink, Stage, Summary, Worker, WorkerCommand,
};
use yardstick_measure::suite::Suite;
use yardstick_model::preset::{self, Check, PresetRef};
use yardstick_model::source::{Name, Tell};
use yardstick_probes::Probe;
use yardstick_record::{Environment, FailureKind, Outcome, Record, RunInfo, Tool};

/// A folder with a model and a cache, and how a run goes.
pub(crate) struct Bench {
    folder: tempfile::TempDir,
    pub(crate) worker: WorkerCommand,
    pub(crate) others: Vec<Worker>,
    pub(crate) overrides: Overrides,
    pub(crate) seed: u64,
    /// Memory the environment says is free.
    pub(crate) memory_bytes: Option<u64>,
    pub(crate) oracle: Option<String>,
    pub(crate) done: HashSet<(String, u32)>,
    pub(crate) cancel: AtomicBool,
    /// Disturbed results are refused.
    pub(crate) strict: bool,
    pub(crate) probes: fn() -> Vec<Box<dyn Probe>>,
    pub(crate) stage: Stage,
    pub(crate) suite: String,
}

/// Records and notes.
#[derive(Default)]
pub(crate) struct Kept {
    pub(crate) records: Vec<Record>,
    pub(crate) notes: Vec<String>,
}

impl Sink for Kept {
    fn record(&mut self, record: Record) -> Result<(), String> {
        assert_eq!(record.content_id(), record.id, "records are sealed");
        self.records.push(record);
        Ok(())
    }

    fn event(&mut self, event: Event<'_>) {
        if let Event::Note(note) = event {
            self.notes.push(note.to_owned());
        }
    }
}

impl Kept {
    pub(crate) fn outcome(&self, device: &str, test: &str) -> &Outcome {
        let is = |r: &&Record| r.cell.device == device && r.cell.test.to_string() == test;
        let mut found = self.records.iter().filter(is);
        let record = found.next().unwrap_or_else(|| panic!("no record of {device} {test}"));
        assert!(found.next().is_none(), "two records of {device} {test}");
        &record.outcome
    }

    pub(crate) fn failure(&self, device: &str, test: &str) -> (&FailureKind, &str) {
        match self.outcome(device, test) {
            Outcome::Failed { kind, message } => (kind, message),
            other => panic!("{device} {test}: {other:?}"),
        }
    }
}

const SUITE: &str = r#"
name = "test"
analysis = "Whether the harness works."
tests = TESTS
models = ["tiny"]
quantisations = ["F32"]
devices = DEVICES
verify = VERIFY
[sampling]
min_repetitions = 3
max_repetitions = 4
max_seconds = 0.2
warm_up_seconds = 0.002
[deadlines]
load = 60
prepare = 60
warm_up = 60
sample = 60
stop = 1
"#;

pub(crate) fn this_program(mode: &str) -> WorkerCommand {
    let program = std::env::current_exe().unwrap();
    WorkerCommand { program, arguments: vec![mode.to_owned()] }
}

impl Bench {
    pub(crate) fn new(devices: &[&str], tests: &[&str], verify: bool) -> Bench {
        let suite = SUITE
            .replace("DEVICES", &format!("{devices:?}"))
            .replace("TESTS", &format!("{tests:?}"))
            .replace("VERIFY", &verify.to_string());
        Bench {
            folder: tempfile::tempdir().unwrap(),
            worker: this_program("worker"),
            others: Vec::new(),
            overrides: Overrides::default(),
            seed: 7,
            memory_bytes: None,
            oracle: Some("null:ok".to_owned()),
            done: HashSet::new(),
            cancel: AtomicBool::new(false),
            strict: false,
            probes: yardstick_probes::all,
            stage: Stage::Measure,
            suite,
        }
    }

    /// Short deadlines, so that hanging is noticed soon.
    pub(crate) fn impatient(&mut self) {
        self.suite = self.suite.replace(" = 60", " = 2.5");
    }

    pub(crate) fn cache(&self) -> PathBuf {
        self.folder.path().join("answers")
    }

    pub(crate) fn model(&self) -> PathBuf {
        let preset = PresetRef::parse("tiny:F32").unwrap();
        let go_on = &mut |_: preset::Progress| std::ops::ControlFlow::Continue(());
        preset::make(&preset, self.folder.path(), 1, Check::Size, go_on).unwrap().path
    }

    pub(crate) fn plan(&self) -> Plan {
        self.try_plan().unwrap()
    }

    pub(crate) fn try_plan(&self) -> Result<Plan, plan::Error> {
        let suite = Suite::parse("test.toml", &self.suite).unwrap();
        let cancel = AtomicBool::new(false);
        let found = runner::inventory(&self.workers(), &suite.deadlines, &cancel).unwrap();
        expand(&suite, &self.overrides, &found, &Catalogue::built_in(), self.seed)
    }

    /// This program first, then the others.
    fn workers(&self) -> Vec<Worker> {
        let mut workers = vec![Worker::own(self.worker.clone())];
        if self.others.iter().any(|other| other.role.build().is_some()) {
            workers[0].role = Role::Oracle;
        }
        workers.extend(self.others.iter().cloned());
        workers
    }

    pub(crate) fn run(&self) -> (Summary, Kept) {
        let mut kept = Kept::default();
        let summary = self.run_into(&mut kept).unwrap();
        (summary, kept)
    }

    pub(crate) fn run_into(&self, sink: &mut dyn Sink) -> Result<Summary, RunError> {
        let plan = self.plan();
        let info = RunInfo {
            id: "test".to_owned(),
            started: "2026-01-01T00:00:00Z".to_owned(),
            suite: plan.suite.clone(),
            command: Vec::new(),
            seed: plan.seed,
        };
        let tool = Tool {
            name: "yardstick".to_owned(),
            version: "0".to_owned(),
            commit: Known::unavailable("a test"),
            build: Known::unavailable("a test"),
        };
        let folder: &Path = self.folder.path();
        let run = Run {
            plan: &plan,
            workers: &self.workers(),
            oracle: self.oracle.as_deref(),
            cache: &self.cache(),
            info: &info,
            tool: &tool,
            environment: &|| {
                let mut environment = Environment::default();
                if let Some(bytes) = self.memory_bytes {
                    environment.set("memory.available_bytes", bytes);
                }
                environment
            },
            rerun: &|cell, model, _| format!("{} {} {}", cell.device, model.argument(), cell.test),
            probes: &self.probes,
            metered: None,
            soak: None,
            prepare: &|request, progress| {
                let nobody = |_: &Name, _: &mut Tell<'_>| Err("nothing is fetched here".to_owned());
                runner::prepare(request, folder, 1, &nobody, &self.cancel, progress)
            },
            done: &self.done,
            cancel: &self.cancel,
            ceilings: Ceilings::Once,
            strict: self.strict,
            stage: self.stage,
        };
        runner::run(&run, sink)
    }
}
