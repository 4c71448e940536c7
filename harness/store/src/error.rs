//! What can go wrong with a store, each case a caller would treat differently.

use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

use crate::VERSION;

/// What can go wrong with a store.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Written by a newer program.
    #[error(
        "{path} is a store of schema {found}, this program knows schemas up to {VERSION}; update yardstick or name another store"
    )]
    NewerSchema {
        /// The store.
        path: PathBuf,
        /// Its schema.
        found: u32,
    },
    /// Written by an older program and opened only to read.
    #[error(
        "{path} is a store of schema {found}, this program reads schema {VERSION}; open it once for writing (any `yardstick run`) to bring it up to date"
    )]
    OlderSchema {
        /// The store.
        path: PathBuf,
        /// Its schema.
        found: u32,
    },
    /// Some other file.
    #[error("{path} is not a store: {reason}; name another file")]
    NotAStore {
        /// The file.
        path: PathBuf,
        /// What was found.
        reason: String,
    },
    /// Nothing there.
    #[error("{path} does not exist; a run creates it")]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// Opened to write where nothing may be written.
    #[error(
        "{path} cannot be written: {reason}; make the file and its folder writable or name another store (reading needs neither)"
    )]
    ReadOnly {
        /// The store.
        path: PathBuf,
        /// What refused.
        reason: String,
    },
    /// Deleted or replaced while it was open.
    #[error(
        "{path} was deleted or replaced while it was in use: the record was not kept; put the store back, or start again"
    )]
    Gone {
        /// The store.
        path: PathBuf,
    },
    /// No space.
    #[error(
        "no space left for {path}: the record was not stored, earlier ones are intact; free space, then `run --resume`"
    )]
    Full {
        /// The store.
        path: PathBuf,
    },
    /// Another process holds the store too long.
    #[error("{path} is being written by another process and did not become free; try again")]
    Busy {
        /// The store.
        path: PathBuf,
    },
    /// A run begun twice.
    #[error("run {id} is already in the store; resume it or give the new run another id")]
    RunExists {
        /// The run.
        id: String,
    },
    /// No such run.
    #[error("no run {id} in the store; list them with `yardstick report --list`")]
    UnknownRun {
        /// What was asked for.
        id: String,
    },
    /// No such record.
    #[error("no record whose id begins with {prefix:?}")]
    UnknownRecord {
        /// What was asked for.
        prefix: String,
    },
    /// More than one such record.
    #[error("{count} records have ids that begin with {prefix:?}; give more of the id")]
    AmbiguousRecord {
        /// What was asked for.
        prefix: String,
        /// How many.
        count: u64,
    },
    /// One stored record cannot be read; the others can.
    #[error("row {number} of {path} (record {id}): {source}")]
    Row {
        /// The store.
        path: PathBuf,
        /// Row number, from 1 in the order of appending.
        number: i64,
        /// The id it is stored under.
        id: String,
        /// What is wrong with it.
        source: yardstick_record::Error,
    },
    /// A record that must not be stored.
    #[error("the record was not stored: {0}")]
    Record(#[from] yardstick_record::Error),
    /// A stream of JSON lines could not be read or written.
    #[error("JSON lines: {0}")]
    Lines(#[from] std::io::Error),
    /// Anything else the database says.
    #[error("{path}: {message}")]
    Database {
        /// The store.
        path: PathBuf,
        /// Its words.
        message: String,
    },
}

impl Error {
    /// A database's error as the case a caller would tell apart.
    pub(crate) fn of(path: &Path, error: rusqlite::Error) -> Error {
        let path = path.to_owned();
        let message = error.to_string();
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Error::Full { path },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Error::Busy { path },
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => {
                Error::ReadOnly { path, reason: message }
            }
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
                Error::NotAStore { path, reason: message }
            }
            _ => Error::Database { path, message },
        }
    }
}
