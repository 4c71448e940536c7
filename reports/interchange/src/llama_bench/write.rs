//! Writing llama-bench's files: its own results as they came, ours in its fields.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use serde_json::Value;
use yardstick_record::{Record, VerificationStatus};
use yardstick_render::{csv_field, json_escape};

use crate::field::plain;

use super::columns::{COLUMNS, Kind, SAMPLES, kind, known};
use super::import::is_ours;
use super::own;

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// An array of objects.
    Json,
    /// An object a line.
    Jsonl,
    /// A line each under one line of names; raw samples have no place in it.
    Csv,
}

/// What became of the records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Results written.
    pub written: usize,
    /// Of ours among them, those whose answers were not checked: the format has no field that says so.
    pub unverified: usize,
    /// Records left out, by the reason.
    pub left_out: BTreeMap<String, usize>,
    /// Fields of which ours have no value: they hold the format's neutral one.
    pub neutral: BTreeSet<&'static str>,
}

/// Writes what llama-bench can express. A result that was imported from it comes out with the fields it went in with.
pub fn write(records: &[Record], shape: Shape, out: &mut dyn Write) -> io::Result<Written> {
    let mut written = Written::default();
    let results: Vec<BTreeMap<String, Value>> =
        records.iter().filter_map(|record| result(record, &mut written)).collect();
    match shape {
        Shape::Json => json(&results, out)?,
        Shape::Jsonl => {
            for result in &results {
                let pairs: Vec<String> = pairs(result).collect();
                writeln!(out, "{{{}}}", pairs.join(", "))?;
            }
        }
        Shape::Csv => csv(&results, out)?,
    }
    Ok(written)
}

fn result(record: &Record, written: &mut Written) -> Option<BTreeMap<String, Value>> {
    if let (true, Some(origin)) = (is_ours(record), &record.origin) {
        written.written += 1;
        return Some(origin.fields.clone());
    }
    if let Some(reason) = own::obstacle(record) {
        *written.left_out.entry(reason).or_insert(0) += 1;
        return None;
    }
    let own::Fields { values, neutral } = own::fields(record);
    written.written += 1;
    let passed = record.verification.status == VerificationStatus::Passed;
    written.unverified += usize::from(!passed);
    written.neutral.extend(neutral);
    Some(values)
}

fn json(results: &[BTreeMap<String, Value>], out: &mut dyn Write) -> io::Result<()> {
    write!(out, "[")?;
    for (i, result) in results.iter().enumerate() {
        let comma = if i > 0 { "," } else { "" };
        let pairs: Vec<String> = pairs(result).map(|pair| format!("    {pair}")).collect();
        write!(out, "{comma}\n  {{\n{}\n  }}", pairs.join(",\n"))?;
    }
    writeln!(out, "\n]")
}

/// `"name": value` in llama-bench's order, columns it does not know last. Results from CSV get JSON's types, and samples that
/// readers look for but that are not there: none.
fn pairs(result: &BTreeMap<String, Value>) -> impl Iterator<Item = String> + '_ {
    let from_csv = result.get("n_prompt").is_some_and(Value::is_string);
    let none = from_csv && !result.contains_key(SAMPLES[0]);
    let samples = SAMPLES.iter().filter(move |_| none);
    names(result)
        .filter_map(move |name| {
            let value = result.get(name)?;
            let typed = if from_csv { typed(name, value) } else { value.clone() };
            Some(format!("{}: {}", text(&Value::from(name)), text(&typed)))
        })
        .chain(samples.map(|name| format!("\"{name}\": []")))
}

/// The result's own names, in order.
fn names(result: &BTreeMap<String, Value>) -> impl Iterator<Item = &str> {
    let columns = COLUMNS.iter().map(|(name, _)| *name).chain(SAMPLES);
    let unknown = result.keys().map(String::as_str).filter(|name| !known(name));
    columns.filter(|name| result.contains_key(*name)).chain(unknown)
}

fn text(value: &Value) -> String {
    match value {
        Value::Array(items) => {
            format!("[{}]", items.iter().map(text).collect::<Vec<_>>().join(", "))
        }
        value => json_escape(&value.to_string()),
    }
}

/// A field of CSV as the type its column has in JSON; text that is not of the type stays text.
fn typed(name: &str, value: &Value) -> Value {
    let Value::String(text) = value else { return value.clone() };
    let number = || text.trim().parse::<serde_json::Number>().ok().map(Value::Number);
    let typed = match kind(name) {
        Some(Kind::Bool) => match text.trim() {
            "0" => Some(Value::Bool(false)),
            "1" => Some(Value::Bool(true)),
            _ => number(),
        },
        Some(Kind::Int | Kind::Float) => number(),
        Some(Kind::Text) | None => None,
    };
    typed.unwrap_or_else(|| value.clone())
}

/// Every value in quotes, names not, as llama-bench does.
fn csv(results: &[BTreeMap<String, Value>], out: &mut dyn Write) -> io::Result<()> {
    let there = |name: &str| results.iter().any(|result| result.contains_key(name));
    let unknown: BTreeSet<&str> =
        results.iter().flat_map(BTreeMap::keys).map(String::as_str).filter(|n| !known(n)).collect();
    let columns: Vec<&str> = COLUMNS
        .iter()
        .map(|(name, _)| *name)
        .filter(|name| results.is_empty() || there(name))
        .chain(unknown)
        .collect();
    let header: Vec<String> = columns.iter().map(|name| heading(name)).collect();
    writeln!(out, "{}", header.join(","))?;
    for result in results {
        let line: Vec<String> =
            columns.iter().map(|name| quoted(&csv_value(result.get(*name)))).collect();
        writeln!(out, "{}", line.join(","))?;
    }
    Ok(())
}

fn csv_value(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(value) => match plain(value) {
            // A number is no formula, its sign notwithstanding.
            Some(text) if text.parse::<f64>().is_ok() => text,
            Some(text) => csv_field(&text),
            None => csv_field(&value.to_string()),
        },
    }
}

fn heading(name: &str) -> String {
    let word = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if word { name.to_owned() } else { quoted(&csv_field(name)) }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}
