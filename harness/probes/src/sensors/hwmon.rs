//! hwmon: power, energy and temperature of chips that have a kernel driver (AMD and Intel graphics, ACPI power meters,
//! Jetson rails, processors). Channels are found by the chip's name and the label, never by their number.
//!
//! Units are the kernel's: µW, µJ, millidegrees, mV, mA.

use std::time::Duration;

use yardstick_record::{Direction, Reading};

use super::counter::{Counter, Kind};
use super::gauge::Gauge;
use super::sensor::{About, Entry, Health, Missing, Quantity, Sensor, unique, word};
use crate::Root;
use crate::probe::Learnt;
use crate::root::clean;

pub(super) const ENTRY: Entry = Entry {
    name: "hwmon",
    measures: "power, energy and temperature of chips with a kernel driver",
    could: &[Quantity::GraphicsEnergy, Quantity::MachinePower, Quantity::Temperature],
    absent: ("hwmon_watts", About { unit: "W", source: FOLDER, scope: "chip", better: LESS }),
    open: |root| Ok(Box::new(Hwmon::open(root)?)),
};

const FOLDER: &str = "/sys/class/hwmon";
const LESS: Option<Direction> = Some(Direction::Lower);
/// Channels read at most.
const MOST_CHANNELS: usize = 32;
/// Chips that say nothing of what computes: drives, radios, network, batteries, chargers.
const ELSEWHERE: &[&str] = &[
    "nvme",
    "drivetemp",
    "iwlwifi",
    "ath",
    "mt7",
    "rtw",
    "r8169",
    "enp",
    "eth",
    "BAT",
    "ADP",
    "AC",
    "ucsi",
    "hidpp",
    "spd5118",
    "jc42",
];
/// What a chip covers, by the start of its name; of any other it is the `chip` itself.
const SCOPES: &[(&str, &str)] = &[
    ("amdgpu", "gpu"),
    ("nouveau", "gpu"),
    ("xe", "gpu"),
    ("i915", "gpu"),
    ("power_meter", "machine"),
    ("macsmc", "machine"),
    ("ina", "rail"),
    ("coretemp", "package"),
    ("k10temp", "package"),
    ("zenpower", "package"),
];

/// See the file's head.
struct Hwmon {
    root: Root,
    channels: Vec<Channel>,
    /// Channels there are, of which the first are read.
    all: usize,
}

struct Channel {
    name: String,
    scope: &'static str,
    source: String,
    input: Input,
}

/// What is read, and what becomes of it.
enum Input {
    /// µW.
    Power(String, Gauge),
    /// mV and mA: their product is the power, which these chips leave to the reader.
    Rail(String, String, Gauge),
    /// µJ; when it wraps is not told.
    Energy(String, Counter),
    /// Millidegrees.
    Temperature(String, Gauge),
}

impl Hwmon {
    fn open(root: &Root) -> Result<Hwmon, Missing> {
        let chips = root.list(FOLDER).map_err(|reason| Missing::new(reason, None))?;
        let mut channels: Vec<Channel> = Vec::new();
        let mut taken = Vec::new();
        for chip in &chips {
            let folder = format!("{FOLDER}/{chip}");
            let Ok(name) = root.line(&format!("{folder}/name")) else { continue };
            if ELSEWHERE.iter().any(|start| name.starts_with(start)) {
                continue;
            }
            let chip = unique(word(&name), &taken);
            taken.push(chip.clone());
            let scope = SCOPES.iter().find(|(start, _)| name.starts_with(start));
            let scope = scope.map_or("chip", |(_, scope)| scope);
            channels.extend(chip_channels(root, &folder, &chip, scope));
        }
        let all = channels.len();
        channels.truncate(MOST_CHANNELS);
        if channels.is_empty() {
            let reason = match chips.len() {
                0 => format!("{FOLDER} lists no chip"),
                n => format!(
                    "none of the {n} chips in {FOLDER} tells the power or temperature of what computes"
                ),
            };
            return Err(Missing::new(
                reason,
                (!chips.is_empty()).then_some("sudo sensors-detect (package lm-sensors)"),
            ));
        }
        Ok(Hwmon { root: root.clone(), channels, all })
    }
}

