//! The machines, devices and runs behind the numbers.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;
use yardstick_api::Known;
use yardstick_record::Record;

use super::meters::{Meters, meters};
use crate::columns::class_name;
use crate::number;
use crate::text::elide;

/// Characters of a value.
const VALUE: usize = 500;
/// Different values of one field shown.
const VALUES: usize = 3;
/// Characters of a value that shares its line with others.
const SHORT: usize = 36;

/// A machine and its state.
#[derive(Serialize)]
pub(super) struct Machine {
    name: String,
    /// Those with short values, then those that need a line of their own.
    known: Vec<(String, String)>,
    long: Vec<(String, String)>,
    missing: Vec<(String, String)>,
    meters: Meters,
}

/// What ran.
#[derive(Clone, Serialize, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Device {
    id: String,
    name: String,
    class: String,
    isa: String,
    driver: String,
    threads: String,
    numerics: String,
    kernels: String,
    /// What else the backend told of its sessions; empty until [`devices`] has them all.
    notes: Vec<(String, String)>,
}

/// A run.
#[derive(Serialize, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Run {
    started: String,
    id: String,
    suite: String,
    command: String,
    seed: String,
    tool: String,
}

/// A table of fields for each machine; a field that changed over its records shows the values it took.
pub(super) fn machines(records: &[Record]) -> Vec<Machine> {
    let mut machines: BTreeMap<String, Vec<&Record>> = BTreeMap::new();
    for record in records {
        let name = record.environment.text("cpu.model");
        machines
            .entry(name.unwrap_or_else(|| "unknown processor".into()))
            .or_default()
            .push(record);
    }
    machines.into_iter().map(|(name, records)| machine(&name, &records)).collect()
}

fn machine(name: &str, records: &[&Record]) -> Machine {
    let mut fields: BTreeMap<&str, (Vec<&Value>, Vec<&str>)> = BTreeMap::new();
    for (field, known) in records.iter().flat_map(|record| &record.environment.fields) {
        let (values, reasons) = fields.entry(field).or_default();
        match known {
            Known::Value(value) => push_new(values, value),
            Known::Unavailable { unavailable } => push_new(reasons, unavailable.as_str()),
        }
    }
    let name = elide(name, 120);
    let meters = meters(records);
    let mut machine = Machine { name, known: vec![], long: vec![], missing: vec![], meters };
    for (field, (values, reasons)) in fields {
        let value = if values.is_empty() { reasons.join("; ") } else { several(field, &values) };
        let list = match values.is_empty() {
            true => &mut machine.missing,
            false if value.chars().count() > SHORT => &mut machine.long,
            false => &mut machine.known,
        };
        list.push((elide(field, 80), elide(&value, VALUE)));
    }
    machine
}

fn push_new<T: PartialEq>(list: &mut Vec<T>, value: T) {
    if !list.contains(&value) {
        list.push(value);
    }
}

/// The values a field took: numbers as a range, texts one after the other.
fn several(field: &str, values: &[&Value]) -> String {
    let numbers: Option<Vec<f64>> = values.iter().map(|value| value.as_f64()).collect();
    if let (Some(numbers), 2..) = (numbers, values.len()) {
        let low = numbers.iter().copied().fold(f64::INFINITY, f64::min);
        let high = numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        return format!("{} to {}", number(field, low), number(field, high));
    }
    let shown: Vec<String> = values.iter().take(VALUES).map(|value| text(field, value)).collect();
    let more = if values.len() > VALUES { " …" } else { "" };
    format!("{}{more}", shown.join(" · "))
}

/// A field's value for people.
fn text(field: &str, value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(n) => n.as_f64().map_or_else(|| n.to_string(), |n| number(field, n)),
        Value::Array(items) => {
            items.iter().map(|item| text("", item)).collect::<Vec<_>>().join(", ")
        }
        // Names that share a value stand together: most mitigations say the same.
        Value::Object(object) => {
            let mut names: BTreeMap<String, Vec<&str>> = BTreeMap::new();
            for (name, value) in object {
                names.entry(text("", value)).or_default().push(name);
            }
            let groups =
                names.into_iter().map(|(value, names)| format!("{value}: {}", names.join(", ")));
            groups.collect::<Vec<_>>().join("; ")
        }
        other => other.to_string(),
    }
}

