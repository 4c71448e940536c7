//! `yardstick devices`: what can be measured here, and what would have to change for the rest.

use std::io::Write;

use anyhow::Result;
use serde::Serialize;
use yardstick_api::{DeviceClass, DeviceStatus};
use yardstick_measure::runner;
use yardstick_measure::suite::Deadlines;

use crate::args::Devices;
use crate::paths::Paths;
use crate::registry::Wanted;
use crate::verbs::DONE;
use crate::{interrupt, registry};

#[derive(Serialize)]
struct Listing<'a> {
    backend: &'a str,
    devices: &'a [DeviceStatus],
}

/// Lists every backend's devices, asked in a worker: a driver that crashes is a line, not our end.
pub(crate) fn run(paths: Option<&Paths>, args: &Devices) -> Result<u8> {
    let cache = paths.map(|paths| paths.cache.as_path());
    let workers = registry::workers(&args.programs, cache, Wanted::Everything)?;
    let cancel = interrupt::flag()?;
    let inventory = runner::inventory(&workers.list, &Deadlines::default(), &cancel)?;
    let mut out = std::io::stdout().lock();
    if args.json {
        let backends = inventory.backends.iter();
        let listings: Vec<Listing<'_>> = backends
            .map(|found| Listing { backend: &found.backend, devices: &found.devices })
            .collect();
        serde_json::to_writer_pretty(&mut out, &listings)?;
        writeln!(out)?;
        return Ok(DONE);
    }
    for status in inventory.statuses() {
        writeln!(out, "{}", line(status))?;
    }
    Ok(DONE)
}

fn line(status: &DeviceStatus) -> String {
    match status {
        DeviceStatus::Ready(device) => {
            let class = match device.class {
                DeviceClass::Hardware => "",
                DeviceClass::Software => "  software: answers count, speed is not ranked",
                DeviceClass::Emulated => "  emulated: answers count, times mean nothing",
            };
            let best = if device.preferred { "  (best of its backend)" } else { "" };
            format!("{:<20} ready    {}{best}{class}", device.id, device.name)
        }
        DeviceStatus::Missing { id, reason, fix } => {
            let fix = fix.as_ref().map(|fix| format!("; fix: {fix}")).unwrap_or_default();
            format!("{id:<20} missing  {reason}{fix}")
        }
    }
}
