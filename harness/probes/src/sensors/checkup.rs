//! The checkup: which meters work here, why the others do not, and how to get what cannot be measured.

use serde::Serialize;
use yardstick_api::Known;

use super::sensor::{Entry, Health, Missing, Quantity, TABLE};
use crate::{Probe, Root};

/// What this machine can measure.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Checkup {
    /// Every meter.
    pub sensors: Vec<Diagnosis>,
    /// Quantities that no meter of this machine tells.
    pub gaps: Vec<Gap>,
}

/// Whether one meter works.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Diagnosis {
    /// Its short name: `rapl`, `nvml`.
    pub name: String,
    /// What it measures.
    pub measures: String,
    /// What of it answers, or why nothing does.
    pub status: Known<String>,
    /// One line that would change that; `None` where nothing can, or nothing need.
    pub fix: Option<String>,
}

/// A quantity that cannot be measured here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// What it is.
    pub quantity: String,
    /// Sensors that could tell it.
    pub sensors: Vec<String>,
    /// Why they do not, one after the other.
    pub reason: String,
    /// How to get it.
    pub how: String,
}

/// Quantities in the order of their telling, and what to do where no sensor gives advice.
const QUANTITIES: &[(Quantity, &str, &str)] = &[
    (
        Quantity::ProcessorEnergy,
        "energy of the processor",
        "an x86 machine that is not virtual, or a meter at the wall",
    ),
    (
        Quantity::GraphicsEnergy,
        "energy of graphics boards",
        "a board whose driver tells it (NVIDIA, AMD, Intel)",
    ),
    (
        Quantity::MachinePower,
        "power of the whole machine",
        "a meter at the wall: yardstick run --meter NAME=COMMAND; few machines tell it",
    ),
    (Quantity::Temperature, "temperature", "a machine that is not virtual"),
    (Quantity::Clock, "clock speed during a test", "a machine that is not virtual"),
    (
        Quantity::Throttling,
        "throttling",
        "an Intel processor that is not virtual, or an NVIDIA board; elsewhere watch the clock",
    ),
];

/// Looks at every meter; takes milliseconds, or as long as a driver's library needs to load.
pub fn checkup(root: &Root) -> Checkup {
    let looked: Vec<(&Entry, Result<Health, Missing>)> = TABLE
        .iter()
        .map(|entry| (entry, (entry.open)(root).map(|mut sensor| sensor.health())))
        .collect();
    let mut sensors: Vec<Diagnosis> = process_meters(root);
    sensors.extend(looked.iter().map(|(entry, health)| diagnosis(entry, health)));
    let gaps = QUANTITIES.iter().filter_map(|quantity| gap(quantity, &looked)).collect();
    Checkup { sensors, gaps }
}

fn diagnosis(entry: &Entry, health: &Result<Health, Missing>) -> Diagnosis {
    let status = health.as_ref().and_then(|health| health.status.as_ref());
    let (status, fix) = match status {
        Ok(words) => (Known::Value(words.clone()), None),
        Err(Missing { reason, fix }) => (Known::unavailable(reason), fix.clone()),
    };
    Diagnosis { name: entry.name.into(), measures: entry.measures.into(), status, fix }
}

/// The gap that a quantity leaves, unless a sensor tells it.
fn gap(
    (quantity, name, otherwise): &(Quantity, &str, &str),
    looked: &[(&Entry, Result<Health, Missing>)],
) -> Option<Gap> {
    let mut sensors = Vec::new();
    let mut reasons = Vec::new();
    let mut fixes: Vec<String> = Vec::new();
    for (entry, health) in looked.iter().filter(|(entry, _)| entry.could.contains(quantity)) {
        let missing = match health {
            Ok(health) if health.provides.contains(quantity) => return None,
            Ok(Health { status: Ok(_), .. }) => {
                Missing::new("works, and tells nothing of it", None)
            }
            Ok(Health { status: Err(missing), .. }) | Err(missing) => missing.clone(),
        };
        sensors.push(entry.name.to_owned());
        reasons.push(format!("{}: {}", entry.name, missing.reason));
        fixes.extend(missing.fix.filter(|fix| !fixes.contains(fix)));
    }
    let how = if fixes.is_empty() { (*otherwise).to_owned() } else { fixes.join("; or ") };
    Some(Gap { quantity: (*name).to_owned(), sensors, reason: reasons.join("; "), how })
}

/// The meters of the worker's process, tried on this one.
fn process_meters(root: &Root) -> Vec<Diagnosis> {
    crate::meters(root).into_iter().map(|mut meter| tried(&mut *meter)).collect()
}

fn tried(meter: &mut dyn Probe) -> Diagnosis {
    let readings = meter.start(std::process::id()).and_then(|()| meter.stop());
    let readings = readings.unwrap_or_default();
    let names = |known: bool| -> Vec<&str> {
        let is = |reading: &&yardstick_record::Reading| reading.value.value().is_some() == known;
        readings.iter().filter(is).map(|reading| reading.name.as_str()).collect()
    };
    // An instant is too short for shares of time; a test is not.
    let reason = readings.iter().find_map(|reading| reading.value.reason());
    let reason = reason.filter(|reason| !reason.starts_with("too short"));
    let status = match (names(true).is_empty(), reason) {
        (true, Some(reason)) => Known::unavailable(reason),
        (false, Some(reason)) => {
            let (known, unknown) = (names(true).join(", "), names(false).join(", "));
            Known::Value(format!("{known}; not {unknown}: {reason}"))
        }
        (_, None) => {
            Known::Value(readings.iter().map(|r| r.name.as_str()).collect::<Vec<_>>().join(", "))
        }
    };
    Diagnosis {
        name: meter.name().to_owned(),
        measures: "of the worker's process and what runs beside it".to_owned(),
        status,
        fix: None,
    }
}
