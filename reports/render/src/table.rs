//! The table every format fills in: typed columns and rows, made once.

use std::collections::BTreeSet;

use yardstick_analyse::{Comparison, Estimate, Method, Row, describe};
use yardstick_record::Metric;

use crate::columns::COLUMNS;
use crate::folds::{Fold, fold};
use crate::number;
use crate::text::elide;

/// A column of every table.
pub(crate) struct Column {
    /// Name in CSV.
    pub(crate) id: &'static str,
    /// Heading for people, in llama-bench's words.
    pub(crate) title: &'static str,
    /// What it holds.
    pub(crate) kind: Kind,
    /// When people see it; CSV always has it.
    pub(crate) shown: Shown,
    /// A row's value.
    pub(crate) value: fn(&Row) -> Value,
}

/// What a column holds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Number,
    Quantity(Metric),
    /// The metric a row is about, whichever it is; for people only.
    Headline,
}

/// When people see a column. The number is how early it gives way where there is no room: 0 never does, the largest first.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    Always(u8),
    /// Where the setting of this column's id takes more than one value.
    IfVarying(u8),
    /// Where another setting takes more than one value: what that setting changes.
    Beside(&'static str, u8),
    /// Where a row has a value or misses one.
    IfApplies(u8),
    /// Where a row has a value: most machines have no such meter, and their reasons would fill the page.
    IfKnown(u8),
    Never,
}

/// A cell of the table. Text is as recorded: formats make it harmless.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    /// Does not apply.
    Blank,
    /// Text, and the most characters people are shown of it.
    Text(String, usize),
    /// A number and how people write it.
    Number(f64, String),
    /// An estimate of a metric.
    Quantity(Metric, Estimate),
    /// A verdict.
    Verdict(Tone, String),
    /// Shown, not proven, and why.
    Unproven(&'static str, String),
    /// Applies, but there is no value for this reason.
    Missing(String),
}

/// How a cell should strike the eye.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    Plain,
    Good,
    Bad,
    Faint,
}

/// The cells people see, ready to be laid out.
pub(crate) struct Table<'a> {
    pub(crate) columns: Vec<&'static Column>,
    /// Threads differ: without their column rows would look alike.
    pub(crate) threads_vary: bool,
    pub(crate) rows: Vec<Vec<Shape>>,
    /// What each of them shows.
    pub(crate) shown: Vec<&'a Row>,
    /// Rows left out, a line for each reason.
    pub(crate) folds: Vec<Fold<'a>>,
    /// Footnotes, numbered from 1.
    pub(crate) notes: Vec<String>,
}

/// A cell as people see it: harmless text, its footnote, its tone.
pub(crate) struct Shape {
    pub(crate) text: String,
    pub(crate) note: Option<usize>,
    pub(crate) tone: Tone,
    /// More for who asks: the interval and how it was made.
    pub(crate) detail: Option<String>,
}

/// Characters of a trouble shown in its cell; a footnote has the rest.
const TROUBLE: usize = 60;
/// Characters of a footnote.
const NOTE: usize = 400;

impl Table<'_> {
    /// The table for people, with every column they may see.
    pub(crate) fn of(comparison: &Comparison) -> Table<'_> {
        let (shown, _) = fold(comparison);
        let columns = COLUMNS.iter().filter(|column| visible(column, comparison, &shown));
        Table::with(comparison, columns.collect())
    }

    /// The table with these columns.
    pub(crate) fn with<'a>(comparison: &'a Comparison, columns: Vec<&'static Column>) -> Table<'a> {
        let mut notes = Vec::new();
        let (shown, folds) = fold(comparison);
        let rows = shown.iter().map(|row| line(row, &columns, &mut notes)).collect();
        let threads_vary = comparison.varying.contains(&"threads asked");
        Table { columns, threads_vary, rows, shown, folds, notes }
    }
}

fn visible(column: &Column, comparison: &Comparison, shown: &[&Row]) -> bool {
    match column.shown {
        Shown::Always(_) => true,
        Shown::Never => false,
        Shown::IfVarying(_) => comparison.varying.contains(&column.id),
        Shown::Beside(setting, _) => comparison.varying.contains(&setting),
        Shown::IfApplies(_) => shown.iter().any(|row| (column.value)(row) != Value::Blank),
        Shown::IfKnown(_) => {
            shown.iter().any(|row| !matches!((column.value)(row), Value::Blank | Value::Missing(_)))
        }
    }
}

