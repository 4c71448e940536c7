//! `yardstick run`: plan, verify, measure, store, report, in that order.

mod request;
mod rerun;
mod screen;

use std::collections::HashSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use yardstick_api::Options;
use yardstick_measure::plan::Plan;
use yardstick_measure::runner::{self, Ceilings, Stage, Summary};
use yardstick_model::source::{Name, Tell};
use yardstick_probes::Meters;
use yardstick_record::{Environment, RunInfo, Test};
use yardstick_store::Store;

use crate::args::Run;
use crate::output;
use crate::paths::Paths;
use crate::registry::Wanted;
use crate::verbs::{DONE, FAILED, INTERRUPTED};
use crate::{cap, console, interrupt, metering, models, registry, tool};

pub(crate) use request::suite_named;

use request::Request;
use screen::Screen;

/// Runs a suite, or what the flags say, or the rest of an interrupted run.
pub(crate) fn run(paths: &Paths, args: &Run) -> Result<u8> {
    let words = std::env::args_os().skip(1);
    run_as(paths, args, words.map(|word| word.to_string_lossy().into_owned()).collect())
}

/// Runs what the flags say; `command` is stored as the words that said it, for `--resume`.
pub(crate) fn run_as(paths: &Paths, args: &Run, command: Vec<String>) -> Result<u8> {
    paths.spare_the_store(args.html.as_deref())?;
    let request = match &args.resume {
        Some(id) => Request::resumed(&output::open(&paths.store)?, id)?,
        None => Request::new(args, command)?,
    };
    sound_clock()?;
    let grid = metering::grid(&args.metering)?;
    match measure(paths, args, &request, None)? {
        None => Ok(DONE),
        Some(done) => conclude(paths, args, &request.info, done, grid),
    }
}

/// Nothing is measured with a clock that its self-test found wanting.
fn sound_clock() -> Result<()> {
    match yardstick_probes::clock_check().flaw() {
        None => Ok(()),
        Some(flaw) => anyhow::bail!(
            "this machine's clock cannot be measured with: {flaw}; `yardstick devices` has its self-test"
        ),
    }
}

/// Whether a test of a model under options is measured, of all that the lists of a request multiply to.
pub(crate) type Keep<'a> = &'a dyn Fn(&str, &Options, Test) -> bool;

/// What a run came to, before anybody is shown it.
pub(crate) struct Done {
    /// The store, unless nothing was to be kept.
    store: Option<Store>,
    plan: Plan,
    /// How cells ended.
    pub(crate) summary: Summary,
}

/// One part of a search: measures the points that `keep` keeps and stores them, shows nothing but progress. Gives the run's id.
pub(crate) fn part(paths: &Paths, args: &Run, keep: Keep<'_>) -> Result<(String, Done)> {
    let words = std::env::args_os().skip(1);
    let words = words.map(|word| word.to_string_lossy().into_owned()).collect();
    let request = Request::new(args, words)?;
    let mut done = measure(paths, args, &request, Some(keep))?.context("nothing was measured")?;
    if let (Some(store), false) = (&mut done.store, done.summary.interrupted) {
        store.finish_run(&request.info.id, &tool::now())?;
    }
    Ok((request.info.id, done))
}

/// Plans, verifies, measures and stores; none where only the plan was asked for.
fn measure(
    paths: &Paths,
    args: &Run,
    request: &Request,
    keep: Option<Keep<'_>>,
) -> Result<Option<Done>> {
    // Only now: a suite that is a pipe may be waited for until Ctrl-C, which ends us at once up to here.
    let cancel = interrupt::flag()?;
    let programs = &request.flags.programs;
    let selectors = request.selectors();
    let workers = registry::workers(programs, Some(&paths.cache), Wanted::Named(&selectors))?;
    let mut inventory = runner::inventory(&workers.list, request.deadlines(), &cancel)?;
    inventory.unasked = workers.unasked;
    let mut plan = request.plan(&inventory)?;
    if let Some(keep) = keep {
        retain(&mut plan, keep);
    }
    if args.plan {
        console::say(screen::plan(&plan).trim_end())?;
        return Ok(None);
    }
    // A meter that does not answer now would be missed only after hours.
    let meters = Meters::open(&metering::specs(&request.flags.metering)?)?;
    let capped = cap::set(request.flags.cap.as_deref())?;
    // Only now is anything written: a request that cannot be planned leaves no trace.
    let mut store = if args.verify_only { None } else { Some(open_store(&paths.store)?) };
    if let (Some(store), None) = (&mut store, &request.resumed) {
        store.begin_run(&request.info, &request.stored())?;
    }
    let done = match (&store, &request.resumed) {
        (Some(store), Some(run)) => store.measured(run)?.into_iter().collect(),
        _ => HashSet::new(),
    };
    let mut screen = Screen::new(store.as_mut(), args.json, plan.cells()).terse(keep.is_some());
    let oracle = inventory.device(ORACLE).map(|device| device.id.clone());
    let summary = runner::run(
        &runner::Run {
            plan: &plan,
            workers: &workers.list,
            oracle: oracle.as_deref(),
            cache: &paths.answers(),
            info: &request.info,
            tool: &tool::tool(),
            environment: &|| environment(capped.words.as_deref()),
            rerun: &|cell, model, pairing| {
                rerun::line(
                    &request.flags,
                    (&plan.asked, &plan.asked_workload),
                    cell,
                    model,
                    pairing,
                )
            },
            probes: &|| yardstick_probes::all_with(&meters),
            metered: request.metered()?,
            soak: request.flags.soak,
            prepare: &|model, progress| {
                let fetch = |name: &Name, tell: &mut Tell<'_>| {
                    paths.sources().locate(name, tell).map_err(|error| error.to_string())
                };
                let (folder, threads) = (paths.models(), models::cores());
                runner::prepare(model, &folder, threads, &fetch, &cancel, progress)
            },
            done: &done,
            cancel: &cancel,
            ceilings: match request.flags.ceilings {
                true => Ceilings::EveryTest,
                false => Ceilings::Once,
            },
            strict: request.flags.strict,
            stage: if args.verify_only { Stage::Verify } else { Stage::Measure },
        },
        &mut screen,
    )?;
    capped.restore();
    screen.finish();
    Ok(Some(Done { store, plan, summary }))
}

