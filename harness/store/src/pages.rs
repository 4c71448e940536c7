//! Pages of a store: bounded answers whose cost does not grow with the records that are not in them.

use rusqlite::{OptionalExtension, Row, params};
use yardstick_record::Record;

use crate::run::{RUN, stored_run};
use crate::{Error, RunSummary, Store, StoredRun};

/// A record by what it is found by, without its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Number in the order of appending, from 1.
    pub number: i64,
    /// `Cell::key()`.
    pub cell: String,
    /// Launch within its run.
    pub launch: u32,
    /// Device.
    pub device: String,
    /// Model's name.
    pub model: String,
    /// The test's name.
    pub test: String,
    /// `ok`, `failed`, `skipped`, `invalid`, `interrupted`.
    pub status: String,
}

/// A record as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Number in the order of appending, from 1.
    pub number: i64,
    /// Its id.
    pub id: String,
    /// Its JSON, one line.
    pub json: String,
}

/// A cell over all runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CellSummary {
    /// Its first record; the number stands for the cell.
    pub first: Entry,
    /// Number of its latest record.
    pub latest: i64,
    /// Records of it.
    pub records: u64,
}

/// Cells in the order of their keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CellPage {
    /// The cells.
    pub cells: Vec<CellSummary>,
    /// Number of the record whose cell the next page begins after; `None` on the last page.
    pub next: Option<i64>,
}

/// Cells looked at for one page: a filter that fits few of them must not look at all.
const MOST_LOOKED_AT: usize = 2000;
const ENTRY: &str = "number, cell, launch, device, model, test, status";

impl Store {
    /// Up to `most` runs, the latest first; those that started before the run `before`.
    pub fn runs_page(&self, before: Option<&str>, most: usize) -> Result<Vec<RunSummary>, Error> {
        let edge = before.map(|id| self.run(id)).transpose()?;
        let (started, id) = edge.as_ref().map_or(("", ""), |run| (&run.started, &run.id));
        let condition =
            if edge.is_some() { "(runs.started, runs.id) < (?1, ?2)" } else { "?1 = ?2" };
        let sql = format!(
            "SELECT {RUN} FROM runs WHERE {condition} ORDER BY runs.started DESC, runs.id DESC LIMIT ?3"
        );
        let mut statement = self.connection.prepare_cached(&sql).map_err(|e| self.failed(e))?;
        let runs = statement
            .query_map(params![started, id, count(most)], stored_run)
            .map_err(|e| self.failed(e))?;
        let runs: Vec<StoredRun> =
            runs.collect::<rusqlite::Result<_>>().map_err(|e| self.failed(e))?;
        runs.into_iter().map(|run| self.summary(run)).collect()
    }

    /// Ids of the runs whose suite and command are so, oldest first. Looks at runs, never at records.
    pub fn runs_like(&self, is: impl Fn(&str, &[String]) -> bool) -> Result<Vec<String>, Error> {
        let sql = format!("SELECT {RUN} FROM runs ORDER BY runs.started, runs.id");
        let mut statement = self.connection.prepare_cached(&sql).map_err(|e| self.failed(e))?;
        let runs = statement.query_map([], stored_run).map_err(|e| self.failed(e))?;
        let mut found = Vec::new();
        for run in runs {
            let run = run.map_err(|e| self.failed(e))?;
            if is(&run.suite, &run.command) {
                found.push(run.id);
            }
        }
        Ok(found)
    }

