//! CSV: every column, always, with raw numbers. An estimate spreads over several columns.

use yardstick_analyse::{Comparison, Row};

use crate::columns::COLUMNS;
use crate::table::{Column, Kind, Value};
use crate::text::clean;

/// What an estimate's columns are called after the metric's name.
const PARTS: [&str; 7] = ["", "_low", "_high", "_confidence", "_n", "_n_of", "_missing"];

/// One line a row, after a line of column names.
pub fn csv(comparison: &Comparison) -> String {
    let columns: Vec<&Column> = COLUMNS.iter().collect();
    let header = columns.iter().copied().flat_map(names).collect();
    let line = |row| columns.iter().copied().flat_map(|c| fields(c, row)).collect();
    write(header, comparison.rows.iter().map(line))
}

/// Lines under a header, all as long as it.
pub(crate) fn write(header: Vec<String>, lines: impl Iterator<Item = Vec<String>>) -> String {
    let mut writer =
        csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    writer.write_record(header).expect("memory takes every write");
    for line in lines {
        writer.write_record(line).expect("every line has the columns of the header");
    }
    let bytes = writer.into_inner().expect("memory takes every write");
    String::from_utf8(bytes).expect("every field is UTF-8")
}

fn names(column: &Column) -> Vec<String> {
    let id = column.id.replace(' ', "_");
    match column.kind {
        Kind::Quantity(_) => PARTS.iter().map(|part| format!("{id}{part}")).collect(),
        Kind::Text | Kind::Number => vec![id],
        Kind::Headline => Vec::new(),
    }
}

fn fields(column: &Column, row: &Row) -> Vec<String> {
    let value = (column.value)(row);
    match column.kind {
        Kind::Quantity(_) => quantity(value),
        Kind::Text | Kind::Number => vec![field(value)],
        Kind::Headline => Vec::new(),
    }
}

fn field(value: Value) -> String {
    match value {
        // A missing name or size has no column for its reason; JSON has it.
        Value::Blank | Value::Missing(_) => String::new(),
        Value::Text(text, _) | Value::Verdict(_, text) => csv_field(&text),
        Value::Unproven(word, _) => word.to_owned(),
        Value::Number(number, _) => number.to_string(),
        Value::Quantity(_, estimate) => estimate.median.to_string(),
    }
}

fn quantity(value: Value) -> Vec<String> {
    let mut fields = vec![String::new(); PARTS.len()];
    match value {
        Value::Quantity(_, estimate) => {
            fields[0] = estimate.median.to_string();
            if let Some(interval) = estimate.interval.value() {
                fields[1] = interval.low.to_string();
                fields[2] = interval.high.to_string();
                fields[3] = interval.confidence.to_string();
            }
            fields[4] = estimate.n.to_string();
            fields[5] = estimate.unit_of_statistics.name().to_owned();
            fields[6] = csv_field(estimate.interval.reason().unwrap_or(""));
        }
        Value::Missing(reason) => fields[6] = csv_field(&reason),
        _ => {}
    }
    fields
}

/// Text that no spreadsheet takes for a formula and no terminal for a command. Not quoted.
pub fn csv_field(text: &str) -> String {
    let text = clean(text);
    let formula = text
        .trim_start()
        .starts_with(['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠', '|']);
    if formula { format!("'{text}") } else { text.into_owned() }
}
