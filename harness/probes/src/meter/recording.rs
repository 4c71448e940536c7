//! A recording: a file of `timestamp,watts` lines that something else wrote, or still writes.

use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

use yardstick_record::{Reading, Record};

use super::line::point;
use super::series::{Power, Series};
use super::window::{SECONDS, START};
use crate::probe::Learnt;

/// A day at 10 Hz is 25 MB.
const MOST_BYTES: u64 = 256 << 20;
/// How long a test waits for the value after its end, and how often it looks.
const PATIENCE: Duration = Duration::from_millis(2500);
const LOOK: Duration = Duration::from_millis(250);

/// A recording that is whole and sound.
pub struct Recording {
    series: Series,
    source: String,
}

impl Recording {
    /// Reads it; every line must be right. A last line without its end is still being written.
    pub fn read(path: &Path, offset: f64) -> Result<Recording, String> {
        let shown = path.display();
        let file = std::fs::File::open(path).map_err(|error| format!("{shown}: {error}"))?;
        let mut bytes = Vec::new();
        file.take(MOST_BYTES + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| format!("{shown}: {error}"))?;
        if bytes.len() as u64 > MOST_BYTES {
            return Err(format!("{shown}: longer than {} MiB", MOST_BYTES >> 20));
        }
        let text = String::from_utf8_lossy(&bytes);
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let mut series = Series::default();
        for (number, line) in (1..).zip(whole.lines()) {
            let Some(mut point) = point(line, number).map_err(|why| format!("{shown}: {why}"))?
            else {
                continue;
            };
            point.at += offset;
            series.push(point).map_err(|why| format!("{shown}: line {number}: {why}"))?;
        }
        Ok(Recording {
            series,
            source: super::source("a recording of timestamp,watts lines", offset),
        })
    }

    /// What it tells of a record's timed samples; without a window it tells why not.
    pub fn readings(&self, name: &str, record: &Record) -> Vec<Reading> {
        let value = |name| {
            let reading =
                record.reading(name).ok_or("the record does not tell when its samples ran")?;
            reading.value.value().copied().ok_or(reading.value.reason().unwrap_or_default())
        };
        let power = match (value(START), value(SECONDS)) {
            (Ok(start), Ok(seconds)) => self.series.over(start, start + seconds),
            (Err(reason), _) | (_, Err(reason)) => Err(reason.to_owned()),
        };
        super::readings(name, &self.source, "wall", power)
    }
}

/// Power over a window of a file that is still written; waits a little for what was drawn at its end.
pub(super) fn over(path: &Path, offset: f64, from: f64, to: f64) -> Learnt<Power> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let series = Recording::read(path, offset)?.series;
        if series.last().is_some_and(|last| last.at > to) || Instant::now() >= deadline {
            return series.over(from, to);
        }
        std::thread::sleep(LOOK);
    }
}