/// Power and energy first, so that they are read where there are too many.
fn chip_channels(root: &Root, folder: &str, chip: &str, scope: &'static str) -> Vec<Channel> {
    let files = root.list(folder).unwrap_or_default();
    let mut found: Vec<(String, Input)> = Vec::new();
    let watts = || Gauge::new(0.0..=4000.0);
    let path = |file: &str| format!("{folder}/{file}");
    let label = |prefix: &str| {
        let label = root.line(&path(&format!("{prefix}_label")));
        label.map_or_else(|_| prefix.to_owned(), |label| word(&label))
    };
    for prefix in numbered(&files, "energy", "_input") {
        let kind = Kind {
            joules: 1e-6,
            range: Err("hwmon does not tell it".to_owned()),
            most_watts: 4000.0,
            update: Duration::from_millis(1),
        };
        found.push((
            label(&prefix),
            Input::Energy(path(&format!("{prefix}_input")), Counter::new(kind)),
        ));
    }
    for prefix in numbered(&files, "power", "_input") {
        found.push((label(&prefix), Input::Power(path(&format!("{prefix}_input")), watts())));
    }
    for prefix in numbered(&files, "power", "_average") {
        if !files.contains(&format!("{prefix}_input")) {
            found.push((label(&prefix), Input::Power(path(&format!("{prefix}_average")), watts())));
        }
    }
    for prefix in numbered(&files, "curr", "_input") {
        let volts = prefix.replace("curr", "in");
        let has = |file: String| files.contains(&file);
        if has(format!("{volts}_input"))
            && has(format!("{volts}_label"))
            && !has(prefix.replace("curr", "power") + "_input")
        {
            let (v, a) = (path(&format!("{volts}_input")), path(&format!("{prefix}_input")));
            found.push((label(&volts), Input::Rail(v, a, watts())));
        }
    }
    let temperatures: Vec<(String, String)> = numbered(&files, "temp", "_input")
        .into_iter()
        .map(|prefix| (label(&prefix), prefix))
        .collect();
    let whole = temperatures.iter().any(|(label, _)| label.starts_with("package_id"));
    for (label, prefix) in temperatures {
        // The package is the hottest of its cores.
        if !(whole && label.starts_with("core_")) {
            found.push((label, Input::Temperature(path(&format!("{prefix}_input")), celsius())));
        }
    }
    let mut taken = Vec::new();
    let channel = |(label, input): (String, Input)| {
        let name = unique(format!("hwmon_{chip}_{label}"), &taken);
        taken.push(name.clone());
        let source = format!("hwmon {chip} {label}");
        Channel { name, scope, source, input }
    };
    found.into_iter().map(channel).collect()
}

/// Temperatures that a machine can have and still run, °C.
pub(super) const CELSIUS: std::ops::RangeInclusive<f64> = -50.0..=150.0;

/// Degrees that silicon survives.
pub(super) fn celsius() -> Gauge {
    Gauge::new(CELSIUS)
}

/// `power1` for `power1_input`, by number.
fn numbered(files: &[String], start: &str, end: &str) -> Vec<String> {
    let index = |file: &String| -> Option<u32> {
        file.strip_prefix(start)?.strip_suffix(end)?.parse().ok()
    };
    let mut indices: Vec<u32> = files.iter().filter_map(index).collect();
    indices.sort_unstable();
    indices.into_iter().map(|index| format!("{start}{index}")).collect()
}

/// A whole number that may be negative, times a scale.
pub(super) fn scaled(root: &Root, path: &str, scale: f64) -> Learnt<f64> {
    let text = root.line(path)?;
    match text.parse::<i64>() {
        Ok(value) => Ok(value as f64 * scale),
        Err(_) => Err(format!("{path}: expected a whole number, found {:?}", clean(&text))),
    }
}

/// Watts of a rail.
fn product(root: &Root, volts: &str, amperes: &str) -> Learnt<f64> {
    Ok(scaled(root, volts, 1e-3)? * scaled(root, amperes, 1e-3)?)
}

