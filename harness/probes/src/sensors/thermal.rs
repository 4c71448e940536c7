//! Thermal zones: temperatures by which the kernel cools, at the start of a test and at their highest.

use std::time::Duration;

use yardstick_record::{Direction, Reading};

use super::gauge::Gauge;
use super::hwmon::{CELSIUS, celsius, scaled};
use super::sensor::{About, Entry, Health, Missing, Quantity, Sensor, is_virtual, unique, word};
use crate::Root;
use crate::probe::Learnt;

pub(super) const ENTRY: Entry = Entry {
    name: "thermal",
    measures: "temperature of thermal zones",
    could: &[Quantity::Temperature],
    absent: ("thermal_max_celsius", ABOUT),
    open: |root| Ok(Box::new(Thermal::open(root)?)),
};

const FOLDER: &str = "/sys/class/thermal";
const ABOUT: About<'static> = About {
    unit: "°C",
    source: "/sys/class/thermal/thermal_zone*/temp",
    scope: "zone",
    better: Some(Direction::Lower),
};
/// Zones read at most; phones have a hundred.
const MOST_ZONES: usize = 16;

/// See the file's head.
pub(super) struct Thermal {
    root: Root,
    zones: Vec<Zone>,
}

struct Zone {
    name: String,
    path: String,
    gauge: Gauge,
}

impl Thermal {
    pub(super) fn open(root: &Root) -> Result<Thermal, Missing> {
        let absent = |reason: String| match is_virtual(root) {
            true => Missing::new(
                format!("{reason}: this is a virtual machine"),
                Some("measure on the host, or on a machine that is not virtual"),
            ),
            false => Missing::new(reason, None),
        };
        let listed = root.list(FOLDER).map_err(absent)?;
        let mut zones: Vec<Zone> = Vec::new();
        let mut taken = Vec::new();
        for folder in listed.iter().filter(|name| name.starts_with("thermal_zone")) {
            let Ok(kind) = root.line(&format!("{FOLDER}/{folder}/type")) else { continue };
            let name = unique(format!("thermal_{}", word(&kind)), &taken);
            taken.push(name.clone());
            zones.push(Zone { name, path: format!("{FOLDER}/{folder}/temp"), gauge: celsius() });
        }
        zones.truncate(MOST_ZONES);
        match zones.is_empty() {
            true => Err(absent(format!("{FOLDER} lists no zone"))),
            false => Ok(Thermal { root: root.clone(), zones }),
        }
    }
}

impl Thermal {
    /// The temperature of the hottest zone now, °C.
    pub(super) fn hottest(&self) -> Learnt<f64> {
        let reads = self.zones.iter().filter_map(|zone| scaled(&self.root, &zone.path, 1e-3).ok());
        let hottest = reads.filter(|degrees| CELSIUS.contains(degrees)).reduce(f64::max);
        hottest.ok_or_else(|| "no zone told its temperature".to_owned())
    }
}

impl Sensor for Thermal {
    fn begin(&mut self, _pid: u32) {
        self.zones.iter_mut().for_each(|zone| zone.gauge.begin());
    }

    fn sample(&mut self, at: Duration) {
        for zone in &mut self.zones {
            zone.gauge.take(at, scaled(&self.root, &zone.path, 1e-3));
        }
    }

    fn finish(&mut self) -> Vec<Reading> {
        let readings = |zone: &Zone| {
            let course = zone.gauge.course();
            [
                ABOUT.reading(
                    format!("{}_start_celsius", zone.name),
                    course.clone().map(|c| c.first),
                ),
                ABOUT.reading(format!("{}_max_celsius", zone.name), course.map(|c| c.most)),
            ]
        };
        self.zones.iter().flat_map(readings).collect()
    }

    fn health(&mut self) -> Health {
        let mut failed = "no zone answers".to_owned();
        let mut answer = Vec::new();
        for zone in &self.zones {
            match scaled(&self.root, &zone.path, 1e-3) {
                Ok(degrees) => {
                    let name = zone.name.trim_start_matches("thermal_");
                    answer.push(format!("{name} {degrees:.0} °C"));
                }
                Err(reason) => failed = reason,
            }
        }
        match answer.is_empty() {
            true => Health { status: Err(Missing::new(failed, None)), provides: vec![] },
            false => {
                Health { status: Ok(answer.join(", ")), provides: vec![Quantity::Temperature] }
            }
        }
    }
}
