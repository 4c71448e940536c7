//! The gate: two builds held against each other on one machine, by turns, and whether the second may merge. Builds, runs,
//! decides and says; the statistics are `yardstick_analyse::gate`.
#![forbid(unsafe_code)]

mod build;
mod error;
mod foreign;
mod hash;
mod impact;
mod machine;
mod report;
mod session;
mod side;
mod slices;

pub use build::{Built, Recipe, Revisions};
pub use error::Error;
pub use foreign::{Bench, Commands, Config, Criterion};
pub use impact::{Impact, Listed, impact, narrow, unchanged};
pub use report::{Drift, Outcome, Report, SideReport, TestReport, exit_code};
pub use session::{Common, Cost, Measured, Source};
pub use session::{Progress, Settings, run};
pub use side::{Arm, Program, Sides};
pub use slices::Slices;
