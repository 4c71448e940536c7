//! Weights, keys and values and scratch as the backend's facts say, beside what the system saw of the worker, and the difference.

use std::collections::BTreeMap;

use serde::Serialize;
use yardstick_api::{Device, DeviceKind, Facts, Known};
use yardstick_record::{Record, Test};

use crate::estimate::sorted;
use crate::median;

/// What a backend says it holds, bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Held {
    /// Weights used from the mapped file.
    pub mapped_bytes: u64,
    /// Weights copied or re-laid.
    pub copied_bytes: u64,
    /// Keys and values.
    pub kv_bytes: u64,
    /// Scratch.
    pub scratch_bytes: u64,
}

impl Held {
    /// As facts say.
    pub fn of(facts: &Facts) -> Held {
        Held {
            mapped_bytes: facts.mapped_bytes,
            copied_bytes: facts.copied_bytes,
            kv_bytes: facts.kv_bytes,
            scratch_bytes: facts.scratch_bytes,
        }
    }

    /// All of it.
    pub fn total(&self) -> u64 {
        self.mapped_bytes
            .saturating_add(self.copied_bytes)
            .saturating_add(self.kv_bytes)
            .saturating_add(self.scratch_bytes)
    }
}

/// One model resident on one device with one set of options.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Reconciled {
    /// Model's name.
    pub model: String,
    /// Device, with its build where it has one.
    pub device: String,
    /// Options, where they are not the defaults, in words.
    pub options: String,
    /// What the backend says.
    pub held: Known<Held>,
    /// Proportional set size, bytes; the median over its records. Of a device with memory of its own: that memory.
    pub seen_bytes: Known<f64>,
    /// Where that was seen: `PSS`, `RSS`, `VRAM`.
    pub seen_as: &'static str,
    /// Highest resident size, bytes; the largest over its records.
    pub peak_bytes: Known<f64>,
    /// Seen less held: the program itself and what nobody accounts for; below 0: held and not touched yet.
    pub difference_bytes: Known<f64>,
    /// Of the difference, memory of no file: resident anonymous memory less what is told of copies, keys and values and scratch.
    /// The rest are pages of files: the program, and parts of the model that were read to make something else of them.
    pub private_difference_bytes: Known<f64>,
    /// Faults that read the disk while samples were taken, of all its records.
    pub major_faults: Known<f64>,
    /// Records it stands on.
    pub records: usize,
}

/// Every model on every device, by name. Records of failed cells and of other programs' files have no facts: null with the reason.
pub fn reconciled(records: &[Record]) -> Vec<Reconciled> {
    let mut groups: BTreeMap<(String, String, String), Vec<&Record>> = BTreeMap::new();
    for record in records.iter().filter(|record| record.outcome.is_ok()) {
        let cell = &record.cell;
        if !matches!(
            cell.test,
            Test::Generate { .. } | Test::Prefill { .. } | Test::FirstToken { .. }
        ) {
            continue;
        }
        let device = match &cell.build {
            Some(build) => format!("{} {build}", cell.device),
            None => cell.device.clone(),
        };
        groups.entry((cell.model.name.clone(), device, options(record))).or_default().push(record);
    }
    groups.into_iter().map(|(key, records)| one(key, &records)).collect()
}

fn options(record: &Record) -> String {
    let options = &record.cell.options;
    let mut words = Vec::new();
    words.extend(options.threads.map(|threads| format!("threads {threads}")));
    words.extend(options.context.map(|context| format!("context {context}")));
    if options.sequences != 1 {
        words.push(format!("sequences {}", options.sequences));
    }
    if options.kv != yardstick_api::KvType::F16 {
        words.push(format!("kv {}", options.kv.name()));
    }
    if !options.repack {
        words.push("not repacked".to_owned());
    }
    words.join(", ")
}

fn one((model, device, options): (String, String, String), records: &[&Record]) -> Reconciled {
    let held = match records.iter().find_map(|record| record.facts.value()) {
        Some(facts) => Known::Value(Held::of(facts)),
        None => reason(records.first().and_then(|record| record.facts.reason())),
    };
    let own_memory = records.iter().find_map(|record| record.device.value()).is_some_and(on_board);
    let (seen_bytes, seen_as) = match own_memory {
        true => {
            (middle(records, |name, unit| name.starts_with("nvml_") && unit == "bytes"), "VRAM")
        }
        false => match middle(records, |name, _| name == "pss_bytes") {
            known @ Known::Value(_) => (known, "PSS"),
            Known::Unavailable { .. } => (middle(records, |name, _| name == "rss_bytes"), "RSS"),
        },
    };
    let difference_bytes = match (&seen_bytes, &held) {
        (Known::Value(seen), Known::Value(held)) => Known::Value(seen - held.total() as f64),
        (Known::Unavailable { unavailable }, _) | (_, Known::Unavailable { unavailable }) => {
            Known::unavailable(unavailable)
        }
    };
    let all = |name: &str| values(records, |other, _| other == name);
    let anonymous = match own_memory {
        true => Known::unavailable("a board's memory is of no file"),
        false => middle(records, |name, _| name == "rss_anonymous_bytes"),
    };
    let private_difference_bytes = match (anonymous, &held) {
        (Known::Value(seen), Known::Value(held)) => {
            Known::Value(seen - (held.total().saturating_sub(held.mapped_bytes)) as f64)
        }
        (Known::Unavailable { unavailable }, _) => Known::Unavailable { unavailable },
        (_, Known::Unavailable { unavailable }) => Known::unavailable(unavailable),
    };
    Reconciled {
        model,
        device,
        options,
        peak_bytes: all("peak_rss_bytes").map(|all| all.into_iter().fold(0.0, f64::max)),
        major_faults: all("major_faults").map(|all| all.into_iter().sum()),
        held,
        seen_bytes,
        seen_as,
        difference_bytes,
        private_difference_bytes,
        records: records.len(),
    }
}

/// A device whose memory is not the system's.
fn on_board(device: &Device) -> bool {
    device.kind == DeviceKind::Gpu && device.class == yardstick_api::DeviceClass::Hardware
}

fn reason<T>(reason: Option<&str>) -> Known<T> {
    Known::unavailable(reason.unwrap_or("the record has no such value"))
}

fn middle(records: &[&Record], is: impl Fn(&str, &str) -> bool) -> Known<f64> {
    match values(records, is) {
        Known::Value(values) => match median(&sorted(&values)) {
            Some(value) => Known::Value(value),
            None => reason(None),
        },
        Known::Unavailable { unavailable } => Known::unavailable(unavailable),
    }
}

/// Values of a reading in every record that has one; where none has, why the first has not.
fn values(records: &[&Record], is: impl Fn(&str, &str) -> bool) -> Known<Vec<f64>> {
    let readings = || {
        records.iter().flat_map(|record| &record.readings).filter(|one| is(&one.name, &one.unit))
    };
    let values: Vec<f64> = readings().filter_map(|one| one.value.value().copied()).collect();
    match values.is_empty() {
        false => Known::Value(values),
        true => reason(readings().find_map(|one| one.value.reason())),
    }
}