/// Bytes get a unit that can be read; whole numbers stay whole.
fn number(field: &str, value: f64) -> String {
    if field.ends_with("_bytes") {
        number::bytes(value)
    } else if value.fract() == 0.0 {
        format!("{value:.0}")
    } else {
        number::digits(value)
    }
}

/// Each way a device ran.
pub(super) fn devices(records: &[Record]) -> Vec<Device> {
    let ran: Vec<(Device, &Record)> =
        records.iter().filter_map(|record| Some((device(record)?, record))).collect();
    let mut devices = merge_kernels(ran.iter().map(|(device, _)| device.clone()).collect());
    for one in &mut devices {
        let its = ran.iter().filter(|(device, _)| device.ran_as(one));
        one.notes = notes(its.map(|(_, record)| *record));
    }
    devices
}

/// What ran in a record, without its notes.
fn device(record: &Record) -> Option<Device> {
    let word = |known: &Known<String>| match known {
        Known::Value(text) => elide(text, 80),
        Known::Unavailable { .. } => "–".to_owned(),
    };
    let facts = record.facts.value()?;
    let kernels = facts.kernels.iter().map(|(format, kernel)| format!("{format}: {kernel}"));
    Some(Device {
        id: elide(&facts.device, 60),
        name: word(&record.device.clone().map(|device| device.name)),
        class: record.device.value().map_or("–", |d| class_name(d.class)).to_owned(),
        isa: word(&facts.isa),
        driver: word(&facts.driver),
        threads: facts.threads.value().map_or("–".to_owned(), usize::to_string),
        numerics: format!("{:?}, kv {}", facts.numerics, facts.kv.name()).to_lowercase(),
        kernels: elide(&kernels.collect::<Vec<_>>().join("; "), VALUE),
        notes: Vec::new(),
    })
}

impl Device {
    /// Whether both are one line: models of other formats only add their kernels.
    fn ran_as(&self, other: &Device) -> bool {
        (&self.id, &self.isa, &self.threads, &self.numerics)
            == (&other.id, &other.isa, &other.threads, &other.numerics)
    }
}

/// The notes of so many facts: what each says, or why it is not known, with the values it took.
fn notes<'r>(records: impl Iterator<Item = &'r Record>) -> Vec<(String, String)> {
    let mut notes: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for (name, known) in records.filter_map(|record| record.facts.value()).flat_map(|f| &f.notes) {
        let value = match known {
            // Counts are told as texts, and have a range; what only looks like a number (007) stays as it is.
            Known::Value(text) => match text.parse::<u32>() {
                Ok(count) if count.to_string() == *text => Value::from(count),
                _ => Value::from(text.as_str()),
            },
            Known::Unavailable { unavailable } => Value::from(format!("unknown: {unavailable}")),
        };
        push_new(notes.entry(name).or_default(), value);
    }
    let told = |(name, values): (&str, Vec<Value>)| {
        let values: Vec<&Value> = values.iter().collect();
        (elide(&name.replace('_', " "), 80), elide(&several(name, &values), VALUE))
    };
    notes.into_iter().map(told).collect()
}

/// One line a device, with the kernels of all its models.
fn merge_kernels(seen: BTreeSet<Device>) -> Vec<Device> {
    let mut merged: Vec<Device> = Vec::new();
    for mut device in seen {
        let kernels = std::mem::take(&mut device.kernels);
        match merged.iter_mut().find(|other| other.ran_as(&device)) {
            Some(known) => {
                for kernel in kernels.split("; ") {
                    if !known.kernels.contains(kernel) {
                        known.kernels.push_str(&format!("; {kernel}"));
                    }
                }
            }
            None => merged.push(Device { kernels, ..device }),
        }
    }
    merged
}

/// The runs, oldest first.
pub(super) fn runs(records: &[Record]) -> Vec<Run> {
    let seen: BTreeSet<Run> = records
        .iter()
        .map(|record| Run {
            started: elide(&record.run.started, 40),
            id: elide(&record.run.id, 60),
            suite: elide(&record.run.suite, 80),
            command: elide(&record.run.command.join(" "), VALUE),
            seed: record.run.seed.to_string(),
            tool: elide(&format!("{} {}", record.tool.name, record.tool.version), 60),
        })
        .collect();
    seen.into_iter().collect()
}
