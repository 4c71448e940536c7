//! The gate: two builds held against each other on one machine, by turns, and whether the second may merge. Builds, runs,
//! decides and says; the statistics are `yardstick_analyse::gate`.
#![forbid(unsafe_code)]

mod build;
mod compiled;
mod error;
mod foreign;
mod hash;
mod impact;
mod machine;
mod report;
mod session;
mod side;
mod slices;
mod suite;

pub use build::{Built, Recipe, Revisions};
pub use compiled::{gpu_code, gpu_code_recipe};
pub use error::Error;
pub use foreign::{Bench, Commands, Config, Criterion, Protocol};
pub use impact::{Impact, Listed, impact, narrow, unchanged};
pub use report::{Drift, Outcome, Report, SideReport, TestReport, exit_code};
pub use session::{Common, Cost, Measured, Source};
pub use session::{Progress, Settings, run};
pub use side::{Arm, Program, Sides};
pub use slices::Slices;
pub use suite::{Lent, Suites, yardstick_recipe};
