//! Runs: what was planned, what was measured, and whether it came to its end.

use std::collections::BTreeSet;

use rusqlite::{OptionalExtension, Row};
use yardstick_record::RunInfo;

use crate::store::insert_run;
use crate::{Error, Store};

/// A run and its plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRun {
    /// Its id.
    pub id: String,
    /// UTC start, RFC 3339.
    pub started: String,
    /// Suite's name.
    pub suite: String,
    /// Its arguments.
    pub command: Vec<String>,
    /// The plan as it was given to [`Store::begin_run`]; `None` for an imported run, which cannot be resumed here.
    pub plan: Option<String>,
    /// UTC end; `None` while it runs, or when it was cut short.
    pub finished: Option<String>,
}

/// A line of the list of runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunSummary {
    /// The run.
    pub run: StoredRun,
    /// Records, all of them.
    pub records: u64,
    /// Of which measured.
    pub ok: u64,
    /// Of which failed, interrupted ones included.
    pub failed: u64,
    /// Of which skipped.
    pub skipped: u64,
    /// Of which invalid.
    pub invalid: u64,
}

pub(crate) const RUN: &str =
    "runs.id, runs.started, runs.suite, runs.command, runs.plan, runs.finished";

impl Store {
    /// Stores a run and its plan before its first measurement.
    pub fn begin_run(&mut self, run: &RunInfo, plan: &str) -> Result<(), Error> {
        match self.write(|transaction| insert_run(transaction, run, Some(plan)))? {
            true => Ok(()),
            false => Err(Error::RunExists { id: run.id.clone() }),
        }
    }

    /// Marks a run as complete, at a UTC instant; the first mark stays.
    pub fn finish_run(&mut self, id: &str, finished: &str) -> Result<(), Error> {
        self.run(id)?;
        self.write(|transaction| {
            let sql = "UPDATE runs SET finished = ?2 WHERE id = ?1 AND finished IS NULL";
            transaction.execute(sql, [id, finished])
        })?;
        Ok(())
    }

    /// A run by its id.
    pub fn run(&self, id: &str) -> Result<StoredRun, Error> {
        let sql = format!("SELECT {RUN} FROM runs WHERE id = ?1");
        let found = self.connection.query_row(&sql, [id], stored_run).optional();
        found.map_err(|e| self.failed(e))?.ok_or_else(|| Error::UnknownRun { id: id.to_owned() })
    }

    /// The run that started last, if there is any.
    pub fn latest_run(&self) -> Result<Option<StoredRun>, Error> {
        let sql = format!("SELECT {RUN} FROM runs ORDER BY started DESC, id DESC LIMIT 1");
        self.connection.query_row(&sql, [], stored_run).optional().map_err(|e| self.failed(e))
    }

    /// Whether a run came to its end.
    pub fn run_is_complete(&self, id: &str) -> Result<bool, Error> {
        Ok(self.run(id)?.finished.is_some())
    }

    /// Every run, oldest first.
    pub fn runs(&self) -> Result<Vec<RunSummary>, Error> {
        let sql = format!(
            "SELECT {RUN}, count(facets.number), total(status = 'ok'),
                total(status IN ('failed', 'interrupted')), total(status = 'skipped'),
                total(status = 'invalid')
            FROM runs LEFT JOIN facets ON facets.run = runs.id
            GROUP BY runs.id ORDER BY runs.started, runs.id"
        );
        let mut statement = self.connection.prepare(&sql).map_err(|e| self.failed(e))?;
        let rows = statement.query_map([], summary).map_err(|e| self.failed(e))?;
        rows.collect::<rusqlite::Result<_>>().map_err(|e| self.failed(e))
    }

    /// The cells of a run that need no further measuring, as `(Cell::key(), launch)`. Interrupted ones are left out.
    pub fn measured(&self, run: &str) -> Result<BTreeSet<(String, u32)>, Error> {
        self.run(run)?;
        let sql = "SELECT cell, launch FROM facets WHERE run = ?1 AND status != 'interrupted'";
        let mut statement = self.connection.prepare(sql).map_err(|e| self.failed(e))?;
        let pair = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
        let rows = statement.query_map([run], pair).map_err(|e| self.failed(e))?;
        rows.collect::<rusqlite::Result<_>>().map_err(|e| self.failed(e))
    }
}

pub(crate) fn stored_run(row: &Row<'_>) -> rusqlite::Result<StoredRun> {
    let command: String = row.get(3)?;
    Ok(StoredRun {
        id: row.get(0)?,
        started: row.get(1)?,
        suite: row.get(2)?,
        command: serde_json::from_str(&command).unwrap_or_default(),
        plan: row.get(4)?,
        finished: row.get(5)?,
    })
}

fn summary(row: &Row<'_>) -> rusqlite::Result<RunSummary> {
    let count = |index: usize| -> rusqlite::Result<u64> { Ok(row.get::<_, f64>(index)? as u64) };
    Ok(RunSummary {
        run: stored_run(row)?,
        records: row.get::<_, i64>(6)?.unsigned_abs(),
        ok: count(7)?,
        failed: count(8)?,
        skipped: count(9)?,
        invalid: count(10)?,
    })
}
