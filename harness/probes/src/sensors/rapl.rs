//! RAPL: energy counters of x86 processors, as the kernel's powercap shows them. AMD's are found under the same name.
//!
//! Zones are `intel-rapl:N` (a package, or psys: the whole platform) and `intel-rapl:N:M` (core, uncore, dram inside a
//! package). Core and dram of one package may be added where both exist; psys contains the package. The hardware updates
//! about every millisecond, in steps of 15 to 61 µJ, and wraps after 65 to 262 kJ.

use std::time::Duration;

use yardstick_record::{Direction, Reading};

use super::counter::{Counter, Kind};
use super::sensor::{About, Entry, Health, Missing, Quantity, Sensor, is_virtual, unique, word};
use crate::Root;

pub(super) const ENTRY: Entry = Entry {
    name: "rapl",
    measures: "energy of processor packages, their cores and memory",
    could: &[Quantity::ProcessorEnergy, Quantity::MachinePower],
    absent: (
        "rapl_package_0_joules",
        About { unit: "J", source: SOURCE, scope: "package", better: LESS },
    ),
    open: |root| Ok(Box::new(Rapl::open(root)?)),
};

const FOLDER: &str = "/sys/class/powercap";
const SOURCE: &str = "powercap energy_uj, updated about every ms";
const LESS: Option<Direction> = Some(Direction::Lower);
const PERMISSION: &str = "sudo chmod a+r /sys/class/powercap/*/energy_uj (until the next boot)";

/// Scope by the start of a zone's name, and the watts no such zone can draw.
const SCOPES: &[(&str, f64)] = &[
    ("package", 2000.0),
    ("psys", 4000.0),
    ("core", 2000.0),
    ("uncore", 1000.0),
    ("dram", 1000.0),
];
/// Of zones with any other name.
const MOST_WATTS: f64 = 4000.0;

/// See the file's head.
struct Rapl {
    root: Root,
    zones: Vec<Zone>,
}

struct Zone {
    /// Folder below [`FOLDER`].
    folder: String,
    /// `package_0`, `package_0_dram`.
    name: String,
    scope: String,
    counter: Counter,
    /// Why `energy_uj` may not be read.
    denied: Option<Missing>,
}

impl Rapl {
    fn open(root: &Root) -> Result<Rapl, Missing> {
        let listed = root.list(FOLDER).map_err(|reason| absent(root, reason))?;
        let zones = zones(root, &listed, "intel-rapl:");
        // The memory-mapped registers show the same packages again: only where the others are missing.
        let zones =
            if zones.is_empty() { self::zones(root, &listed, "intel-rapl-mmio:") } else { zones };
        if !zones.is_empty() {
            return Ok(Rapl { root: root.clone(), zones });
        }
        match listed.iter().any(|name| name.starts_with("intel-rapl")) {
            true => Err(Missing::new(
                format!("{FOLDER} lists zones that are not there: a container hides them"),
                Some(
                    "docker run --security-opt systempaths=unconfined ..., or measure outside the container",
                ),
            )),
            false => Err(absent(root, format!("{FOLDER} lists no RAPL zone"))),
        }
    }
}

fn absent(root: &Root, reason: String) -> Missing {
    if is_virtual(root) {
        let reason = format!("{reason}: hypervisors pass no RAPL to a virtual machine");
        return Missing::new(
            reason,
            Some("measure on the host, or on a machine that is not virtual"),
        );
    }
    let linux = cfg!(any(target_os = "linux", target_os = "android"));
    let x86 = cfg!(any(target_arch = "x86_64", target_arch = "x86"));
    Missing::new(reason, (linux && x86).then_some("sudo modprobe intel_rapl_msr"))
}

