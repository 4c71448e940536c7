//! The devices of every backend, listed by workers: a driver that crashes takes a worker with it, not the program, and a
//! worker that does not start is a missing device, not the end of the run. What another program says of itself is checked
//! before it is printed or used as a name.

use std::sync::atomic::AtomicBool;

use yardstick_api::{Device, DeviceClass, DeviceStatus};
use yardstick_record::Phase;

use super::{RunError, Worker};
use crate::child::{CallError, Child};
use crate::plan::{Found, Inventory, Role};
use crate::protocol::{Answer, Call};
use crate::suite::Deadlines;

/// Backends of one worker.
const MOST_BACKENDS: usize = 64;
/// Devices of one backend.
const MOST_DEVICES: usize = 1024;
/// Characters of a name.
const LONGEST_NAME: usize = 64;
/// Characters of a device id after its backend.
const LONGEST_ID: usize = 128;

/// Asks every worker for every backend's devices. A backend that crashes or hangs while listing them, and a worker that
/// cannot be asked, is listed as missing; only this program must start. Two workers with one device are an error.
pub fn inventory(
    workers: &[Worker],
    deadlines: &Deadlines,
    cancel: &AtomicBool,
) -> Result<Inventory, RunError> {
    let mut inventory = Inventory::default();
    for (index, worker) in workers.iter().enumerate() {
        let backends = match list_all(worker, deadlines, cancel) {
            Ok(backends) => backends,
            Err(CallError::Interrupted) => return Err(RunError::Interrupted),
            Err(error) if matches!(worker.role, Role::Own | Role::Oracle) => {
                return Err(worker_error(error));
            }
            Err(error) => lost(worker, worker_error(error).to_string(), &inventory),
        };
        for (backend, devices) in backends {
            let role = worker.role.clone();
            inventory.backends.push(Found { backend, devices, worker: index, role });
        }
    }
    claimed_once(&inventory)?;
    Ok(inventory)
}

type Backends = Vec<(String, Vec<DeviceStatus>)>;

fn list_all(
    worker: &Worker,
    deadlines: &Deadlines,
    cancel: &AtomicBool,
) -> Result<Backends, CallError> {
    let start = || Child::start(&worker.command, deadlines, cancel);
    let (first, hello) = start()?;
    let mut child = Some(first);
    if let Err(reason) = check_names(worker, &hello.backends) {
        return Err(CallError::refused(reason));
    }
    let mut backends = Vec::new();
    for name in hello.backends {
        let alive = match child.take() {
            Some(alive) => alive,
            None => start()?.0,
        };
        let (statuses, alive) = list(alive, &name, cancel)?;
        backends.push((name, statuses));
        child = alive;
    }
    if let Some(child) = child {
        child.stop();
    }
    Ok(backends)
}

/// Names become parts of ids, selectors and lines on a terminal.
fn check_names(worker: &Worker, backends: &[String]) -> Result<(), String> {
    if backends.len() > MOST_BACKENDS {
        return Err(format!(
            "names {} backends, at most {MOST_BACKENDS} are taken",
            backends.len()
        ));
    }
    if let Some(bad) = backends.iter().find(|name| !is_name(name)) {
        let shown: String = bad.escape_default().take(LONGEST_NAME).collect();
        return Err(format!(
            "names a backend {shown:?}; letters, digits, '.', '_' and '-' are taken"
        ));
    }
    match &worker.role {
        Role::External(name) if !backends.contains(name) => {
            let found = backends.join(", ");
            Err(format!(
                "has the backends [{found}], none is {name}; name the worker after its backend"
            ))
        }
        _ => Ok(()),
    }
}

fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    !name.is_empty() && name.len() <= LONGEST_NAME && name.chars().all(plain)
}

fn list(
    mut child: Child,
    name: &str,
    cancel: &AtomicBool,
) -> Result<(Vec<DeviceStatus>, Option<Child>), CallError> {
    let call = Call::Devices { backend: name.to_owned() };
    match child.call(call, Phase::Devices, cancel, &mut |_| {}) {
        Ok(Answer::Devices { devices }) => {
            let devices = check_devices(name, devices)
                .unwrap_or_else(|reason| vec![missing(name, reason, None)]);
            Ok((devices, Some(child)))
        }
        Ok(_) => Ok((vec![missing(name, "answered another question".to_owned(), None)], None)),
        Err(CallError::Fault { message, fix, .. }) => {
            Ok((vec![missing(name, message, fix)], Some(child)))
        }
        Err(CallError::Lost(loss)) => Ok((vec![missing(name, loss.message, None)], None)),
        Err(CallError::Interrupted) => Err(CallError::Interrupted),
    }
}