impl Input {
    /// Whether it answers.
    fn answers(&self, root: &Root) -> Learnt<()> {
        match self {
            Input::Power(path, _) | Input::Temperature(path, _) => {
                scaled(root, path, 1.0).map(drop)
            }
            Input::Rail(volts, amperes, _) => product(root, volts, amperes).map(drop),
            Input::Energy(path, _) => root.number(path).map(drop),
        }
    }

    fn take(&mut self, root: &Root, at: Duration) {
        match self {
            Input::Power(path, gauge) => gauge.take(at, scaled(root, path, 1e-6)),
            Input::Rail(volts, amperes, gauge) => gauge.take(at, product(root, volts, amperes)),
            Input::Energy(path, counter) => counter.take(at, root.number(path)),
            Input::Temperature(path, gauge) => gauge.take(at, scaled(root, path, 1e-3)),
        }
    }
}

impl Sensor for Hwmon {
    fn begin(&mut self, _pid: u32) {
        for channel in &mut self.channels {
            match &mut channel.input {
                Input::Power(_, gauge)
                | Input::Rail(_, _, gauge)
                | Input::Temperature(_, gauge) => {
                    gauge.begin();
                }
                Input::Energy(_, counter) => counter.begin(),
            }
        }
    }

    fn sample(&mut self, at: Duration) {
        self.channels.iter_mut().for_each(|channel| channel.input.take(&self.root, at));
    }

    fn finish(&mut self) -> Vec<Reading> {
        self.channels.iter().flat_map(Channel::readings).collect()
    }

    fn health(&mut self) -> Health {
        let (mut answer, mut silent) = (Vec::new(), Vec::new());
        let mut provides = Vec::new();
        for channel in &self.channels {
            let name = channel.name.strip_prefix("hwmon_").unwrap_or(&channel.name);
            match channel.input.answers(&self.root) {
                Ok(()) => answer.push(name),
                Err(reason) => {
                    silent.push(reason);
                    continue;
                }
            }
            provides.extend(match (&channel.input, channel.scope) {
                (Input::Temperature(..), _) => Some(Quantity::Temperature),
                (_, "gpu") => Some(Quantity::GraphicsEnergy),
                (_, "machine") => Some(Quantity::MachinePower),
                _ => None,
            });
        }
        let beyond = match self.all - self.channels.len() {
            0 => String::new(),
            more => format!(" and {more} more that are not read"),
        };
        let status = match silent.first() {
            Some(reason) if answer.is_empty() => Err(Missing::new(reason, None)),
            Some(reason) => Ok(format!("{}{beyond}; not all: {reason}", answer.join(", "))),
            None => Ok(format!("{}{beyond}", answer.join(", "))),
        };
        Health { status, provides }
    }
}

impl Channel {
    fn readings(&self) -> Vec<Reading> {
        let about = |unit| About { unit, source: &self.source, scope: self.scope, better: LESS };
        let name = |suffix: &str| format!("{}_{suffix}", self.name);
        match &self.input {
            Input::Power(_, gauge) | Input::Rail(_, _, gauge) => {
                let course = gauge.course().and_then(|course| match course.most {
                    0.0 => Err("stuck: it reads 0 W under load".to_owned()),
                    _ => Ok(course),
                });
                vec![
                    about("W").observed(name("mean_watts"), course.clone().map(|c| c.in_mean())),
                    about("W").reading(name("max_watts"), course.map(|c| c.most)),
                ]
            }
            Input::Energy(_, counter) => {
                let energy = counter.energy();
                vec![
                    about("J").observed(name("joules"), energy.clone().map(|e| e.in_joules())),
                    about("W").observed(name("watts"), energy.map(|e| e.in_watts())),
                ]
            }
            Input::Temperature(_, gauge) => {
                let course = gauge.course();
                vec![
                    about("°C").reading(name("start_celsius"), course.clone().map(|c| c.first)),
                    about("°C").reading(name("max_celsius"), course.map(|c| c.most)),
                ]
            }
        }
    }
}

#[cfg(test)]
mod tests;
