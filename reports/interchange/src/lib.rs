//! Interchange: other tools' results as records, and records as what other tools read. Text in, text out; it opens no file.
//!
//! What is imported stays foreign: labelled with its tool, never verified here and so never ranked, every original field kept.
#![forbid(unsafe_code)]

mod bmf;
pub mod bundle;
pub mod criterion;
mod detect;
mod draft;
mod error;
mod field;
mod github_action;
pub mod llama_bench;
mod numbering;
pub mod optimum_benchmark;
mod prometheus;
mod series;
mod values;

pub use bmf::bmf;
pub use detect::{Format, HEAD_BYTES, detect};
pub use error::Error;
pub use github_action::github_action;
pub use prometheus::{prometheus, prometheus_budgets};
pub use series::{LeftOut, left_out};

/// Most bytes of one record, or of a file that cannot be read record by record.
pub const MOST_BYTES: u64 = 64 << 20;
