//! What is in a bundle, in words: every text that leaves the machine, under the name of its field.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use serde_json::Value;
use yardstick_record::Record;
use yardstick_render::elide;

/// Texts by field, and how many records hold numbers under each.
#[derive(Debug, Default)]
pub struct Contents {
    /// Records looked at.
    pub records: u64,
    texts: BTreeMap<String, BTreeSet<String>>,
    numbers: BTreeSet<String>,
}

/// Texts of a field that are shown; all of them are in the file.
const FEW: usize = 3;
/// Characters of one.
const LONG: usize = 100;
/// Texts of a field that are kept to be shown.
const KEPT: usize = 10_000;

impl Contents {
    /// Counts a record in.
    pub fn add(&mut self, record: &Record) {
        self.records += 1;
        if let Ok(value) = serde_json::to_value(record) {
            self.walk("", &value);
        }
    }

    fn walk(&mut self, path: &str, value: &Value) {
        match value {
            Value::String(text) => {
                let texts = self.texts.entry(path.to_owned()).or_default();
                if texts.len() < KEPT && !texts.contains(text) {
                    texts.insert(text.clone());
                }
            }
            Value::Array(values) => values.iter().for_each(|value| self.walk(path, value)),
            Value::Object(fields) => {
                for (name, value) in fields {
                    let dot = if path.is_empty() { "" } else { "." };
                    self.walk(&format!("{path}{dot}{name}"), value);
                }
            }
            Value::Number(_) | Value::Bool(_) => {
                self.numbers.insert(path.to_owned());
            }
            Value::Null => {}
        }
    }

    /// A line a field with its texts, then the fields that hold numbers only.
    pub fn words(&self) -> String {
        let mut out = String::new();
        for (field, texts) in &self.texts {
            let shown: Vec<String> = texts.iter().take(FEW).map(|text| elide(text, LONG)).collect();
            let more = texts.len().saturating_sub(FEW);
            let more = if more > 0 { format!(" … and {more} more") } else { String::new() };
            let _ = writeln!(out, "  {}: {}{more}", elide(field, LONG), shown.join(" | "));
        }
        let numbers: Vec<&str> = self
            .numbers
            .iter()
            .filter(|field| !self.texts.contains_key(*field))
            .map(String::as_str)
            .collect();
        let _ = writeln!(out, "  numbers: {}", elide(&numbers.join(", "), 4000));
        out
    }
}
