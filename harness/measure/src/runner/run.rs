//! The run as a table of contents: models, refusals, skipped cells, launches.

use yardstick_api::Known;
use yardstick_probes::Probe;
use yardstick_record::{FailureKind, ModelRef, Outcome, Turn, Verification};

use super::launch::{self, Ended, TakingTurns};
use super::output::{Context, Measured, Output};
use super::refusals::{Asked, refusals};
use super::{Event, Prepared, Run, RunError, Sink, Stage, Summary, Worker};
use crate::plan::{Launch, Skipped};

/// A model that is there, or the outcome of its cells.
pub(super) type Ready = Result<Prepared, Outcome>;

/// Runs a plan: hands out a record for every cell as soon as it is known, in the plan's order.
/// Must be called from a thread that lives as long as the run: workers end with the thread that started them.
pub fn run(run: &Run<'_>, sink: &mut dyn Sink) -> Result<Summary, RunError> {
    std::fs::create_dir_all(run.cache)
        .map_err(|source| RunError::Cache { path: run.cache.display().to_string(), source })?;
    let output = Output::new(sink);
    let models = prepare(run, &output);
    let asked = refusals(run, &models);
    let mut probes = (run.probes)();
    if run.stage == Stage::Measure {
        for cell in &run.plan.skipped {
            skip(run, &output, cell, &models)?;
        }
    }
    let mut index = 0;
    let of = run.plan.launches.len();
    for bunch in run.plan.launches.chunk_by(|a, b| a.pair.is_some() && a.pair == b.pair) {
        let asked = &asked[index..index + bunch.len()];
        let ended = match run.cancelled() {
            true => Ended::Interrupted,
            false => together(run, bunch, asked, &models, (index, of), &mut probes, &output)?,
        };
        index += bunch.len();
        if let Ended::Interrupted = ended {
            output.count(|summary| summary.interrupted = true);
            break;
        }
    }
    Ok(output.summary())
}

/// One launch, or several that take turns. Those that are refused are recorded as such.
fn together(
    run: &Run<'_>,
    bunch: &[Launch],
    asked: &[Asked],
    models: &[Ready],
    place: (usize, usize),
    probes: &mut [Box<dyn Probe>],
    output: &Output<'_>,
) -> Result<Ended, RunError> {
    let mut able = Vec::new();
    for (launch, asked) in bunch.iter().zip(asked) {
        let ready = &models[launch.model];
        let quarantined = output.quarantined(launch);
        let refusal = quarantined.as_ref().or(asked.refusal.as_ref());
        let refusal = refusal.or_else(|| ready.as_ref().err());
        match (refusal, ready) {
            (None, Ok(model)) => able.push((launch, asked.footprint, model)),
            (refusal, _) => {
                let outcome = refusal.expect("a model that is not ready has an outcome");
                begin(run, output, &[launch], place);
                if let Ended::Interrupted = refuse(run, output, launch, outcome, ready)? {
                    return Ok(Ended::Interrupted);
                }
            }
        }
    }
    let with: Vec<&Launch> = able.iter().map(|(launch, ..)| *launch).collect();
    let mut turns = None;
    if let (Some((_, _, model)), 2..) = (able.first(), able.len()) {
        let footprints: Vec<_> = able.iter().map(|(launch, size, _)| (*launch, *size)).collect();
        let apart = launch::fits(&footprints, &(run.environment)()).err();
        if let Some(why) = &apart {
            output.event(Event::Note(why));
        }
        let unit = if apart.is_none() { Turn::Samples } else { Turn::Launches };
        let taking = TakingTurns { with: with.clone(), unit, apart };
        if unit == Turn::Samples && run.stage == Stage::Measure {
            begin(run, output, &with, place);
            return launch::measure_pair(run, &taking, model, output);
        }
        turns = Some(taking);
    }
    for (launch, _, model) in able {
        begin(run, output, &[launch], place);
        let ended = launch::measure(run, launch, (model, models), turns.clone(), probes, output)?;
        if let Ended::Interrupted = ended {
            return Ok(ended);
        }
    }
    Ok(Ended::Done)
}

/// Tells that launches begin.
fn begin(run: &Run<'_>, output: &Output<'_>, launches: &[&Launch], (index, of): (usize, usize)) {
    let Some(first) = launches.first() else { return };
    let members: Vec<String> = launches.iter().map(|launch| launch.member()).collect();
    output.event(Event::Launch {
        index,
        of,
        device: &members.join(" | "),
        model: &run.plan.models[first.model].name,
        options: &first.options,
    });
}

