//! `yardstick devices`: what can be measured here, and what would have to change for the rest.

use std::io::Write;

use anyhow::Result;
use serde::Serialize;
use yardstick_api::{DeviceClass, DeviceStatus};

use crate::args::Devices;
use crate::registry;
use crate::verbs::DONE;

#[derive(Serialize)]
struct Listing<'a> {
    backend: &'a str,
    devices: Vec<DeviceStatus>,
}

/// Lists every backend's devices.
pub(crate) fn run(args: &Devices) -> Result<u8> {
    let backends = registry::backends(args.test_doubles);
    let listings: Vec<Listing<'_>> = backends
        .iter()
        .map(|backend| Listing { backend: backend.name(), devices: backend.devices() })
        .collect();
    let mut out = std::io::stdout().lock();
    if args.json {
        serde_json::to_writer_pretty(&mut out, &listings)?;
        writeln!(out)?;
        return Ok(DONE);
    }
    for status in listings.iter().flat_map(|listing| &listing.devices) {
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
