//! What a comparison found, for people and programs.

mod markdown;
mod text;
mod types;

pub use types::{Drift, Outcome, Report, SideReport, TestReport, exit_code};
