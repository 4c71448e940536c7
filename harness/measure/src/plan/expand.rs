//! The expansion: devices × models × options × launches, each with its tests in shuffled order.

use yardstick_api::{Device, DeviceKind, Known, Options};
use yardstick_record::Test;

use super::schedule::{Group, schedule};
use super::{
    Catalogue, Error, Inventory, Overrides, Plan, Selected, Skipped, excepted, member, reference,
    resolve, select,
};
use crate::quality::Material;
use crate::suite::Suite;
use crate::workload::Workloads;

/// Worker processes in one run.
const MAX_LAUNCHES: usize = 100_000;
/// Cells in one run.
const MAX_CELLS: usize = 1_000_000;

/// Expands a suite. Everything unknown in it is an error here, before any measurement.
pub fn expand(
    suite: &Suite,
    overrides: &Overrides,
    inventory: &Inventory,
    catalogue: &Catalogue,
    seed: u64,
) -> Result<Plan, Error> {
    let written = suite;
    let suite = overrides.apply(written)?;
    let mut models = resolve(&suite.models, &suite.quantisations, catalogue)?;
    let measured = models.len();
    let devices = members(&suite, overrides, inventory)?;
    excepted::check(written, &suite, inventory, catalogue)?;
    if !suite.verify {
        allow_unverified(&devices)?;
    }
    let tests = distinct(&suite.tests);
    bound(&suite, devices.len(), models.len(), tests.len())?;
    let material = Material::read(&suite.quality, &tests)?;
    let workloads = Workloads::read(&suite.workload, &tests)?;
    let references = match tests.iter().any(|test| test.has_reference()) {
        true => reference::add(&mut models, suite.quality.reference.as_deref(), catalogue)?,
        false => Vec::new(),
    };
    let mut plan = Plan {
        suite: suite.name.clone(),
        analysis: suite.analysis.clone(),
        seed,
        models,
        launches: Vec::new(),
        skipped: Vec::new(),
        sampling: suite.sampling,
        deadlines: suite.deadlines.clone(),
        budgets: suite.budgets.clone(),
        verify: suite.verify,
        asked: suite.quality.clone(),
        material,
        asked_workload: suite.workload.clone(),
        workloads,
        references,
        exact: reference::exact(inventory),
    };
    let mut groups = Vec::new();
    for device in &devices {
        for model in 0..measured {
            for options in suite.options.combinations() {
                groups.extend(group(&suite, &mut plan, device, model, options, &tests));
            }
        }
    }
    schedule(&mut plan, groups, suite.launches, suite.paired);
    Ok(plan)
}

/// The devices selected, each once a build; twice where a run measures its own noise.
fn members(
    suite: &Suite,
    overrides: &Overrides,
    inventory: &Inventory,
) -> Result<Vec<Selected>, Error> {
    let mut selected = select(&suite.devices, inventory)?;
    if overrides.twins {
        selected =
            selected.iter().flat_map(|one| ["a", "b"].map(|twin| one.labelled(twin))).collect();
    }
    match selected.as_slice() {
        [only] if suite.paired => Err(Error::NothingToPair { found: name(only) }),
        _ => Ok(selected),
    }
}

fn name(selected: &Selected) -> String {
    match selected {
        Selected::Run { device, build, .. } => member(&device.id, build.as_deref()),
        Selected::Skip { id, build, .. } => member(id, build.as_deref()),
    }
}

/// Only a device that makes its answers up may go unverified.
fn allow_unverified(devices: &[Selected]) -> Result<(), Error> {
    for selected in devices {
        if let Selected::Run { device, .. } = selected
            && device.kind != DeviceKind::None
        {
            return Err(Error::Unverified { device: device.id.clone() });
        }
    }
    Ok(())
}

fn distinct(tests: &[Test]) -> Vec<Test> {
    let mut distinct: Vec<Test> = Vec::new();
    for test in tests {
        if !distinct.contains(test) {
            distinct.push(*test);
        }
    }
    distinct
}

fn bound(suite: &Suite, devices: usize, models: usize, tests: usize) -> Result<(), Error> {
    let launches = [devices, models, suite.launches as usize]
        .into_iter()
        .fold(suite.options.len(), usize::saturating_mul);
    let cells = launches.saturating_mul(tests);
    for (found, what, most) in [(launches, "launches", MAX_LAUNCHES), (cells, "cells", MAX_CELLS)] {
        if found > most {
            return Err(Error::TooLarge { found, what, most });
        }
    }
    Ok(())
}

/// A device × model × options with the tests that run; what does not run goes to `plan.skipped`.
fn group(
    suite: &Suite,
    plan: &mut Plan,
    selected: &Selected,
    model: usize,
    options: Options,
    tests: &[Test],
) -> Option<Group> {
    let name = plan.models[model].name.clone();
    let mut runs = Vec::new();
    for &test in tests {
        let (device_id, device, build, skip) = match selected {
            Selected::Skip { id, device, build, reason, fix } => {
                let device = match device {
                    Some(device) => Known::Value((**device).clone()),
                    None => Known::unavailable(reason.clone()),
                };
                (id.clone(), device, build.clone(), Some((reason.clone(), fix.clone())))
            }
            Selected::Run { device, build, .. } => {
                let skip = except(suite, &device.id, &name, test).or(unfit(device, &options, test));
                (device.id.clone(), Known::Value(device.clone()), build.clone(), skip)
            }
        };
        match skip {
            None => runs.push(test),
            Some((reason, fix)) => {
                let options = options.clone();
                let cell = Skipped { device_id, device, build, model, options, test, reason, fix };
                plan.skipped.push(cell);
            }
        }
    }
    match selected {
        Selected::Run { device, worker, build } if !runs.is_empty() => {
            let (device, worker, build) = (device.clone(), *worker, build.clone());
            let of = |&test: &Test| plan.material.room(test).max(plan.workloads.room(test));
            let room = runs.iter().map(of).max().unwrap_or(0);
            Some(Group { place: 0, device, worker, build, model, options, tests: runs, room })
        }
        _ => None,
    }
}

type Skip = Option<(String, Option<String>)>;

fn except(suite: &Suite, device: &str, model: &str, test: Test) -> Skip {
    let rule = suite.except.iter().find(|rule| rule.scope.matches(device, model, test))?;
    Some((format!("left out by the suite: {}", rule.reason), None))
}

/// What can be known to fail without asking the backend.
fn unfit(device: &Device, options: &Options, test: Test) -> Skip {
    if let Some(numerics) = options.numerics
        && !device.numerics.contains(&numerics)
    {
        let has: Vec<String> =
            device.numerics.iter().map(|n| format!("{n:?}").to_lowercase()).collect();
        let asked = format!("{numerics:?}").to_lowercase();
        let reason = format!("{} cannot compute in {asked}, only in {}", device.id, has.join(", "));
        return Some((reason, Some("leave numerics to the device: auto".to_owned())));
    }
    let needed = test.positions();
    match options.context {
        Some(context) if context < needed => {
            let reason = format!("{test} takes {needed} positions, the context holds {context}");
            Some((reason, Some(format!("set context to at least {needed}, or to auto"))))
        }
        _ => None,
    }
}
