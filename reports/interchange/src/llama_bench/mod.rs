//! llama-bench: its JSON, JSON lines and CSV, read and written by field name.
//!
//! Its columns grow with its versions and differ in its forks, so nothing depends on their number or order: unknown ones are
//! kept, missing ones stay missing.

mod columns;
mod import;
mod own;
mod read;
mod write;

pub use read::{read_csv, read_json};
pub use write::{Shape, Written, write};

/// The name of the format and of the tool.
pub(crate) const NAME: &str = "llama-bench";
