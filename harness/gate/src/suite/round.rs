//! One launch of a group: fresh workers of the sides, by turns, through the harness's own runner; its records by side.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use yardstick_measure::plan::{Launch, ModelRequest, Plan, Shuffle};
use yardstick_measure::runner::{
    self, Ceilings, Prepare, Prepared, Run, RunError, Sink, Stage, Worker,
};
use yardstick_measure::suite::Sampling;
use yardstick_probes::Probe;
use yardstick_record::{Environment, Outcome, Record, RunInfo, Test, Tool};

use super::cells::{Group, arm};
use super::found::Records;
use crate::{Arm, Error, Sides};

/// What the caller lends: this program, the machine, its meters, where models come from.
pub struct Lent<'a> {
    /// This program, which has the reference that answers are held to.
    pub oracle: Worker,
    /// Where the reference's answers are kept.
    pub answers: PathBuf,
    /// For files of some tens of MiB while outputs are compared.
    pub scratch: PathBuf,
    /// This program, for records.
    pub tool: Tool,
    /// The machine and its state.
    pub environment: &'a dyn Fn() -> Environment,
    /// Fresh meters.
    pub probes: &'a dyn Fn() -> Vec<Box<dyn Probe>>,
    /// Makes models present.
    pub prepare: &'a Prepare<'a>,
}

/// Models as they were found, each opened once.
pub(super) type Models = RefCell<BTreeMap<String, Result<Prepared, Outcome>>>;

/// How a launch goes.
pub(super) struct How {
    /// When sides stop repeating.
    pub(super) sampling: Sampling,
    /// Answers are proven first.
    pub(super) verify: bool,
    /// The sides take turns sample by sample; else one after the other.
    pub(super) paired: bool,
    /// Long enough for meters.
    pub(super) metered: Option<Duration>,
}

/// What launches have in common.
pub(super) struct Round<'r, 'a> {
    pub(super) lent: &'r Lent<'a>,
    pub(super) plan: &'r Plan,
    pub(super) workers: &'r [Worker],
    /// The device of the reference.
    pub(super) oracle: Option<&'r str>,
    pub(super) models: &'r Models,
    pub(super) cancel: &'r AtomicBool,
}

/// Keeps records and what was told beside them.
#[derive(Default)]
struct Kept {
    records: Vec<Record>,
}

impl Sink for Kept {
    fn record(&mut self, record: Record) -> Result<(), String> {
        self.records.push(record);
        Ok(())
    }
}

impl Round<'_, '_> {
    /// Launches some tests of a group on every side that has it.
    pub(super) fn launch(
        &self,
        group: &Group,
        tests: &[Test],
        how: &How,
        shuffle: &mut Shuffle,
    ) -> Result<Records, Error> {
        let plan = self.plan_of(group, tests, how, shuffle);
        let (info, done) = (info(&plan), HashSet::new());
        let mut kept = Kept::default();
        let run = Run {
            plan: &plan,
            workers: self.workers,
            oracle: self.oracle,
            cache: &self.lent.answers,
            info: &info,
            tool: &self.lent.tool,
            environment: self.lent.environment,
            rerun: &|_, _, _| String::new(),
            probes: self.lent.probes,
            metered: how.metered,
            soak: None,
            prepare: &|request, progress| self.prepared(request, progress),
            done: &done,
            cancel: self.cancel,
            ceilings: Ceilings::Never,
            strict: false,
            stage: Stage::Measure,
        };
        let summary = runner::run(&run, &mut kept).map_err(error)?;
        match summary.interrupted {
            true => Err(Error::Interrupted),
            false => Ok(by_side(kept.records)),
        }
    }

    fn plan_of(&self, group: &Group, tests: &[Test], how: &How, shuffle: &mut Shuffle) -> Plan {
        let mut order = tests.to_vec();
        shuffle.shuffle(&mut order);
        let mut arms = Arm::ALL;
        shuffle.shuffle(&mut arms);
        let launches: Vec<Launch> = arms
            .into_iter()
            .filter_map(|arm| group.launches.get(arm).clone())
            .map(|launch| {
                let has = |test: &&Test| launch.tests.contains(test);
                let tests: Vec<Test> = order.iter().filter(has).copied().collect();
                Launch { tests, number: 0, pair: how.paired.then_some(0), ..launch }
            })
            .filter(|launch| !launch.tests.is_empty())
            .collect();
        // One alone has nobody to take turns with.
        let alone = launches.len() < 2;
        let launches = launches.into_iter().map(|launch| match alone {
            true => Launch { pair: None, ..launch },
            false => launch,
        });
        let mut seed = [0_u64, 1, 2, 3, 4, 5, 6, 7];
        shuffle.shuffle(&mut seed);
        Plan {
            launches: launches.collect(),
            skipped: Vec::new(),
            sampling: how.sampling,
            verify: how.verify,
            seed: seed.iter().fold(self.plan.seed, |seed, digit| seed.rotate_left(7) ^ digit),
            ..self.plan.clone()
        }
    }

    /// Opened once: hashing a large file takes longer than a launch.
    fn prepared(
        &self,
        request: &ModelRequest,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Prepared, Outcome> {
        if let Some(known) = self.models.borrow().get(&request.name) {
            return known.clone();
        }
        let found = (self.lent.prepare)(request, progress);
        self.models.borrow_mut().insert(request.name.clone(), found.clone());
        found
    }

    /// The file of a model that was opened.
    pub(super) fn path(&self, model: usize) -> Option<PathBuf> {
        let name = &self.plan.models.get(model)?.name;
        let models = self.models.borrow();
        models.get(name)?.as_ref().ok().map(|model| Path::to_owned(&model.path))
    }
}

fn info(plan: &Plan) -> RunInfo {
    RunInfo {
        id: "gate".to_owned(),
        started: String::new(),
        suite: plan.suite.clone(),
        command: Vec::new(),
        seed: plan.seed,
    }
}

fn by_side(records: Vec<Record>) -> Records {
    let mut sides = Sides { base: Vec::new(), control: Vec::new(), candidate: Vec::new() };
    for record in records {
        if let Some(arm) = arm(record.cell.build.as_deref()) {
            sides.get_mut(arm).push(record);
        }
    }
    sides
}

/// Neither side's fault: those are in records.
pub(super) fn error(error: RunError) -> Error {
    match error {
        RunError::Interrupted => Error::Interrupted,
        other => Error::Request(other.to_string()),
    }
}
