//! Records as they are made: the parts that are the same for a run or a launch, and the way out.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::PathBuf;

use yardstick_api::{Device, Facts, Known, Options, Reached};
use yardstick_record::{
    Ceiling, Cell, Environment, ModelRef, Outcome, Pairing, Peak, Quality, Reading, Record, SCHEMA,
    Sample, Soak, Subject, Test, Timeline, Tool, Verification, WarmUp, Workload,
};

use super::{Event, Run, RunError, Sink, Summary};
use crate::plan::{Launch, ModelRequest};

/// What is known of a launch so far; goes into each of its records.
pub(super) struct Context<'r> {
    pub(super) launch: u32,
    pub(super) tool: Tool,
    pub(super) device_id: &'r str,
    pub(super) device: Known<Device>,
    pub(super) build: Option<String>,
    pub(super) request: &'r ModelRequest,
    pub(super) model: ModelRef,
    pub(super) options: &'r Options,
    pub(super) environment: Environment,
    pub(super) facts: Known<Facts>,
    pub(super) load_ns: Known<u64>,
    pub(super) verification: Verification,
    /// What a test is asked on.
    pub(super) subject: Box<dyn Fn(Test) -> Option<Subject> + 'r>,
}

/// What was measured of one cell.
pub(super) struct Measured {
    pub(super) started: String,
    pub(super) warm_up: Known<WarmUp>,
    pub(super) samples: Vec<Sample>,
    pub(super) readings: Vec<Reading>,
    pub(super) timeline: Option<Timeline>,
    pub(super) ceiling: Known<Ceiling>,
    /// What a decode reads against, as it was before its samples.
    pub(super) before: Option<Reached>,
    pub(super) peak: Option<Known<Peak>>,
    pub(super) pairing: Option<Pairing>,
    pub(super) quality: Option<Box<Quality>>,
    pub(super) workload: Option<Box<Workload>>,
    /// Sums of a test that is resumed, not needed once there is a record.
    pub(super) kept: Option<PathBuf>,
    pub(super) soak: Option<Soak>,
}

impl Measured {
    /// Nothing, and why.
    pub(super) fn nothing(reason: &str) -> Measured {
        Measured {
            started: now(),
            warm_up: Known::unavailable(reason),
            samples: Vec::new(),
            readings: Vec::new(),
            timeline: None,
            ceiling: Known::unavailable(reason),
            before: None,
            peak: None,
            pairing: None,
            quality: None,
            workload: None,
            kept: None,
            soak: None,
        }
    }
}

/// UTC now, RFC 3339.
pub(super) fn now() -> String {
    jiff::Timestamp::now().to_string()
}

/// The way out: counts and passes on. Shared by the members of a pair.
pub(super) struct Output<'s> {
    ends: RefCell<Ends<'s>>,
}

struct Ends<'s> {
    sink: &'s mut dyn Sink,
    summary: Summary,
    /// Devices lost again in a fresh worker, by program and id, and the last loss.
    quarantined: HashMap<(usize, String), String>,
}

impl<'s> Output<'s> {
    pub(super) fn new(sink: &'s mut dyn Sink) -> Output<'s> {
        let (summary, quarantined) = (Summary::default(), HashMap::new());
        Output { ends: RefCell::new(Ends { sink, summary, quarantined }) }
    }

    /// Leaves a launch's device alone from now on.
    pub(super) fn quarantine(&self, launch: &Launch, message: &str) {
        let key = (launch.worker, launch.device.id.clone());
        self.ends.borrow_mut().quarantined.insert(key, message.to_owned());
    }

    /// Why a launch's device is left alone.
    pub(super) fn quarantined(&self, launch: &Launch) -> Option<Outcome> {
        let key = (launch.worker, launch.device.id.clone());
        let ends = self.ends.borrow();
        let message = ends.quarantined.get(&key)?;
        let reason = format!("quarantined: lost again in a fresh worker ({message})");
        let fix = "look for its driver's message in the system log, and run again".to_owned();
        Some(Outcome::Skipped { reason, fix: Some(fix) })
    }

    pub(super) fn event(&self, event: Event<'_>) {
        self.ends.borrow_mut().sink.event(event);
    }

    /// Changes the summary.
    pub(super) fn count(&self, change: impl FnOnce(&mut Summary)) {
        change(&mut self.ends.borrow_mut().summary);
    }

    pub(super) fn summary(&self) -> Summary {
        self.ends.borrow().summary
    }

    /// Passes one record on, unless the cell was recorded in an earlier run.
    pub(super) fn record(
        &self,
        run: &Run<'_>,
        known: &Context<'_>,
        test: Test,
        measured: Measured,
        outcome: Outcome,
    ) -> Result<(), RunError> {
        let cell = known.cell(test);
        self.count(|summary| match &outcome {
            Outcome::Ok => summary.ok += 1,
            Outcome::Failed { .. } => summary.failed += 1,
            Outcome::Skipped { .. } => summary.skipped += 1,
            Outcome::Invalid { .. } => summary.invalid += 1,
        });
        let record = Record {
            schema: SCHEMA,
            id: String::new(),
            run: run.info.clone(),
            tool: known.tool.clone(),
            rerun: (run.rerun)(&cell, known.request, measured.pairing.as_ref()),
            cell,
            launch: known.launch,
            started: measured.started,
            environment: known.environment.clone(),
            device: known.device.clone(),
            facts: known.facts.clone(),
            load_ns: known.load_ns.clone(),
            warm_up: measured.warm_up,
            samples: measured.samples,
            readings: measured.readings,
            timeline: measured.timeline,
            ceiling: measured.ceiling,
            peak: measured.peak,
            pairing: measured.pairing,
            quality: measured.quality,
            workload: measured.workload,
            soak: measured.soak,
            origin: None,
            shared: None,
            verification: known.verification.clone(),
            outcome,
        };
        let whole = record.outcome.is_ok();
        self.ends.borrow_mut().sink.record(record.seal()).map_err(RunError::Store)?;
        if let (true, Some(kept)) = (whole, measured.kept) {
            // What stays behind costs room, not truth.
            let _ = std::fs::remove_file(kept);
        }
        Ok(())
    }
}

impl Context<'_> {
    pub(super) fn cell(&self, test: Test) -> Cell {
        Cell {
            device: self.device_id.to_owned(),
            model: self.model.clone(),
            options: self.options.clone(),
            build: self.build.clone(),
            test,
            subject: (self.subject)(test),
        }
    }
}
