//! Loads the cells, measures them by turns and their roofs before, between and after.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, bail, ensure};
use yardstick_analyse::profile::{Counted, Profiled, Roofs};
use yardstick_api::{Backend, Device, DeviceStatus, Facts, Known, Options, host};
use yardstick_measure::profiling::{
    Asked, At, Member, Moment, measure_read, measure_roofs, open, pass_bytes, take_turns,
};
use yardstick_measure::timed::ProfiledPass;
use yardstick_model::Model;

use super::cell::Cell;
use super::tallies::Tallies;
use crate::paths::Paths;
use crate::{console, models, registry};

/// A cell as it was measured.
pub(super) struct Measured {
    pub(super) profiled: Profiled,
    /// Passes of the last profiled repetition.
    pub(super) last: Vec<ProfiledPass>,
    /// The device told its operations once.
    pub(super) told_once: bool,
}

/// Share of the free memory that sessions may take.
const SAFE: f64 = 0.9;

/// Everything a cell needs.
struct Ready<'b> {
    cell: &'b Cell,
    label: String,
    backend: &'b dyn Backend,
    device: Device,
    model: Arc<Model>,
    options: Options,
}

/// Measures all cells over so many rounds; fewer where it is interrupted.
pub(super) fn measure(
    paths: &Paths,
    cells: &[Cell],
    rounds: usize,
    cancel: &AtomicBool,
) -> Result<Vec<Measured>> {
    let given = registry::Given {
        cache: Some(paths.cache.clone()),
        runtime: None,
        packages: Vec::new(),
        test_doubles: false,
    };
    let backends = registry::backends(&given);
    let mut files: BTreeMap<PathBuf, Arc<Model>> = BTreeMap::new();
    let mut ready = Vec::new();
    for cell in cells {
        let path = models::path(paths, &cell.model)?;
        if !files.contains_key(&path) {
            files.insert(path.clone(), Arc::new(Model::open(&path)?));
        }
        let model = files.get(&path).cloned().context("the model was just opened")?;
        ready.push(prepare(cell, cell.label(cells), &backends, model)?);
    }
    fits(&ready)?;
    // Before the sessions' threads start: those that are there already are not counted.
    let mut tallies = Tallies::open(ready.len());
    let mut members = Vec::new();
    for one in &ready {
        members.push(load(one)?);
    }
    turns(&ready, &mut members, rounds, &mut tallies, cancel)
}

fn prepare<'b>(
    cell: &'b Cell,
    label: String,
    backends: &'b [Box<dyn Backend>],
    model: Arc<Model>,
) -> Result<Ready<'b>> {
    let own = cell.device.split(':').next();
    let backend = backends.iter().find(|backend| Some(backend.name()) == own);
    let backend = backend.with_context(|| format!("no backend {}", cell.device))?.as_ref();
    let device = device(backend.devices(), &cell.device)?;
    let options = Options {
        threads: cell.threads,
        kv: cell.kv,
        context: Some(cell.test.positions()),
        ..Options::default()
    };
    Ok(Ready { cell, label, backend, device, model, options })
}

/// A device by id, or the preferred one of a backend.
pub(crate) fn device(devices: Vec<DeviceStatus>, name: &str) -> Result<Device> {
    for status in devices {
        match status {
            DeviceStatus::Ready(device) if device.id == name => return Ok(device),
            DeviceStatus::Ready(device) if device.preferred && !name.contains(':') => {
                return Ok(device);
            }
            DeviceStatus::Missing { id, reason, .. } if id == name => bail!("{id}: {reason}"),
            _ => {}
        }
    }
    bail!("no device {name}: yardstick devices lists them")
}

