//! Records on disk: one SQLite file, append only. It keeps and finds records; it neither makes nor explains them.
//!
//! An append that returned is on the disk: write-ahead log, `synchronous=FULL`, one transaction a record. Several
//! processes may use one store at once.
#![forbid(unsafe_code)]

mod connection;
mod error;
mod jsonl;
mod pages;
mod query;
mod run;
mod schema;
mod store;

pub use error::Error;
pub use jsonl::{Exported, Imported, LineError};
pub use pages::{CellPage, CellSummary, Entry, Stored};
pub use query::{Filter, Records};
pub use run::{RunSummary, StoredRun};
pub use schema::VERSION;
pub use store::{Appended, Store};

#[cfg(test)]
mod tests;
