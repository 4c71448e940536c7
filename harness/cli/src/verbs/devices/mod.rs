//! `yardstick devices`: the doctor. What can be measured here, and what would have to change for the rest.

mod ceilings;
mod page;
mod sheet;

use std::io::Write;

use anyhow::{Result, bail};
use serde::Serialize;
use yardstick_api::DeviceStatus;
use yardstick_measure::plan::Inventory;
use yardstick_measure::runner;
use yardstick_measure::suite::Deadlines;
use yardstick_probes::{Checkup, ClockCheck, Diagnosis, Gap, Root, checkup, clock_check};

use self::page::Section;
use self::sheet::{Key, Sheet};
use crate::args::Devices;
use crate::paths::Paths;
use crate::registry::Wanted;
use crate::verbs::DONE;
use crate::{console, interrupt, output, registry, tool};

/// All of it as JSON: field names that stay.
#[derive(Serialize)]
struct Doctor<'a> {
    /// Every backend's devices.
    devices: Vec<Listing<'a>>,
    /// Every meter.
    sensors: &'a [Diagnosis],
    /// The limits measured on this machine, where they were.
    #[serde(skip_serializing_if = "Option::is_none")]
    ceilings: Option<&'a serde_json::Value>,
    /// The self-test of the clock that samples are timed with.
    clock: Clock,
    /// What no meter of this machine tells.
    cannot_measure: &'a [Gap],
}

/// What the clock's self-test found.
#[derive(Serialize)]
struct Clock {
    #[serde(flatten)]
    found: ClockCheck,
    /// Why it cannot be measured with, if so.
    flaw: Option<String>,
}

#[derive(Serialize)]
struct Listing<'a> {
    backend: &'a str,
    /// `this program`, `build LABEL` or `worker NAME`.
    program: String,
    devices: &'a [DeviceStatus],
}

/// The section of ceilings, for people and for programs.
pub(crate) struct Ceilings {
    pub(crate) section: Section,
    pub(crate) json: serde_json::Value,
}

/// Lists devices, sensors and what is missing. Devices are asked in a worker: a driver that crashes is a line, not our end.
pub(crate) fn run(paths: Option<&Paths>, args: &Devices) -> Result<u8> {
    let cache = paths.map(|paths| paths.cache.as_path());
    let workers = registry::workers(&args.programs, cache, Wanted::Everything)?;
    let cancel = interrupt::flag()?;
    let inventory = runner::inventory(&workers.list, &Deadlines::default(), &cancel)?;
    let (sheets, code) = match (paths, args.ceilings) {
        (None, true) => bail!("--ceilings keeps records: name a folder with --data-dir"),
        (Some(paths), true) => ceilings::measure(paths, args, &inventory, &workers.list, &cancel)?,
        (Some(paths), false) => (kept(paths, &inventory), DONE),
        (None, false) => (Vec::new(), DONE),
    };
    let ceilings = match sheets.is_empty() {
        true => None,
        false => {
            let json = serde_json::to_value(&sheets)?;
            Some(Ceilings { section: sheet::section(&sheets), json })
        }
    };
    show(&inventory, &checkup(&Root::default()), ceilings.as_ref(), args.json)?;
    if ceilings.is_none() && !args.json {
        console::tell("ceilings: not measured with this program yet; yardstick devices --ceilings");
    }
    Ok(code)
}

/// The fact sheets that hold for the devices found.
fn kept(paths: &Paths, inventory: &Inventory) -> Vec<Sheet> {
    let options = yardstick_probes::EnvironmentOptions::default();
    let (tool, environment) = (tool::tool(), yardstick_probes::environment(&options));
    let statuses = inventory.backends.iter().flat_map(|found| &found.devices);
    statuses
        .filter_map(|status| match status {
            DeviceStatus::Ready(device) => {
                let key = Key::new(&device.id, &device.name, &tool, &environment);
                Sheet::read(&paths.cache, &key)
            }
            DeviceStatus::Missing { .. } => None,
        })
        .collect()
}

/// Prints what was found. Without ceilings their section is left out.
pub(crate) fn show(
    inventory: &Inventory,
    checkup: &Checkup,
    ceilings: Option<&Ceilings>,
    json: bool,
) -> Result<()> {
    if !json {
        let sections = page::sections(inventory, checkup, ceilings.map(|c| &c.section));
        return Ok(console::say(page::text(&sections, output::width()))?);
    }
    let backends = inventory.backends.iter();
    let doctor = Doctor {
        devices: backends
            .map(|found| Listing {
                backend: &found.backend,
                program: found.role.title(),
                devices: &found.devices,
            })
            .collect(),
        sensors: &checkup.sensors,
        ceilings: ceilings.map(|ceilings| &ceilings.json),
        clock: Clock { found: clock_check().clone(), flaw: clock_check().flaw() },
        cannot_measure: &checkup.gaps,
    };
    let mut out = std::io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, &doctor)?;
    Ok(writeln!(out)?)
}