fn line(row: &Row, columns: &[&Column], notes: &mut Vec<String>) -> Vec<Shape> {
    let cell = |column: &&Column| match ((column.value)(row), column.kind == Kind::Headline) {
        (Value::Missing(_), true) if !row.outcome.is_ok() => {
            trouble(&describe(&row.outcome), notes)
        }
        (Value::Missing(_), false) if !row.outcome.is_ok() => shape("–", Tone::Faint),
        (value, true) => match doubts(row) {
            Some(doubts) => {
                let shape = fill(value, notes);
                Shape { note: Some(note(doubts, notes)), ..shape }
            }
            None => fill(value, notes),
        },
        (value, _) => fill(value, notes),
    };
    columns.iter().map(cell).collect()
}

/// What stands against believing a number that is there.
fn doubts(row: &Row) -> Option<String> {
    let failed = (!row.reasons.is_empty()).then(|| some_failed(row));
    let drift = row.drift.map(|drift| drift.describe());
    let doubts: Vec<String> = failed.into_iter().chain(drift).collect();
    (!doubts.is_empty()).then(|| doubts.join("; "))
}

fn some_failed(row: &Row) -> String {
    let failed: usize = row.reasons.values().sum();
    let reasons: Vec<&str> = row.reasons.keys().map(String::as_str).collect();
    format!("{failed} of {} launches did not end well: {}", row.launches, reasons.join("; "))
}

/// Why a cell has no numbers, said in the place of its numbers.
fn trouble(reason: &str, notes: &mut Vec<String>) -> Shape {
    let tone = if reason.starts_with("skipped") { Tone::Faint } else { Tone::Bad };
    let note = (reason.chars().count() > TROUBLE).then(|| note(reason.to_owned(), notes));
    Shape { text: elide(reason, TROUBLE), note, tone, detail: None }
}

fn fill(value: Value, notes: &mut Vec<String>) -> Shape {
    match value {
        Value::Blank => shape("", Tone::Plain),
        Value::Text(text, most) => shape(&elide(&text, most), Tone::Plain),
        Value::Number(_, text) => shape(&text, Tone::Plain),
        Value::Verdict(tone, text) => shape(&elide(&text, TROUBLE), tone),
        Value::Unproven(word, reason) => {
            Shape { note: Some(note(reason, notes)), ..shape(word, Tone::Faint) }
        }
        Value::Missing(reason) => {
            Shape { note: Some(note(reason, notes)), ..shape("–", Tone::Faint) }
        }
        Value::Quantity(metric, estimate) => Shape {
            detail: Some(detail(metric, &estimate)),
            ..shape(&number::estimate(metric, &estimate), Tone::Plain)
        },
    }
}

/// How far a number can be trusted, in words.
pub(crate) fn detail(metric: Metric, estimate: &Estimate) -> String {
    let of = format!("{} {}", estimate.n, estimate.unit_of_statistics.name());
    match estimate.interval.value() {
        Some(interval) => format!(
            "{} by {} over {of}",
            number::interval(metric, interval),
            estimate.method.name()
        ),
        None => format!("no interval: {}", estimate.interval.reason().unwrap_or("n too small")),
    }
}

fn shape(text: &str, tone: Tone) -> Shape {
    Shape { text: text.to_owned(), note: None, tone, detail: None }
}

/// The footnote's number; equal reasons share one.
fn note(reason: String, notes: &mut Vec<String>) -> usize {
    let reason = elide(&reason, NOTE);
    match notes.iter().position(|note| *note == reason) {
        Some(index) => index + 1,
        None => {
            notes.push(reason);
            notes.len()
        }
    }
}

/// What `±` and `n` mean; stands under every table for people.
pub(crate) fn legend(comparison: &Comparison) -> Option<String> {
    let estimates = comparison.rows.iter().filter_map(|row| row.estimate(row.headline()));
    let methods: BTreeSet<&str> = estimates.map(|estimate| estimate.method.name()).collect();
    let made: Vec<&str> =
        methods.iter().copied().filter(|name| *name != Method::None.name()).collect();
    let by = if made.is_empty() { String::new() } else { format!(" by {}", made.join(" or ")) };
    (!methods.is_empty()).then(|| {
        format!(
            "n = launches × samples. ± = farther end of the 95 % interval{by}: over launches, or with one launch within that launch only."
        )
    })
}