fn missing(id: &str, reason: String, fix: Option<String>) -> DeviceStatus {
    DeviceStatus::Missing { id: id.to_owned(), reason, fix }
}

/// Devices as listed, their words made fit for a terminal.
fn check_devices(backend: &str, devices: Vec<DeviceStatus>) -> Result<Vec<DeviceStatus>, String> {
    if devices.len() > MOST_DEVICES {
        return Err(format!("lists {} devices, at most {MOST_DEVICES} are taken", devices.len()));
    }
    for (index, status) in devices.iter().enumerate() {
        let id = status.id();
        let what = id.strip_prefix(backend).and_then(|rest| rest.strip_prefix(':'));
        let plain = |c: char| c.is_ascii_graphic() && c != ',';
        let shown: String = id.escape_default().take(LONGEST_ID).collect();
        // A backend without devices may list itself as missing.
        let itself = id == backend && matches!(status, DeviceStatus::Missing { .. });
        match what {
            _ if itself => {}
            None => return Err(format!("lists {shown}, which is not its own")),
            Some(what)
                if what.is_empty() || what.len() > LONGEST_ID || !what.chars().all(plain) =>
            {
                return Err(format!("lists {shown:?}, which is no device's id"));
            }
            Some(_) => {}
        }
        if devices[..index].iter().any(|other| other.id() == id) {
            return Err(format!("lists {shown} twice"));
        }
    }
    Ok(devices.into_iter().map(printable).collect())
}

fn printable(status: DeviceStatus) -> DeviceStatus {
    let clean = |text: String| crate::child::escape(&text);
    match status {
        DeviceStatus::Ready(device) => {
            DeviceStatus::Ready(Device { name: clean(device.name), ..device })
        }
        DeviceStatus::Missing { id, reason, fix } => {
            DeviceStatus::Missing { id, reason: clean(reason), fix: fix.map(clean) }
        }
    }
}

/// A worker that cannot be asked, as missing backends: a program of another kind under its name, a build under the names of
/// this program's backends that have hardware.
fn lost(worker: &Worker, reason: String, so_far: &Inventory) -> Backends {
    let gone = |name: &str| {
        let reason = format!("{}: {reason}", worker.role.title());
        (name.to_owned(), vec![missing(name, reason, worker.fix.clone())])
    };
    let Role::Build(_) = worker.role else {
        let name = match &worker.role {
            Role::External(name) => name.as_str(),
            _ => "worker",
        };
        return vec![gone(name)];
    };
    let is_hardware = |status: &DeviceStatus| matches!(status, DeviceStatus::Ready(device) if device.class == DeviceClass::Hardware);
    let own = so_far.backends.iter().filter(|found| found.worker == 0);
    let mut names: Vec<&str> = own
        .clone()
        .filter(|found| found.devices.iter().any(is_hardware))
        .map(|found| found.backend.as_str())
        .collect();
    if names.is_empty() {
        names = own.map(|found| found.backend.as_str()).collect();
    }
    names.into_iter().map(gone).collect()
}

/// A selector must mean one thing. Builds share their ids on purpose.
fn claimed_once(inventory: &Inventory) -> Result<(), RunError> {
    let shared = |found: &&Found| found.role.build().is_none();
    let all: Vec<&Found> = inventory.backends.iter().filter(shared).collect();
    for (index, found) in all.iter().enumerate() {
        let Some(other) = all[..index].iter().find(|other| other.backend == found.backend) else {
            continue;
        };
        let id = |status: &&DeviceStatus| other.devices.iter().any(|o| o.id() == status.id());
        let what = match found.devices.iter().find(id) {
            Some(status) => format!("device {}", status.id()),
            None => format!("backend {}", found.backend),
        };
        let (first, second) = (other.role.title(), found.role.title());
        return Err(RunError::Claimed { what, first, second });
    }
    Ok(())
}

pub(super) fn worker_error(error: CallError) -> RunError {
    match error {
        CallError::Fault { message, .. } => RunError::Worker(message),
        CallError::Lost(loss) => RunError::Worker(loss.message),
        CallError::Interrupted => RunError::Interrupted,
    }
}
