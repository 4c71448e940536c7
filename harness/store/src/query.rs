//! Finding records: streamed in the order of appending, each checked against its id.

use std::collections::VecDeque;

use rusqlite::types::Value;
use yardstick_record::{Record, Test};

use crate::{Error, Store};

/// Which records; the default is all that count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of this run.
    pub run: Option<String>,
    /// Of the run that started last.
    pub latest: bool,
    /// Of this device, or of all devices of this backend: `cpu:avx2`, `cpu`.
    pub device: Option<String>,
    /// Of the model of this name, or whose SHA-256 begins so (8 digits or more).
    pub model: Option<String>,
    /// Of this test.
    pub test: Option<Test>,
    /// Whose id begins so.
    pub id: Option<String>,
    /// Also interrupted records whose cell was measured again when the run was resumed.
    pub superseded: bool,
}

/// A row as stored: number, id, JSON.
pub(crate) type RawRow = (i64, String, String);

/// Records, read a page at a time. A record that cannot be read is an error of its own and the next one follows; an
/// error of the database ends the stream.
pub struct Records<'a> {
    store: &'a Store,
    filter: Filter,
    page: VecDeque<RawRow>,
    last: i64,
    done: bool,
}

const PAGE: usize = 64;
/// Shorter beginnings of a hash could be meant as a name.
const SHORTEST_HASH: usize = 8;

impl Store {
    /// Streams the records that match.
    pub fn records(&self, filter: &Filter) -> Records<'_> {
        let filter = filter.clone();
        Records { store: self, filter, page: VecDeque::new(), last: 0, done: false }
    }

    /// The one record whose id begins so.
    pub fn record(&self, prefix: &str) -> Result<Record, Error> {
        let filter = Filter { id: Some(prefix.to_owned()), superseded: true, ..Filter::default() };
        let mut rows = self.page(&filter, 0, 2)?;
        match rows.len() {
            0 => Err(Error::UnknownRecord { prefix: prefix.to_owned() }),
            1 => self.parse(rows.remove(0)),
            _ => {
                let count = self.page(&filter, 0, 1000)?.len() as u64;
                Err(Error::AmbiguousRecord { prefix: prefix.to_owned(), count })
            }
        }
    }

    /// Up to `most` matching rows after row `last`.
    fn page(&self, filter: &Filter, last: i64, most: usize) -> Result<Vec<RawRow>, Error> {
        let (conditions, values) = conditions(filter);
        // A record whose derived row is missing could not be read; it belongs to no run and is shown to whoever asks for all.
        // Of one run only its own rows are looked at, however many others there are: CROSS JOIN keeps that order.
        let (from, number) = match filter.run.is_some() || filter.latest {
            true => ("facets CROSS JOIN records", "facets.number"),
            false => ("records LEFT JOIN facets", "records.number"),
        };
        let sql = format!(
            "SELECT records.number, records.id, records.json
            FROM {from} ON facets.number = records.number
            WHERE {number} > {last} {conditions} ORDER BY {number} LIMIT {most}"
        );
        let mut statement = self.connection.prepare_cached(&sql).map_err(|e| self.failed(e))?;
        let rows = statement
            .query_map(rusqlite::params_from_iter(values), |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .map_err(|e| self.failed(e))?;
        rows.collect::<rusqlite::Result<_>>().map_err(|e| self.failed(e))
    }

    pub(crate) fn parse(&self, (number, id, json): RawRow) -> Result<Record, Error> {
        let read = Record::from_json(&json).and_then(|record| match record.id == id {
            true => Ok(record),
            false => Err(yardstick_record::Error::Changed { id: id.clone(), actual: record.id }),
        });
        read.map_err(|source| Error::Row { path: self.path.clone(), number, id, source })
    }
}

/// SQL conditions and their values, in order.
fn conditions(filter: &Filter) -> (String, Vec<Value>) {
    let mut sql = String::new();
    let mut values = Vec::new();
    let mut both = |condition: &str, value: &str, times: usize| {
        sql.push_str(" AND ");
        sql.push_str(condition);
        values.extend(std::iter::repeat_n(Value::from(value.to_owned()), times));
    };
    if let Some(run) = &filter.run {
        both("facets.run = ?", run, 1);
    }
    if let Some(device) = &filter.device {
        both("(device = ? OR substr(device, 1, instr(device, ':') - 1) = ?)", device, 2);
    }
    if let Some(model) = &filter.model {
        let hash = if model.len() >= SHORTEST_HASH { "sha256" } else { "NULL" };
        both(&format!("(model = ? OR substr({hash}, 1, length(?)) = ?)"), model, 3);
    }
    if let Some(test) = &filter.test {
        both("test = ?", &test.to_string(), 1);
    }
    if let Some(id) = &filter.id {
        match id.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
            // Ids are hexadecimal: all that begin so lie between it and it with a `g`, which the index finds.
            true => both("records.id >= ? AND records.id < ? || 'g'", id, 2),
            false => both("substr(records.id, 1, length(?)) = ?", id, 2),
        }
    }
    if filter.latest {
        sql.push_str(
            " AND facets.run = (SELECT id FROM runs ORDER BY started DESC, id DESC LIMIT 1)",
        );
    }
    if !filter.superseded {
        sql.push_str(
            " AND NOT (facets.status IS 'interrupted' AND EXISTS (SELECT 1 FROM facets AS later
                WHERE later.run = facets.run AND later.cell = facets.cell
                AND later.launch = facets.launch AND later.number > facets.number))",
        );
    }
    (sql, values)
}

impl Records<'_> {
    /// The next row as stored.
    pub(crate) fn next_row(&mut self) -> Option<Result<RawRow, Error>> {
        if self.page.is_empty() && !self.done {
            match self.store.page(&self.filter, self.last, PAGE) {
                Ok(rows) => {
                    self.done = rows.len() < PAGE;
                    self.last = rows.last().map_or(self.last, |row| row.0);
                    self.page = rows.into();
                }
                Err(error) => {
                    self.done = true;
                    return Some(Err(error));
                }
            }
        }
        self.page.pop_front().map(Ok)
    }
}

impl Iterator for Records<'_> {
    type Item = Result<Record, Error>;

    fn next(&mut self) -> Option<Result<Record, Error>> {
        let row = self.next_row()?;
        Some(row.and_then(|row| self.store.parse(row)))
    }
}