/// Two sessions a cell are resident at once: what is not of the mapped file counts for both.
fn fits(ready: &[Ready<'_>]) -> Result<()> {
    let mut needed = 0_u64;
    for one in ready {
        let plan = one.backend.plan(&one.device, one.model.info(), &one.options);
        let plan = plan.with_context(|| format!("{} on {}", one.cell.model, one.device.id))?;
        needed = needed
            .saturating_add(plan.mapped_bytes)
            .saturating_add(plan.private().saturating_mul(2));
    }
    let Some(free) = host::available_memory().value().copied() else { return Ok(()) };
    ensure!(
        needed as f64 <= SAFE * free as f64,
        "the sessions, two a cell, need {} MiB; {:.0} % of the free {} MiB may be taken: use a smaller model or depth",
        needed >> 20,
        100.0 * SAFE,
        free >> 20
    );
    Ok(())
}

fn load(ready: &Ready<'_>) -> Result<Member> {
    let asked = Asked {
        backend: ready.backend,
        device: &ready.device,
        model: &ready.model,
        options: ready.options.clone(),
        test: ready.cell.test,
    };
    open(&asked).with_context(|| format!("{} on {}", ready.cell.model, ready.device.id))
}

fn turns(
    ready: &[Ready<'_>],
    members: &mut [Member],
    rounds: usize,
    tallies: &mut Tallies,
    cancel: &AtomicBool,
) -> Result<Vec<Measured>> {
    let facts: Vec<Facts> = members.iter().map(Member::facts).collect();
    let passes: Vec<usize> = members.iter().map(Member::passes).collect();
    let mut roofs: Vec<Option<Roofs>> = vec![None; ready.len()];
    let look = |roofs: &mut Vec<Option<Roofs>>, all: bool| {
        for ((one, facts), roofs) in ready.iter().zip(&facts).zip(roofs.iter_mut()) {
            let bytes = pass_bytes(facts, one.model.architecture(), one.cell.test);
            let test = one.cell.test;
            let at = At { backend: one.backend, device: &one.device, facts, bytes, test };
            *roofs = Some(match roofs.take() {
                Some(before) if !all => measure_read(&at, before),
                before => measure_roofs(&at, before.as_ref()),
            });
        }
    };
    console::tell(format!(
        "{} by turns, {rounds} rounds with and without the profile",
        if ready.len() == 1 { "1 cell".to_owned() } else { format!("{} cells", ready.len()) }
    ));
    let middle = rounds / 2;
    let taken = take_turns(members, rounds, &mut |moment| {
        match moment {
            Moment::Round(_) if cancel.load(Ordering::SeqCst) => return ControlFlow::Break(()),
            Moment::Round(round) => look(&mut roofs, round == middle),
            Moment::Begins(_) => tallies.begin(),
            Moment::Ends(member) => tallies.end(member),
        }
        ControlFlow::Continue(())
    });
    let names: Vec<&str> = ready.iter().map(|one| one.device.id.as_str()).collect();
    let taken = taken.with_context(|| {
        format!("{} (cpu, wgpu, cuda and ort time their operations)", names.join(", "))
    })?;
    if !cancel.load(Ordering::SeqCst) {
        look(&mut roofs, true);
    }
    let mut measured = Vec::new();
    let all = ready.iter().zip(facts).zip(passes).zip(roofs).zip(taken).enumerate();
    for (i, ((((one, facts), passes), roofs), taken)) in all {
        let counted = Counted::of(one.model.info(), one.cell.test, &one.options);
        let unknown = || Known::unavailable("interrupted before it was measured");
        let none = Roofs {
            read: unknown(),
            products: unknown(),
            attention: unknown(),
            barrier_ns: Known::unavailable("interrupted before it was measured"),
        };
        let profiled = Profiled {
            label: one.label.clone(),
            model: one.cell.model.clone(),
            device: facts.device.clone(),
            test: one.cell.test,
            threads: facts.threads.clone(),
            passes,
            rounds: taken.rounds,
            roofs: roofs.unwrap_or(none),
            counted: counted
                .map_or_else(|| Known::unavailable("only pp and tg are counted"), Known::Value),
            counters: tallies.counters(i, passes),
        };
        measured.push(Measured { profiled, last: taken.last, told_once: taken.told_once });
    }
    Ok(measured)
}

/// What is to be said of how it was measured.
pub(super) fn remarks(measured: &[Measured]) -> Vec<String> {
    let once = measured.iter().filter(|one| one.told_once);
    let mut remarks: Vec<String> = once
        .map(|one| {
            let name = &one.profiled.device;
            format!("{name} tells its operations once: those of one pass stand for every round.")
        })
        .collect();
    remarks.push("Nothing is stored. Times with the profile are not results.".to_owned());
    remarks
}