impl Run<'_> {
    pub(super) fn cancelled(&self) -> bool {
        self.cancel.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// This program.
    pub(super) fn own(&self) -> &Worker {
        self.workers.first().expect("a run has this program as its first worker")
    }

    /// The program of a launch.
    pub(super) fn worker(&self, launch: &Launch) -> &Worker {
        self.workers.get(launch.worker).unwrap_or_else(|| self.own())
    }
}

/// Makes every model present that a launch uses.
fn prepare(run: &Run<'_>, output: &Output<'_>) -> Vec<Ready> {
    let used = |index| {
        run.plan.launches.iter().any(|launch| {
            launch.model == index
                || launch.tests.iter().any(|test| test.has_reference())
                    && run.plan.reference(launch.model) == Some(index)
        })
    };
    let mut models = Vec::new();
    for (index, request) in run.plan.models.iter().enumerate() {
        if !used(index) || run.cancelled() {
            models.push(Err(Outcome::Skipped {
                reason: "no device to run it on".to_owned(),
                fix: None,
            }));
            continue;
        }
        output.event(Event::Model { name: &request.name, done: 0, total: 0 });
        models.push((run.prepare)(request, &mut |done, total| {
            output.event(Event::Model { name: &request.name, done, total });
        }));
    }
    models
}

fn reference(ready: &Ready, name: &str) -> ModelRef {
    match ready {
        Ok(model) => model.reference.clone(),
        Err(outcome) => ModelRef::unopened(name, reason(outcome)),
    }
}

/// An outcome's sentence.
pub(super) fn reason(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Ok => "measured",
        Outcome::Failed { message, .. } => message,
        Outcome::Skipped { reason, .. } | Outcome::Invalid { reason } => reason,
    }
}

/// Records a cell that was never going to run here.
fn skip(
    run: &Run<'_>,
    output: &Output<'_>,
    cell: &Skipped,
    models: &[Ready],
) -> Result<(), RunError> {
    let request = &run.plan.models[cell.model];
    let context = Context {
        launch: 0,
        tool: run.tool.clone(),
        device_id: &cell.device_id,
        device: cell.device.clone(),
        build: cell.build.clone(),
        request,
        model: reference(&models[cell.model], &request.name),
        options: &cell.options,
        environment: (run.environment)(),
        facts: Known::unavailable(cell.reason.clone()),
        load_ns: Known::unavailable(cell.reason.clone()),
        verification: Verification::skipped(cell.reason.clone()),
        subject: Box::new(|test| run.plan.subject(cell.model, test)),
    };
    if run.done.contains(&(context.cell(cell.test).key(), 0)) {
        output.count(|summary| summary.resumed += 1);
        return Ok(());
    }
    let outcome = Outcome::Skipped { reason: cell.reason.clone(), fix: cell.fix.clone() };
    output.record(run, &context, cell.test, Measured::nothing(&cell.reason), outcome)
}

/// Records the cells of a launch whose model or backend refused.
fn refuse(
    run: &Run<'_>,
    output: &Output<'_>,
    launch: &Launch,
    outcome: &Outcome,
    ready: &Ready,
) -> Result<Ended, RunError> {
    if let Outcome::Failed { kind: FailureKind::Interrupted, .. } = outcome {
        return Ok(Ended::Interrupted);
    }
    let unverified = usize::from(!matches!(outcome, Outcome::Skipped { .. }));
    output.count(|summary| summary.unverified += unverified);
    if run.stage == Stage::Verify {
        return Ok(Ended::Done);
    }
    let request = &run.plan.models[launch.model];
    let why = reason(outcome).to_owned();
    let context = Context {
        launch: launch.number,
        tool: run.worker(launch).silent(run.tool),
        device_id: &launch.device.id,
        device: Known::Value(launch.device.clone()),
        build: launch.build.clone(),
        request,
        model: reference(ready, &request.name),
        options: &launch.options,
        environment: (run.environment)(),
        facts: Known::unavailable(why.clone()),
        load_ns: Known::unavailable(why.clone()),
        verification: Verification::skipped(why.clone()),
        subject: Box::new(|test| run.plan.subject(launch.model, test)),
    };
    for &test in &launch.tests {
        if run.done.contains(&(context.cell(test).key(), launch.number)) {
            output.count(|summary| summary.resumed += 1);
            continue;
        }
        output.record(run, &context, test, Measured::nothing(&why), outcome.clone())?;
    }
    Ok(Ended::Done)
}
