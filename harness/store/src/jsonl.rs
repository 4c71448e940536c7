//! JSON lines: one record a line, out and in. What comes in is untrusted.

use std::io::{BufRead, Read, Write};

use yardstick_record::Record;

use crate::{Appended, Error, Filter, Store};

/// Longest line read. An hour of token stamps is about 10 MiB.
const MOST_LINE_BYTES: u64 = 64 << 20;
/// Records stored in one transaction.
const BATCH: usize = 256;
/// Refused lines that are kept with their reason; the rest are counted.
const MOST_REASONS: usize = 100;

/// What an export did.
#[derive(Debug, Default)]
pub struct Exported {
    /// Lines written.
    pub written: u64,
    /// Records that could not be read and were left out.
    pub unreadable: Vec<Error>,
}

/// What an import did.
#[derive(Debug, Default)]
pub struct Imported {
    /// Records stored.
    pub new: u64,
    /// Records that were there already.
    pub already: u64,
    /// Lines that are no records.
    pub refused: u64,
    /// Why, for the first hundred of them.
    pub reasons: Vec<LineError>,
}

/// A line that is no record.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct LineError {
    /// Line number, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub reason: String,
}

impl Store {
    /// Writes the records that match, as they are stored, one a line.
    pub fn export(&self, filter: &Filter, out: &mut dyn Write) -> Result<Exported, Error> {
        let mut exported = Exported::default();
        let mut records = self.records(filter);
        while let Some(row) = records.next_row() {
            let row = row?;
            let line = row.2.clone();
            match self.parse(row) {
                Ok(_) => {
                    writeln!(out, "{line}")?;
                    exported.written += 1;
                }
                Err(error) => exported.unreadable.push(error),
            }
        }
        out.flush()?;
        Ok(exported)
    }

    /// Stores the records of a stream. Lines that are no records are refused one by one; importing twice changes nothing.
    pub fn import(&mut self, input: &mut dyn BufRead) -> Result<Imported, Error> {
        let mut imported = Imported::default();
        let mut batch = Vec::new();
        let mut line = 0;
        while let Some(text) = next_line(input)? {
            line += 1;
            match parse(&text) {
                Ok(None) => {}
                Ok(Some(record)) => batch.push(record),
                Err(reason) => imported.refuse(LineError { line, reason }),
            }
            if batch.len() == BATCH {
                self.store_batch(&mut batch, &mut imported)?;
            }
        }
        self.store_batch(&mut batch, &mut imported)?;
        Ok(imported)
    }

    fn store_batch(
        &mut self,
        batch: &mut Vec<Record>,
        imported: &mut Imported,
    ) -> Result<(), Error> {
        for appended in self.append_all(batch)? {
            match appended {
                Appended::New => imported.new += 1,
                Appended::Already => imported.already += 1,
            }
        }
        batch.clear();
        Ok(())
    }
}

impl Imported {
    fn refuse(&mut self, error: LineError) {
        self.refused += 1;
        if self.reasons.len() < MOST_REASONS {
            self.reasons.push(error);
        }
    }
}

/// A record, nothing on a blank line, or why it is neither.
fn parse(line: &Line) -> Result<Option<Record>, String> {
    let Line::Whole(bytes) = line else {
        return Err(format!("longer than {MOST_LINE_BYTES} bytes"));
    };
    let text = std::str::from_utf8(bytes).map_err(|error| format!("not UTF-8: {error}"))?;
    if text.trim().is_empty() {
        return Ok(None);
    }
    Record::from_json(text).map(Some).map_err(|error| error.to_string())
}

enum Line {
    Whole(Vec<u8>),
    TooLong,
}

/// The next line; one that is too long is read to its end and thrown away.
fn next_line(input: &mut dyn BufRead) -> std::io::Result<Option<Line>> {
    let mut bytes = Vec::new();
    Read::take(&mut *input, MOST_LINE_BYTES).read_until(b'\n', &mut bytes)?;
    if bytes.is_empty() {
        return Ok(None);
    }
    if bytes.len() as u64 == MOST_LINE_BYTES && bytes.last() != Some(&b'\n') {
        input.skip_until(b'\n')?;
        return Ok(Some(Line::TooLong));
    }
    Ok(Some(Line::Whole(bytes)))
}
