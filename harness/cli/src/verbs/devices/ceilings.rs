//! `yardstick devices --ceilings`: measures what devices reach at every limit, stores it as records, and keeps the newest as a
//! fact sheet for the doctor's page.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result, bail};
use yardstick_api::{Device, DeviceClass, DeviceStatus};
use yardstick_measure::plan::{Inventory, Role};
use yardstick_measure::runner::{self, CeilingsRequest, Event, Sink, Worker};
use yardstick_measure::suite::{Deadlines, parse_automatic};
use yardstick_record::{Cell, Outcome, Record, RunInfo};
use yardstick_store::Store;

use super::sheet::Sheet;
use crate::args::Devices;
use crate::paths::Paths;
use crate::progress::Progress;
use crate::verbs::{DONE, FAILED, INTERRUPTED};
use crate::{console, tool};

/// Measures, and returns the sheets of what was measured with the exit code.
pub(super) fn measure(
    paths: &Paths,
    args: &Devices,
    inventory: &Inventory,
    workers: &[Worker],
    cancel: &Arc<AtomicBool>,
) -> Result<(Vec<Sheet>, u8)> {
    let devices = chosen(inventory, &args.device)?;
    let threads = threads(args.threads.as_deref())?;
    if let Some(folder) = paths.store.parent() {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot create the store's folder {}", folder.display()))?;
    }
    let mut store = Store::open(&paths.store)?;
    let info = RunInfo {
        id: tool::run_id(),
        started: tool::now(),
        suite: "ceilings".to_owned(),
        command: std::env::args_os().skip(1).map(|w| w.to_string_lossy().into_owned()).collect(),
        seed: 0,
    };
    store.begin_run(&info, "{}")?;
    let cells = devices.len() * threads.len() * runner::limits().len() * args.launches as usize;
    let mut screen = Screen { store, progress: Progress::new(), done: 0, cells, kept: Vec::new() };
    let mut whole = true;
    for (device, worker) in &devices {
        whole =
            whole && run(device, &workers[*worker], &threads, (args, &info, cancel), &mut screen)?;
    }
    screen.progress.clear();
    let Screen { mut store, kept, .. } = screen;
    if whole {
        store.finish_run(&info.id, &tool::now())?;
    }
    let mut sheets = Vec::new();
    for (device, _) in &devices {
        let own: Vec<&Record> = kept.iter().filter(|r| r.cell.device == device.id).collect();
        let sheet = Sheet::of(&own);
        if let Some(sheet) = sheet {
            sheet.write(&paths.cache)?;
            sheets.push(sheet);
        }
    }
    let bad = |r: &Record| matches!(r.outcome, Outcome::Failed { .. } | Outcome::Invalid { .. });
    let code = match (whole, kept.iter().any(bad)) {
        (false, _) => INTERRUPTED,
        (true, true) => FAILED,
        (true, false) => DONE,
    };
    Ok((sheets, code))
}

fn run(
    device: &Device,
    worker: &Worker,
    threads: &[Option<usize>],
    (args, info, cancel): (&Devices, &RunInfo, &Arc<AtomicBool>),
    screen: &mut Screen,
) -> Result<bool> {
    let request = CeilingsRequest {
        worker: &worker.command,
        device,
        threads,
        limits: &runner::limits(),
        launches: args.launches,
        deadlines: &Deadlines::default(),
        info,
        tool: &tool::tool(),
        environment: &|| {
            yardstick_probes::environment(&yardstick_probes::EnvironmentOptions::default())
        },
        probes: &yardstick_probes::all,
        rerun: &line,
        cancel,
    };
    Ok(runner::ceilings(&request, screen)?)
}

/// A command line that measures a limit again, with the device's others.
fn line(cell: &Cell) -> String {
    let threads = cell.options.threads.map(|n| format!(" --threads {n}")).unwrap_or_default();
    format!("yardstick devices --ceilings --device {}{threads}", cell.device)
}

/// The devices named, or the best hardware device of each backend, with their workers.
fn chosen(inventory: &Inventory, named: &[String]) -> Result<Vec<(Device, usize)>> {
    let found = inventory.backends.iter().filter(|found| found.role != Role::Oracle);
    let ready: Vec<(Device, usize)> = found
        .flat_map(|found| found.devices.iter().map(|status| (status, found.worker)))
        .filter_map(|(status, worker)| match status {
            DeviceStatus::Ready(device) => Some((device.clone(), worker)),
            DeviceStatus::Missing { .. } => None,
        })
        .collect();
    if named.is_empty() {
        let best = |(device, _): &(Device, usize)| {
            device.preferred && device.class == DeviceClass::Hardware
        };
        return Ok(ready.into_iter().filter(best).collect());
    }
    let mut devices = Vec::new();
    for name in named {
        let is =
            |device: &Device| device.id == *name || (device.backend() == name && device.preferred);
        match ready.iter().find(|(device, _)| is(device)) {
            Some(found) => devices.push(found.clone()),
            None => {
                let ids: Vec<&str> = ready.iter().map(|(device, _)| device.id.as_str()).collect();
                bail!("--device: no device {name:?} is ready here; there are {}", ids.join(", "));
            }
        }
    }
    Ok(devices)
}

/// The numbers asked for, or one thread and all of them.
fn threads(list: Option<&str>) -> Result<Vec<Option<usize>>> {
    let usable = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    match list {
        Some(list) => parse_automatic(list).with_context(|| format!("--threads {list:?}")),
        None => Ok(BTreeSet::from([1, usable]).into_iter().map(Some).collect()),
    }
}

/// Stores records as they come and says what is under way.
struct Screen {
    store: Store,
    progress: Progress,
    done: usize,
    cells: usize,
    kept: Vec<Record>,
}

impl Sink for Screen {
    fn record(&mut self, record: Record) -> Result<(), String> {
        self.done += 1;
        if let Outcome::Failed { message, .. } | Outcome::Invalid { reason: message } =
            &record.outcome
        {
            self.progress.line(&console::harmless(&format!("{}: {message}", record.cell.test)));
        }
        self.store.append(&record).map_err(|error| error.to_string())?;
        self.kept.push(record);
        Ok(())
    }

    fn event(&mut self, event: Event<'_>) {
        if let Event::Phase { test: Some(test), .. } = event {
            self.progress.begin(format!("[{}/{}] {test}", self.done + 1, self.cells));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_are_one_and_all_unless_listed() {
        assert_eq!(threads(Some("2,1")).unwrap(), [Some(2), Some(1)]);
        assert!(threads(Some("x")).unwrap_err().to_string().contains("--threads"));
        let all = threads(None).unwrap();
        assert_eq!(all[0], Some(1));
        assert!(all.len() <= 2);
    }
}
