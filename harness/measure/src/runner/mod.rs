//! The parent: starts a worker per launch, drives it through load, verification, warm-up and sampling, and turns what
//! happens, whatever happens, into records. Prints nothing, stores nothing, decides nothing about reports.

mod answers;
mod ceilings;
mod config;
mod credible;
mod event;
mod inventory;
mod launch;
mod logits;
mod output;
mod prepare;
mod refusals;
mod run;
mod verify;
mod workers;

pub use ceilings::{BEST, CeilingsRequest, ceilings, limits};
pub use config::{Ceilings, Prepare, Prepared, Run, RunError, Stage, Summary, WorkerCommand};
pub use event::{Event, Sink};
pub use inventory::inventory;
pub use launch::SoakPlan;
pub(crate) use launch::{arithmetic, plausible, working_set};
pub use logits::{LogitsError, LogitsRequest, logits};
pub use prepare::{Fetch, prepare};
pub use run::run;
pub use workers::Worker;