/// Leaves out of a plan what is not kept.
fn retain(plan: &mut Plan, keep: Keep<'_>) {
    let names: Vec<String> = plan.models.iter().map(|model| model.name.clone()).collect();
    let kept = |model: usize, options: &Options, test| {
        names.get(model).is_some_and(|name| keep(name, options, test))
    };
    for launch in &mut plan.launches {
        launch.tests.retain(|test| kept(launch.model, &launch.options, *test));
    }
    plan.launches.retain(|launch| !launch.tests.is_empty());
    plan.skipped.retain(|cell| kept(cell.model, &cell.options, cell.test));
}

/// The machine, and the cap this run put on it.
pub(crate) fn environment(cap: Option<&str>) -> Environment {
    let options = yardstick_probes::EnvironmentOptions::default();
    let mut environment = yardstick_probes::environment(&options);
    if let Some(cap) = cap {
        environment.set("cap", cap);
    }
    environment
}

/// The device whose answers are right.
const ORACLE: &str = "reference:f32";

fn open_store(path: &Path) -> Result<Store> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot create the store's folder {}", folder.display()))?;
    }
    Ok(Store::open(path)?)
}

/// Marks the run as complete and shows what was measured, of an interrupted run too.
fn conclude(
    paths: &Paths,
    args: &Run,
    info: &RunInfo,
    done: Done,
    grid: Option<f64>,
) -> Result<u8> {
    let Done { store, plan, summary } = done;
    if args.verify_only {
        console::say(screen::verdict(&summary))?;
    }
    let Some(mut store) = store else { return Ok(code(&summary)) };
    if !summary.interrupted {
        store.finish_run(&info.id, &tool::now())?;
    }
    let records = output::records(&store, std::slice::from_ref(&info.id))?;
    // The page first: it is kept, and standard output may be closed by now.
    let html = html_path(paths, args, &info.id);
    let comparison = output::compare(&store, &records, None, grid)?;
    output::write_html(&html, &comparison, &records, &plan.suite)?;
    let shown = match args.json {
        true => Ok(()),
        false => say(output::terminal(&comparison).trim_end()),
    };
    let mut notes = vec![screen::summary(&summary)];
    if summary.interrupted {
        notes.push(format!("continue with: yardstick run --resume {}", info.id));
    }
    for note in notes {
        console::tell(note);
    }
    // The path comes last and alone, so that it can be found and opened.
    let report = format!("report: {}", html.display());
    match args.json {
        true => console::tell(report),
        false => shown.and_then(|()| say(&report))?,
    }
    Ok(code(&summary))
}

/// On standard output, unless nobody reads it any more.
fn say(text: &str) -> Result<()> {
    match console::say(text) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(error).context("everything is stored, but standard output cannot be written")
        }
        _ => Ok(()),
    }
}

fn html_path(paths: &Paths, args: &Run, run: &str) -> PathBuf {
    args.html.clone().unwrap_or_else(|| paths.reports.join(format!("{run}.html")))
}

fn code(summary: &Summary) -> u8 {
    if summary.interrupted {
        INTERRUPTED
    } else if summary.failed + summary.invalid + summary.unverified > 0 {
        FAILED
    } else {
        DONE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_whose_answers_were_not_proven_does_not_end_well() {
        let good =
            Summary { ok: 1, verified: 1, skipped: 3, without_logits: 1, ..Summary::default() };
        assert_eq!(code(&good), DONE);
        assert_eq!(code(&Summary { unverified: 1, ..good }), FAILED, "the reference crashed");
        assert_eq!(code(&Summary { failed: 1, ..good }), FAILED);
        assert_eq!(code(&Summary { invalid: 1, ..good }), FAILED);
        assert_eq!(code(&Summary { interrupted: true, ..good }), INTERRUPTED);
    }
}
