//! What the meters beside the clock read on a machine, over all its tests, and in one line those that read nothing.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use yardstick_record::{Reading, Record};

use crate::number;
use crate::text::elide;

/// Units that can be told over several tests: a sum of joules or bytes belongs to one.
const UNITS: [&str; 6] = ["W", "°C", "MHz", "%", "events", "ms"];
/// Characters of a name or a reason.
const NAME: usize = 60;
const REASON: usize = 300;
/// Different reasons shown, and names of one.
const MOST: usize = 40;

/// The meters of a machine.
#[derive(Serialize, Default)]
pub(super) struct Meters {
    /// Name and the range of its values over the tests.
    known: Vec<(String, String)>,
    /// Names that never had a value, in one line.
    unread: String,
    /// Those names by their reason.
    reasons: Vec<(String, String)>,
}

pub(super) fn meters(records: &[&Record]) -> Meters {
    let mut readings: BTreeMap<&str, Vec<&Reading>> = BTreeMap::new();
    for reading in records.iter().flat_map(|record| &record.readings) {
        readings.entry(&reading.name).or_default().push(reading);
    }
    let mut meters = Meters::default();
    let mut unread = BTreeSet::new();
    let mut reasons: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (name, readings) in readings {
        if readings.iter().all(|reading| reading.value.value().is_none()) {
            unread.insert(name);
            let reason = readings.iter().find_map(|reading| reading.value.reason());
            reasons.entry(reason.unwrap_or_default()).or_default().insert(name);
        } else if readings.iter().all(|reading| UNITS.contains(&reading.unit.as_str())) {
            meters.known.push((elide(name, NAME), range(&readings)));
        }
    }
    meters.unread = listed(&unread);
    meters.reasons = reasons
        .into_iter()
        .take(MOST)
        .map(|(reason, names)| (listed(&names), elide(reason, REASON)))
        .collect();
    meters
}

fn listed(names: &BTreeSet<&str>) -> String {
    let shown: Vec<String> = names.iter().take(MOST).map(|name| elide(name, NAME)).collect();
    let more = if names.len() > MOST { ", …" } else { "" };
    format!("{}{more}", shown.join(", "))
}

/// `41 to 63 °C`.
fn range(readings: &[&Reading]) -> String {
    let values = || readings.iter().filter_map(|reading| reading.value.value().copied());
    let (low, high) = (values().fold(f64::INFINITY, f64::min), values().fold(f64::MIN, f64::max));
    let (low, high) = (elide(&number::digits(low), 24), elide(&number::digits(high), 24));
    let unit = elide(&readings[0].unit, 12);
    if low == high { format!("{low} {unit}") } else { format!("{low} to {high} {unit}") }
}
