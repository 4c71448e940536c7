//! The devices of every backend, listed by a worker: a driver that crashes takes a worker with it, not the program.

use std::sync::atomic::AtomicBool;

use yardstick_api::DeviceStatus;
use yardstick_record::Phase;

use super::{RunError, WorkerCommand};
use crate::child::{CallError, Child};
use crate::plan::Inventory;
use crate::protocol::{Answer, Call};
use crate::suite::Deadlines;

/// Asks a worker for every backend's devices. A backend that crashes or hangs while listing them is listed as missing.
pub fn inventory(
    worker: &WorkerCommand,
    deadlines: &Deadlines,
    cancel: &AtomicBool,
) -> Result<Inventory, RunError> {
    let (first, backends) = Child::start(worker, deadlines, cancel).map_err(worker_error)?;
    let mut child = Some(first);
    let mut inventory = Inventory::default();
    for name in backends {
        let alive = match child.take() {
            Some(alive) => alive,
            None => Child::start(worker, deadlines, cancel).map_err(worker_error)?.0,
        };
        let (statuses, alive) = list(alive, &name, cancel)?;
        inventory.backends.push((name, statuses));
        child = alive;
    }
    if let Some(child) = child {
        child.stop();
    }
    Ok(inventory)
}

fn list(
    mut child: Child,
    name: &str,
    cancel: &AtomicBool,
) -> Result<(Vec<DeviceStatus>, Option<Child>), RunError> {
    let call = Call::Devices { backend: name.to_owned() };
    let missing =
        |reason: String| vec![DeviceStatus::Missing { id: name.to_owned(), reason, fix: None }];
    match child.call(call, Phase::Devices, cancel, &mut |_| {}) {
        Ok(Answer::Devices { devices }) => {
            let (own, foreign): (Vec<_>, Vec<_>) =
                devices.into_iter().partition(|d| is_of(d, name));
            match foreign.first() {
                None => Ok((own, Some(child))),
                Some(device) => {
                    let reason = format!("lists {}, which is not its own", device.id());
                    Ok((missing(reason), Some(child)))
                }
            }
        }
        Ok(_) => Ok((missing("answered another question".to_owned()), None)),
        Err(CallError::Fault { message, .. }) => Ok((missing(message), Some(child))),
        Err(CallError::Lost(loss)) => Ok((missing(loss.message), None)),
        Err(CallError::Interrupted) => Err(RunError::Interrupted),
    }
}

fn is_of(status: &DeviceStatus, backend: &str) -> bool {
    status.id().split(':').next() == Some(backend)
}

pub(super) fn worker_error(error: CallError) -> RunError {
    match error {
        CallError::Fault { message, .. } => RunError::Worker(message),
        CallError::Lost(loss) => RunError::Worker(loss.message),
        CallError::Interrupted => RunError::Interrupted,
    }
}
