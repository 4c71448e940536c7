//! Lines of values: numbers, JSON objects, records. What is none of them is an error with its line.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Map, Value};
use yardstick_analyse::canary::Event;
use yardstick_record::{Outcome, Record};

/// The metric of bare numbers.
const BARE: &str = "latency";
/// A record may hold an hour of stamps.
const MOST_BYTES: u64 = 64 << 20;

/// What one line tells.
pub(super) struct Line {
    pub(super) events: Vec<Event>,
    /// Share of the traffic, percent, where it says.
    pub(super) phase: Option<f64>,
}

/// A file, pipe or standard input, line by line.
pub(super) struct Lines {
    path: PathBuf,
    input: Box<dyn BufRead>,
    at: u64,
}

impl Lines {
    pub(super) fn open(path: &Path) -> Result<Lines> {
        let name = path.display();
        let input: Box<dyn BufRead> = if path == Path::new("-") {
            Box::new(BufReader::new(io::stdin()))
        } else {
            ensure!(!path.is_dir(), "{name} is a folder, expected lines of values");
            Box::new(BufReader::new(
                File::open(path).with_context(|| format!("cannot open {name}"))?,
            ))
        };
        Ok(Lines { path: path.to_owned(), input, at: 0 })
    }

    /// `latencies.txt:12`
    pub(super) fn place(&self) -> String {
        format!("{}:{}", self.path.display(), self.at)
    }

    /// The next line that is not blank.
    pub(super) fn next(&mut self) -> Result<Option<Line>> {
        loop {
            let mut bytes = Vec::new();
            self.at += 1;
            let read = self.input.by_ref().take(MOST_BYTES).read_until(b'\n', &mut bytes);
            if read.with_context(|| self.place())? == 0 {
                return Ok(None);
            }
            ensure!(
                (bytes.len() as u64) < MOST_BYTES,
                "{}: longer than {MOST_BYTES} bytes",
                self.place()
            );
            let text = std::str::from_utf8(&bytes).with_context(|| self.place())?.trim();
            if !text.is_empty() {
                return parse(text).map(Some).with_context(|| self.place());
            }
        }
    }
}

fn parse(text: &str) -> Result<Line> {
    if let Ok(value) = text.parse() {
        return Ok(Line { events: vec![Event::Value(BARE.to_owned(), value)], phase: None });
    }
    let value: Value = serde_json::from_str(text).context("neither a number nor JSON")?;
    match value {
        Value::Object(object) if object.contains_key("schema") => {
            Ok(Line { events: of_record(&Record::from_json(text)?), phase: None })
        }
        Value::Object(object) => of_object(&object),
        other => {
            bail!("found {other}, expected a number, an object of numbers by metric, or a record")
        }
    }
}

/// Numbers by metric beside `error` and `phase`, or `metric` and `value`.
fn of_object(object: &Map<String, Value>) -> Result<Line> {
    let mut line = Line { events: Vec::new(), phase: None };
    let stated =
        object.get("metric").map(|metric| metric.as_str().context("metric: expected a name"));
    let stated = stated.transpose()?;
    for (name, value) in object {
        let number =
            || value.as_f64().with_context(|| format!("{name}: found {value}, expected a number"));
        match (name.as_str(), stated) {
            ("error", _) => {
                let error = value
                    .as_bool()
                    .with_context(|| format!("error: found {value}, expected true or false"))?;
                line.events.push(Event::Ended { error });
            }
            ("phase", _) => line.phase = Some(number()?),
            ("metric", Some(_)) => {}
            ("value", Some(metric)) => line.events.push(Event::Value(metric.to_owned(), number()?)),
            _ => line.events.push(Event::Value(name.clone(), number()?)),
        }
    }
    ensure!(!line.events.is_empty(), "no value and no error in it");
    Ok(line)
}

/// Time a token (or repetition) of every sample; a launch that failed is an error, one that was skipped nothing.
fn of_record(record: &Record) -> Vec<Event> {
    let cell = &record.cell;
    let metric = format!("{} {} {} ns", cell.model.name, cell.test, cell.device);
    let per = |tokens: u64| if cell.test.tokens().is_some() { tokens.max(1) as f64 } else { 1.0 };
    match &record.outcome {
        Outcome::Ok => {
            let values = record.samples.iter().map(|s| s.nanoseconds as f64 / per(s.tokens));
            let values = values.map(|ns| Event::Value(metric.clone(), ns));
            values.chain([Event::Ended { error: false }]).collect()
        }
        Outcome::Skipped { .. } => Vec::new(),
        Outcome::Failed { .. } | Outcome::Invalid { .. } => vec![Event::Ended { error: true }],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_every_kind_are_told_apart() {
        let of = |text: &str| parse(text).map(|line| (line.events, line.phase));
        let value = |metric: &str, value| Event::Value(metric.to_owned(), value);
        assert_eq!(of("12.5").unwrap(), (vec![value("latency", 12.5)], None));
        let object = r#"{"ttft_ms": 3, "error": false, "phase": 10}"#;
        assert_eq!(
            of(object).unwrap(),
            (vec![Event::Ended { error: false }, value("ttft_ms", 3.0)], Some(10.0))
        );
        assert_eq!(of(r#"{"metric": "p", "value": 2}"#).unwrap().0, [value("p", 2.0)]);
        for (wrong, words) in [
            ("fast", "neither a number nor JSON"),
            ("[1]", "expected a number"),
            ("{}", "no value"),
            (r#"{"a": "b"}"#, "a: found \"b\""),
            (r#"{"error": 1}"#, "expected true or false"),
            (r#"{"schema": 3}"#, "not a record"),
        ] {
            let error = format!("{:#}", of(wrong).unwrap_err());
            assert!(error.contains(words), "{wrong}: {error}");
        }
    }
}