fn zones(root: &Root, listed: &[String], prefix: &str) -> Vec<Zone> {
    let mut zones: Vec<Zone> = Vec::new();
    let mut taken = Vec::new();
    for folder in listed.iter().filter(|folder| folder.starts_with(prefix)) {
        let Ok(own) = root.line(&format!("{FOLDER}/{folder}/name")) else { continue };
        // `intel-rapl:0:2` is a part of `intel-rapl:0`, which is listed before it.
        let parent = folder
            .rsplit_once(':')
            .and_then(|(parent, _)| zones.iter().find(|z| z.folder == parent));
        let name = match parent {
            Some(parent) => format!("{}_{}", parent.name, word(&own)),
            None => word(&own),
        };
        let name = unique(name, &taken);
        taken.push(name.clone());
        zones.push(zone(root, folder, name, &own));
    }
    zones
}

fn zone(root: &Root, folder: &str, name: String, own: &str) -> Zone {
    let known = SCOPES.iter().find(|(start, _)| own.starts_with(start));
    let energy = format!("{FOLDER}/{folder}/energy_uj");
    let range = root.number(&format!("{FOLDER}/{folder}/max_energy_range_uj"));
    let kind = Kind {
        joules: 1e-6,
        range: range.and_then(|range| match range {
            0 => Err("max_energy_range_uj is 0".to_owned()),
            range => Ok(range),
        }),
        most_watts: known.map_or(MOST_WATTS, |(_, watts)| *watts),
        update: Duration::from_millis(1),
    };
    let denied = root
        .denies(&energy)
        .then(|| Missing::new(format!("{energy} may be read by root only"), Some(PERMISSION)));
    let scope = known.map_or_else(|| word(own), |(start, _)| (*start).to_owned());
    Zone { folder: folder.to_owned(), name, scope, counter: Counter::new(kind), denied }
}

impl Sensor for Rapl {
    fn begin(&mut self, _pid: u32) {
        for zone in &mut self.zones {
            zone.counter.begin();
            let energy = format!("{FOLDER}/{}/energy_uj", zone.folder);
            // Somebody may have followed the advice since.
            if !self.root.denies(&energy) {
                zone.denied = None;
            }
        }
    }

    fn sample(&mut self, at: Duration) {
        for zone in self.zones.iter_mut().filter(|zone| zone.denied.is_none()) {
            let energy = format!("{FOLDER}/{}/energy_uj", zone.folder);
            zone.counter.take(at, self.root.number(&energy));
        }
    }

    fn finish(&mut self) -> Vec<Reading> {
        self.zones.iter().flat_map(Zone::readings).collect()
    }

    fn health(&mut self) -> Health {
        let (mut answer, mut silent) = (Vec::new(), None);
        let mut provides = Vec::new();
        for zone in &self.zones {
            let read = self.root.number(&format!("{FOLDER}/{}/energy_uj", zone.folder));
            match (&zone.denied, read) {
                (Some(denied), _) => silent = Some(denied.clone()),
                (None, Err(reason)) => silent = Some(Missing::new(reason, None)),
                (None, Ok(_)) => {
                    answer.push(zone.name.as_str());
                    match zone.scope.as_str() {
                        "package" => provides.push(Quantity::ProcessorEnergy),
                        "psys" => provides.push(Quantity::MachinePower),
                        _ => {}
                    }
                }
            }
        }
        let status = match (answer.is_empty(), silent) {
            (true, silent) => Err(silent.unwrap_or_else(|| Missing::new("no zone answers", None))),
            (false, None) => Ok(answer.join(", ")),
            (false, Some(silent)) => {
                Ok(format!("{}; not all: {}", answer.join(", "), silent.words()))
            }
        };
        Health { status, provides }
    }
}

impl Zone {
    fn readings(&self) -> Vec<Reading> {
        let energy = match &self.denied {
            Some(denied) => Err(denied.words()),
            None => self
                .counter
                .energy()
                .map_err(|reason| format!("{FOLDER}/{}/energy_uj: {reason}", self.folder)),
        };
        let about = |unit| About { unit, source: SOURCE, scope: &self.scope, better: LESS };
        vec![
            about("J").observed(
                format!("rapl_{}_joules", self.name),
                energy.clone().map(|e| e.in_joules()),
            ),
            about("W").observed(format!("rapl_{}_watts", self.name), energy.map(|e| e.in_watts())),
        ]
    }
}

// Zones have colons in their names, which only Unix files may have.
#[cfg(test)]
#[cfg(unix)]
mod tests;
