//! The parent: starts a worker per launch, drives it through load, verification, warm-up and sampling, and turns what
//! happens, whatever happens, into records. Prints nothing, stores nothing, decides nothing about reports.

mod config;
mod event;

pub use config::{Prepare, Prepared, Run, RunError, Stage, Summary, WorkerCommand};
pub use event::{Event, Sink};

/// Runs a plan.
pub fn run(run: &Run<'_>, sink: &mut dyn Sink) -> Result<Summary, RunError> {
    let _ = (run, sink);
    Err(RunError::Worker("not built yet".to_owned()))
}

/// Asks a worker for every backend's devices. A backend that crashes or hangs while listing them is listed as missing.
pub fn inventory(
    worker: &WorkerCommand,
    deadlines: &crate::suite::Deadlines,
) -> Result<crate::plan::Inventory, RunError> {
    let _ = (worker, deadlines);
    Err(RunError::Worker("not built yet".to_owned()))
}
