//! The store: opening, appending.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use yardstick_record::{FailureKind, Outcome, Record, RunInfo};

use crate::{Error, connection, schema};

/// A file of records.
#[derive(Debug)]
pub struct Store {
    pub(crate) connection: Connection,
    pub(crate) path: PathBuf,
    /// The file behind the path when it was opened, where the system can tell files apart.
    pub(crate) file: Option<connection::FileId>,
}

/// What an append did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    /// The record is stored now, durably.
    New,
    /// The very same record was there before.
    Already,
}

impl Store {
    /// Opens for reading and writing; creates the file and its folder, and migrates an older store.
    pub fn open(path: &Path) -> Result<Store, Error> {
        let mut connection = connection::writable(path)?;
        schema::migrate(&mut connection, path)?;
        connection::make_durable(&connection, path)?;
        let file = connection::file_id(path);
        Ok(Store { connection, path: path.to_owned(), file })
    }

    /// Opens for reading only; nothing needs to be writable.
    pub fn open_read_only(path: &Path) -> Result<Store, Error> {
        let connection = connection::read_only(path)?;
        schema::check(&connection, path)?;
        let file = connection::file_id(path);
        Ok(Store { connection, path: path.to_owned(), file })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the file that was opened is still the one its path leads to; true where the system cannot tell files apart.
    pub fn is_in_place(&self) -> bool {
        self.file.is_none() || connection::file_id(&self.path) == self.file
    }

    /// Stores one sealed record. When this returns, the record survives the process and the power.
    pub fn append(&mut self, record: &Record) -> Result<Appended, Error> {
        checked(record)?;
        self.write(|transaction| append(transaction, record))
    }

    /// Stores many records in one transaction: all of them or none.
    pub(crate) fn append_all(&mut self, records: &[Record]) -> Result<Vec<Appended>, Error> {
        self.write(|transaction| records.iter().map(|record| append(transaction, record)).collect())
    }

    /// Stores everything a source yields in one transaction: all of it or, where it yields an error, nothing. Other writers wait
    /// meanwhile. Returns how many are new and how many were there already.
    pub fn append_whole<E: From<Error>>(
        &mut self,
        records: impl Iterator<Item = Result<Record, E>>,
    ) -> Result<(u64, u64), E> {
        self.append_each(records, append)
    }

    /// The same for shared records: one whose original is here is here already.
    pub fn append_shared<E: From<Error>>(
        &mut self,
        records: impl Iterator<Item = Result<Record, E>>,
    ) -> Result<(u64, u64), E> {
        self.append_each(records, |transaction, record| match &record.shared {
            Some(shared) if is_stored(transaction, &shared.original)? => Ok(Appended::Already),
            _ => append(transaction, record),
        })
    }

    fn append_each<E: From<Error>>(
        &mut self,
        records: impl Iterator<Item = Result<Record, E>>,
        append: impl Fn(&Transaction<'_>, &Record) -> rusqlite::Result<Appended>,
    ) -> Result<(u64, u64), E> {
        let mut failure = None;
        let done = self.write(|transaction| {
            let mut counts = (0, 0);
            for record in records {
                match record.and_then(|record| checked(&record).map_err(E::from).map(|()| record)) {
                    Ok(record) => match append(transaction, &record)? {
                        Appended::New => counts.0 += 1,
                        Appended::Already => counts.1 += 1,
                    },
                    Err(error) => {
                        failure = Some(error);
                        // Any error rolls back; the one that counts is kept above.
                        return Err(rusqlite::Error::QueryReturnedNoRows);
                    }
                }
            }
            Ok(counts)
        });
        match failure {
            Some(error) => Err(error),
            None => Ok(done?),
        }
    }

    /// Recomputes everything that is derived from the records.
    pub fn rebuild(&mut self) -> Result<(), Error> {
        self.write(schema::rebuild_facets)
    }

    /// One transaction that waits for other writers, instead of failing when it first writes.
    pub(crate) fn write<T>(
        &mut self,
        change: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, Error> {
        let at = |error| Error::of(&self.path, error);
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(at)?;
        let done = change(&transaction).map_err(at)?;
        transaction.commit().map_err(at)?;
        // A file that was deleted or replaced under us still takes commits, and they are gone with us.
        if !self.is_in_place() {
            return Err(Error::Gone { path: self.path.clone() });
        }
        Ok(done)
    }

    pub(crate) fn failed(&self, error: rusqlite::Error) -> Error {
        Error::of(&self.path, error)
    }
}

/// A record whose id is not the hash of its content would be unreadable later.
fn checked(record: &Record) -> Result<(), Error> {
    let actual = record.content_id();
    if actual == record.id {
        return Ok(());
    }
    Err(yardstick_record::Error::Changed { id: record.id.clone(), actual }.into())
}

fn is_stored(transaction: &Transaction<'_>, id: &str) -> rusqlite::Result<bool> {
    let sql = "SELECT 1 FROM records WHERE id = ?1";
    Ok(transaction.query_row(sql, [id], |_| Ok(())).optional()?.is_some())
}

fn append(transaction: &Transaction<'_>, record: &Record) -> rusqlite::Result<Appended> {
    if is_stored(transaction, &record.id)? {
        return Ok(Appended::Already);
    }
    insert_run(transaction, &record.run, None)?;
    transaction.execute(
        "INSERT INTO records (id, json) VALUES (?1, ?2)",
        params![record.id, record.to_json()],
    )?;
    insert_facets(transaction, transaction.last_insert_rowid(), record)?;
    Ok(Appended::New)
}

/// Stores a run unless it is there; returns whether it was new.
pub(crate) fn insert_run(
    transaction: &Transaction<'_>,
    run: &RunInfo,
    plan: Option<&str>,
) -> rusqlite::Result<bool> {
    let command = serde_json::Value::from(run.command.clone()).to_string();
    let inserted = transaction.execute(
        "INSERT OR IGNORE INTO runs (id, started, suite, command, plan) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![run.id, run.started, run.suite, command, plan],
    )?;
    Ok(inserted == 1)
}

/// The derived row of a record.
pub(crate) fn insert_facets(
    transaction: &Transaction<'_>,
    number: i64,
    record: &Record,
) -> rusqlite::Result<()> {
    let cell = &record.cell;
    transaction.execute(
        "INSERT INTO facets (number, run, cell, launch, device, model, sha256, test, status)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        params![
            number,
            record.run.id,
            cell.key(),
            record.launch,
            cell.device,
            cell.model.name,
            cell.model.sha256.value(),
            cell.test.to_string(),
            status(&record.outcome),
        ],
    )?;
    Ok(())
}

fn status(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Ok => "ok",
        Outcome::Failed { kind: FailureKind::Interrupted, .. } => "interrupted",
        Outcome::Failed { .. } => "failed",
        Outcome::Skipped { .. } => "skipped",
        Outcome::Invalid { .. } => "invalid",
    }
}
