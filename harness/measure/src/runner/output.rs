//! Records as they are made: the parts that are the same for a run or a launch, and the way out.

use yardstick_api::{Device, Facts, Known, Options};
use yardstick_record::{
    Ceiling, Cell, Environment, ModelRef, Outcome, Reading, Record, SCHEMA, Sample, Test,
    Verification, WarmUp,
};

use super::{Event, Run, RunError, Sink, Summary};
use crate::plan::ModelRequest;

/// What is known of a launch so far; goes into each of its records.
pub(super) struct Context<'r> {
    pub(super) launch: u32,
    pub(super) device_id: &'r str,
    pub(super) device: Known<Device>,
    pub(super) request: &'r ModelRequest,
    pub(super) model: ModelRef,
    pub(super) options: &'r Options,
    pub(super) environment: Environment,
    pub(super) facts: Known<Facts>,
    pub(super) load_ns: Known<u64>,
    pub(super) verification: Verification,
}

/// What was measured of one cell.
pub(super) struct Measured {
    pub(super) started: String,
    pub(super) warm_up: Known<WarmUp>,
    pub(super) samples: Vec<Sample>,
    pub(super) readings: Vec<Reading>,
    pub(super) ceiling: Known<Ceiling>,
}

impl Measured {
    /// Nothing, and why.
    pub(super) fn nothing(reason: &str) -> Measured {
        Measured {
            started: now(),
            warm_up: Known::unavailable(reason),
            samples: Vec::new(),
            readings: Vec::new(),
            ceiling: Known::unavailable(reason),
        }
    }
}

/// UTC now, RFC 3339.
pub(super) fn now() -> String {
    jiff::Timestamp::now().to_string()
}

/// The way out: counts and passes on.
pub(super) struct Output<'s> {
    sink: &'s mut dyn Sink,
    pub(super) summary: Summary,
}

impl<'s> Output<'s> {
    pub(super) fn new(sink: &'s mut dyn Sink) -> Output<'s> {
        Output { sink, summary: Summary::default() }
    }

    pub(super) fn event(&mut self, event: Event<'_>) {
        self.sink.event(event);
    }

    /// Passes one record on, unless the cell was recorded in an earlier run.
    pub(super) fn record(
        &mut self,
        run: &Run<'_>,
        known: &Context<'_>,
        test: Test,
        measured: Measured,
        outcome: Outcome,
    ) -> Result<(), RunError> {
        let cell = known.cell(test);
        match &outcome {
            Outcome::Ok => self.summary.ok += 1,
            Outcome::Failed { .. } => self.summary.failed += 1,
            Outcome::Skipped { .. } => self.summary.skipped += 1,
            Outcome::Invalid { .. } => self.summary.invalid += 1,
        }
        let record = Record {
            schema: SCHEMA,
            id: String::new(),
            run: run.info.clone(),
            tool: run.tool.clone(),
            rerun: (run.rerun)(&cell, known.request),
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
            ceiling: measured.ceiling,
            peak: None,
            pairing: None,
            origin: None,
            verification: known.verification.clone(),
            outcome,
        };
        self.sink.record(record.seal()).map_err(RunError::Store)
    }
}

impl Context<'_> {
    pub(super) fn cell(&self, test: Test) -> Cell {
        Cell {
            device: self.device_id.to_owned(),
            model: self.model.clone(),
            options: self.options.clone(),
            build: None,
            test,
        }
    }
}