    /// A run with the number of its records, by how they ended.
    pub fn summary(&self, run: StoredRun) -> Result<RunSummary, Error> {
        let sql = "SELECT status, count(*) FROM facets WHERE run = ?1 GROUP BY status";
        let mut statement = self.connection.prepare_cached(sql).map_err(|e| self.failed(e))?;
        let pair = |row: &Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?));
        let counts = statement.query_map([&run.id], pair).map_err(|e| self.failed(e))?;
        let mut summary = RunSummary { run, records: 0, ok: 0, failed: 0, skipped: 0, invalid: 0 };
        for found in counts {
            let (status, n) = found.map_err(|e| self.failed(e))?;
            let n = n.unsigned_abs();
            summary.records += n;
            match status.as_str() {
                "ok" => summary.ok += n,
                "skipped" => summary.skipped += n,
                "invalid" => summary.invalid += n,
                _ => summary.failed += n,
            }
        }
        Ok(summary)
    }

    /// Number of a run's latest record; 0 where it has none.
    pub fn last_of_run(&self, run: &str) -> Result<i64, Error> {
        let sql = "SELECT number FROM facets WHERE run = ?1 ORDER BY number DESC LIMIT 1";
        let found = self.connection.query_row(sql, [run], |row| row.get(0)).optional();
        Ok(found.map_err(|e| self.failed(e))?.unwrap_or(0))
    }

    /// Up to `most` records of a run after the record `after` (0: from its first), in the order of appending.
    pub fn entries(&self, run: &str, after: i64, most: usize) -> Result<Vec<Entry>, Error> {
        let sql = format!(
            "SELECT {ENTRY} FROM facets WHERE run = ?1 AND number > ?2 ORDER BY number LIMIT ?3"
        );
        self.list(&sql, params![run, after, count(most)])
    }

    /// Up to `most` records of a run, the latest first; those before the record `before`.
    pub fn latest_entries(
        &self,
        run: &str,
        before: Option<i64>,
        most: usize,
    ) -> Result<Vec<Entry>, Error> {
        let sql = format!(
            "SELECT {ENTRY} FROM facets WHERE run = ?1 AND number < ?2 ORDER BY number DESC LIMIT ?3"
        );
        self.list(&sql, params![run, before.unwrap_or(i64::MAX), count(most)])
    }

    /// Up to `most` records of one cell, over all runs, the latest first.
    pub fn series(&self, cell: &str, most: usize) -> Result<Vec<Entry>, Error> {
        let sql =
            format!("SELECT {ENTRY} FROM facets WHERE cell = ?1 ORDER BY number DESC LIMIT ?2");
        self.list(&sql, params![cell, count(most)])
    }

    /// The record of this number, without its content.
    pub fn entry(&self, number: i64) -> Result<Option<Entry>, Error> {
        let sql = format!("SELECT {ENTRY} FROM facets WHERE number = ?1");
        Ok(self.list(&sql, [number])?.into_iter().next())
    }

    /// The record of this number, checked against its id.
    pub fn record_at(&self, number: i64) -> Result<Option<Record>, Error> {
        let sql = "SELECT number, id, json FROM records WHERE number = ?1";
        let mut statement = self.connection.prepare_cached(sql).map_err(|e| self.failed(e))?;
        let row = statement
            .query_row([number], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()
            .map_err(|e| self.failed(e))?;
        row.map(|row| self.parse(row)).transpose()
    }

    /// A run's records as stored, after the record `after`: up to `most`, and no more once their JSON has `bytes`.
    pub fn lines(
        &self,
        run: &str,
        after: i64,
        most: usize,
        bytes: usize,
    ) -> Result<Vec<Stored>, Error> {
        let sql = "SELECT records.number, records.id, records.json
            FROM facets CROSS JOIN records ON facets.number = records.number
            WHERE facets.run = ?1 AND facets.number > ?2 ORDER BY facets.number LIMIT ?3";
        let mut statement = self.connection.prepare_cached(sql).map_err(|e| self.failed(e))?;
        let mut rows =
            statement.query(params![run, after, count(most)]).map_err(|e| self.failed(e))?;
        let (mut lines, mut total) = (Vec::new(), 0);
        while let Some(row) = rows.next().map_err(|e| self.failed(e))? {
            let stored = |row: &Row<'_>| {
                Ok(Stored { number: row.get(0)?, id: row.get(1)?, json: row.get(2)? })
            };
            let line = stored(row).map_err(|e| self.failed(e))?;
            total += line.json.len();
            if total > bytes && !lines.is_empty() {
                break;
            }
            lines.push(line);
        }
        Ok(lines)
    }

    /// Up to `most` cells whose device, model or test contains `words` (each of them), after the cell of the record `after`.
    pub fn cells(&self, words: &str, after: Option<i64>, most: usize) -> Result<CellPage, Error> {
        let mut edge = after.map(|number| self.entry(number)).transpose()?.flatten();
        let words: Vec<String> = words.split_whitespace().map(str::to_lowercase).collect();
        let mut page = CellPage::default();
        for _ in 0..MOST_LOOKED_AT {
            let key = edge.as_ref().map_or("", |entry| &entry.cell);
            let Some(first) = self.first_after(key)? else { return Ok(page) };
            let text = format!("{} {} {}", first.device, first.model, first.test).to_lowercase();
            if words.iter().all(|word| text.contains(word)) {
                if page.cells.len() == most {
                    page.next = edge.map(|entry| entry.number);
                    return Ok(page);
                }
                page.cells.push(self.cell_summary(first.clone())?);
            }
            edge = Some(first);
        }
        page.next = edge.map(|entry| entry.number);
        Ok(page)
    }

    /// The first record of the first cell whose key comes after this one.
    fn first_after(&self, key: &str) -> Result<Option<Entry>, Error> {
        let sql =
            format!("SELECT {ENTRY} FROM facets WHERE cell > ?1 ORDER BY cell, number LIMIT 1");
        Ok(self.list(&sql, [key])?.into_iter().next())
    }

    fn cell_summary(&self, first: Entry) -> Result<CellSummary, Error> {
        let sql = "SELECT max(number), count(*) FROM facets WHERE cell = ?1";
        let mut statement = self.connection.prepare_cached(sql).map_err(|e| self.failed(e))?;
        let pair = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?));
        let (latest, n) = statement.query_row([&first.cell], pair).map_err(|e| self.failed(e))?;
        Ok(CellSummary { first, latest, records: n.unsigned_abs() })
    }

    fn list(&self, sql: &str, values: impl rusqlite::Params) -> Result<Vec<Entry>, Error> {
        let mut statement = self.connection.prepare_cached(sql).map_err(|e| self.failed(e))?;
        let rows = statement.query_map(values, entry).map_err(|e| self.failed(e))?;
        rows.collect::<rusqlite::Result<_>>().map_err(|e| self.failed(e))
    }
}

fn entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    Ok(Entry {
        number: row.get(0)?,
        cell: row.get(1)?,
        launch: row.get(2)?,
        device: row.get(3)?,
        model: row.get(4)?,
        test: row.get(5)?,
        status: row.get(6)?,
    })
}

/// A limit as SQLite takes it.
fn count(most: usize) -> i64 {
    i64::try_from(most).unwrap_or(i64::MAX)
}
