//! The tables, and how an older store becomes a current one. Step n turns schema n into schema n + 1; steps that were
//! published are never changed.

use std::path::Path;

use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::Error;
use crate::store::insert_facets;

/// The schema this program writes.
pub const VERSION: u32 = STEPS.len() as u32;

/// Marks the file as ours: "YSTK".
const APPLICATION: i32 = 0x5953_544B;

type Step = fn(&Transaction<'_>) -> rusqlite::Result<()>;

const STEPS: &[Step] = &[create_tables, add_facets, add_indices];

/// The oldest schema that can be read as it stands: later steps only added indices.
const READABLE: u32 = 2;

/// What the file is.
enum Nature {
    Empty,
    Store(u32),
}

/// Creates or migrates, all or nothing; a store of a newer program is left alone.
pub(crate) fn migrate(connection: &mut Connection, path: &Path) -> Result<(), Error> {
    if let Nature::Store(VERSION) = look(connection, path)? {
        return Ok(());
    }
    crate::connection::make_durable(connection, path)?;
    let at = |error| Error::of(path, error);
    let transaction =
        connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(at)?;
    // Asked again now that no other process can migrate meanwhile.
    let from = match nature(&transaction, path)? {
        Nature::Empty => 0,
        Nature::Store(version) => version,
    };
    for step in STEPS.iter().skip(from as usize) {
        step(&transaction).map_err(at)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION).map_err(at)?;
    transaction.pragma_update(None, "user_version", VERSION).map_err(at)?;
    transaction.commit().map_err(at)
}

/// Refuses what cannot be read as it stands.
pub(crate) fn check(connection: &Connection, path: &Path) -> Result<(), Error> {
    let path = path.to_owned();
    match look(connection, &path)? {
        Nature::Store(READABLE..=VERSION) => Ok(()),
        Nature::Store(found) => Err(Error::OlderSchema { path, found }),
        Nature::Empty => Err(Error::NotAStore { path, reason: "it is empty".into() }),
    }
}

/// One look at the file, while another process may be creating it: what is read belongs together.
fn look(connection: &Connection, path: &Path) -> Result<Nature, Error> {
    let at = |error| Error::of(path, error);
    nature(&connection.unchecked_transaction().map_err(at)?, path)
}

fn nature(transaction: &Transaction<'_>, path: &Path) -> Result<Nature, Error> {
    let at = |error| Error::of(path, error);
    let number = |pragma| transaction.pragma_query_value(None, pragma, |row| row.get::<_, i32>(0));
    let version = number("user_version").map_err(at)?;
    let application = number("application_id").map_err(at)?;
    let tables: i64 = transaction
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(at)?;
    match (application, version) {
        (0, 0) if tables == 0 => Ok(Nature::Empty),
        (APPLICATION, found) => match u32::try_from(found) {
            Ok(found) if found > VERSION => {
                Err(Error::NewerSchema { path: path.to_owned(), found })
            }
            Ok(found) => Ok(Nature::Store(found)),
            Err(_) => not_ours(path, format!("its schema version is {found}")),
        },
        _ => not_ours(path, "it is another program's database".into()),
    }
}

fn not_ours(path: &Path, reason: String) -> Result<Nature, Error> {
    Err(Error::NotAStore { path: path.to_owned(), reason })
}

/// Schema 1. Records are never changed; of a run only its end is written later, once.
fn create_tables(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    transaction.execute_batch(
        "CREATE TABLE runs (
            id TEXT PRIMARY KEY,
            started TEXT NOT NULL,
            suite TEXT NOT NULL,
            command TEXT NOT NULL, -- JSON array
            plan TEXT,             -- what --resume needs; null for imported runs
            finished TEXT
        ) STRICT;
        CREATE TABLE records (
            number INTEGER PRIMARY KEY, -- order of appending
            id TEXT NOT NULL UNIQUE,
            json TEXT NOT NULL
        ) STRICT;
        CREATE TRIGGER records_are_never_edited BEFORE UPDATE ON records
            BEGIN SELECT RAISE(ABORT, 'records are never edited'); END;
        CREATE TRIGGER records_are_never_deleted BEFORE DELETE ON records
            BEGIN SELECT RAISE(ABORT, 'records are never deleted'); END;
        CREATE TRIGGER runs_are_only_finished BEFORE UPDATE ON runs
            WHEN OLD.finished IS NOT NULL OR NEW.id != OLD.id OR NEW.started != OLD.started
                OR NEW.suite != OLD.suite OR NEW.command != OLD.command OR NEW.plan IS NOT OLD.plan
            BEGIN SELECT RAISE(ABORT, 'runs are never edited'); END;
        CREATE TRIGGER runs_are_never_deleted BEFORE DELETE ON runs
            BEGIN SELECT RAISE(ABORT, 'runs are never deleted'); END;",
    )
}

/// Schema 2: what records are looked up by, derived from their JSON and rebuildable at any time.
fn add_facets(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    transaction.execute_batch(
        "CREATE TABLE facets (
            number INTEGER PRIMARY KEY REFERENCES records (number),
            run TEXT NOT NULL,
            cell TEXT NOT NULL,
            launch INTEGER NOT NULL,
            device TEXT NOT NULL,
            model TEXT NOT NULL,
            sha256 TEXT,
            test TEXT NOT NULL,
            status TEXT NOT NULL -- ok, failed, skipped, invalid, interrupted
        ) STRICT;
        CREATE INDEX facets_by_cell ON facets (run, cell, launch);",
    )?;
    rebuild_facets(transaction)
}

/// Schema 3: pages of runs, of a run's records and of a cell's, each found without reading the others.
fn add_indices(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    transaction.execute_batch(
        "CREATE INDEX facets_by_run ON facets (run);
        CREATE INDEX facets_by_status ON facets (run, status);
        CREATE INDEX facets_by_series ON facets (cell);
        CREATE INDEX runs_by_start ON runs (started, id);",
    )
}

/// Fills the derived table from the records; those that cannot be read are left out and reported when they are read.
pub(crate) fn rebuild_facets(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    transaction.execute("DELETE FROM facets", [])?;
    let mut statement = transaction.prepare("SELECT number, json FROM records ORDER BY number")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (number, json): (i64, String) = (row.get(0)?, row.get(1)?);
        if let Ok(record) = yardstick_record::Record::from_json(&json) {
            insert_facets(transaction, number, &record)?;
        }
    }
    Ok(())
}
