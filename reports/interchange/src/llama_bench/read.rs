//! Reading llama-bench's files, a record at a time.

use std::collections::BTreeSet;
use std::io::BufRead;

use serde_json::Value;
use yardstick_record::Record;

use crate::Error;
use crate::numbering::Numbering;
use crate::values::{Counted, Place, Placed, Values};

use super::import::draft;

/// The records of `-o json` and `-o jsonl`, until the first error. A record that is there twice comes once.
pub fn read_json(input: impl BufRead) -> impl Iterator<Item = Result<Record, Error>> {
    let mut numbering = Numbering::default();
    Values::new(input)
        .map(|value| value.and_then(|(place, fields)| draft(fields, place, false)))
        .filter_map(move |draft| number(&mut numbering, draft))
}

/// The records of `-o csv`, until the first error: they have no raw samples.
pub fn read_csv(input: impl BufRead) -> impl Iterator<Item = Result<Record, Error>> {
    let mut numbering = Numbering::default();
    Table::new(input)
        .map(|line| line.and_then(|(place, fields)| draft(fields, place, true)))
        .filter_map(move |draft| number(&mut numbering, draft))
}

fn number(
    numbering: &mut Numbering,
    draft: Result<crate::draft::Draft, Error>,
) -> Option<Result<Record, Error>> {
    match draft {
        Ok(draft) => numbering.number(draft.record()).map(Ok),
        Err(error) => Some(Err(error)),
    }
}

/// The lines of a CSV file by the names of its columns.
struct Table<R> {
    lines: csv::Reader<Counted<R>>,
    names: Option<Vec<String>>,
    record: u64,
    done: bool,
}

impl<R: BufRead> Table<R> {
    fn new(input: R) -> Table<R> {
        // The number of fields is checked here: the reader would not say which column is missing.
        let lines = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .from_reader(Counted::new(input));
        Table { lines, names: None, record: 0, done: false }
    }

    fn next_line(&mut self) -> Result<Option<Placed>, Error> {
        if self.names.is_none() {
            self.names = match self.read()? {
                Some((_, names)) => Some(header(names)?),
                None => return Err(Error::shape("line 1", "found nothing, expected a header")),
            };
        }
        let names = self.names.clone().unwrap_or_default();
        self.record += 1;
        let Some((line, fields)) = self.read()? else { return Ok(None) };
        let place = Place { record: self.record, line };
        if fields.len() != names.len() {
            let flaw = format!("found {} fields, expected {}", fields.len(), names.len());
            return Err(Error::shape(place, format!("{flaw} as in the header")));
        }
        Ok(Some((place, names.into_iter().zip(fields.into_iter().map(Value::String)).collect())))
    }

    fn read(&mut self) -> Result<Option<(u64, Vec<String>)>, Error> {
        // What the reader has buffered of the next records counts for this one: thousandths of the bound.
        self.lines.get_mut().spent = 0;
        let mut fields = csv::StringRecord::new();
        let line = self.lines.position().line();
        let place = |line| format!("record {} (line {line})", self.record);
        match self.lines.read_record(&mut fields) {
            Ok(false) => Ok(None),
            Ok(true) => {
                let line = fields.position().map_or(line, csv::Position::line);
                Ok(Some((line, fields.iter().map(str::to_owned).collect())))
            }
            Err(error) => {
                let at = error.position().map_or(line, csv::Position::line);
                let flaw = match error.kind() {
                    csv::ErrorKind::Utf8 { err, .. } => format!("not UTF-8: {err}"),
                    csv::ErrorKind::Io(error) => error.to_string(),
                    _ => error.to_string(),
                };
                Err(Error::shape(place(at), flaw))
            }
        }
    }
}

impl<R: BufRead> Iterator for Table<R> {
    type Item = Result<Placed, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let next = self.next_line().transpose();
        self.done = !matches!(next, Some(Ok(_)));
        next
    }
}

/// Column names: each once, and those without which no line is a result.
fn header(names: Vec<String>) -> Result<Vec<String>, Error> {
    let names: Vec<String> = names.iter().map(|name| name.trim().to_owned()).collect();
    let mut seen = BTreeSet::new();
    for name in &names {
        if !seen.insert(name) {
            return Err(Error::field("line 1", name.as_str(), "it twice", "every column once"));
        }
    }
    for needed in ["n_prompt", "n_gen"] {
        if !names.iter().any(|name| name == needed) {
            return Err(Error::field("line 1", needed, "no such column", "llama-bench's columns"));
        }
    }
    Ok(names)
}
