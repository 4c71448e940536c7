//! `yardstick gate`: may this candidate merge? Both sides by turns on this machine, a verdict, and its exit code.

mod asked;
mod bisect;
mod gpu;
mod sides;
mod source;
mod suite;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use yardstick_gate::{Error, Progress, Report, Settings, exit_code};

use self::asked::Asked;
use self::sides::{Named, Resolved};
use crate::args::Gate;
use crate::paths::Paths;
use crate::verbs::INTERRUPTED;
use crate::{console, interrupt, output, tool, words};

/// Columns of the file.
const FILE: usize = 100;

/// Measures, tells, and answers with the verdict's exit code.
pub(crate) fn run(paths: &Paths, args: &Gate) -> Result<u8> {
    if let Some(range) = &args.bisect {
        return bisect::run(paths, args, range);
    }
    let (Some(base), Some(candidate)) = (&args.base, &args.candidate) else {
        bail!("--base and --candidate are needed, or --bisect GOOD..BAD")
    };
    let asked = Named { base, candidate, control: args.control.as_deref() };
    let Some(report) = verdict(paths, args, &asked)? else { return Ok(INTERRUPTED) };
    console::say(report.text(output::width()).trim_end())?;
    if let Some(folder) = &args.output {
        keep(&report, folder)?;
    }
    Ok(report.exit_code)
}

/// One comparison, builds and all; `None` when it was interrupted.
fn verdict(paths: &Paths, args: &Gate, named: &Named<'_>) -> Result<Option<Report>> {
    let asked = Asked::read(args)?;
    let sides = sides::resolve(paths, &asked.build(paths), named)?;
    match compare(paths, args, &asked, sides) {
        Ok(report) => Ok(Some(report)),
        Err(error) => match error.downcast_ref() {
            Some(Error::Interrupted) => Ok(None),
            _ => Err(error),
        },
    }
}

/// Everything after the builds.
fn compare(paths: &Paths, args: &Gate, asked: &Asked, mut sides: Resolved) -> Result<Report> {
    let (started, start) = (tool::now(), Instant::now());
    let mut settings = Settings::new(Duration::from_secs_f64(60.0 * args.budget));
    settings.only.clone_from(&args.only);
    settings.cancel = interrupt::flag()?;
    let data = paths.cache.join("gate/data");
    let (mut tests, mut notes) = match asked.suite() {
        Some(suite) => suite::run(paths, args, suite, &sides, &mut settings, &mut told)?,
        None => {
            let (config, seed) = (asked.config(), tool::seed());
            source::run(config, &sides, &mut settings, args.all, &data, seed, &mut told)?
        }
    };
    if let Asked::Kernels = asked {
        // What is built next is built in the same place.
        drop(sides.held.take());
        let (rows, more) = gpu::run(paths, args, &sides)?;
        tests.extend(rows);
        tests.sort_by_key(|test| test.outcome);
        notes.extend(more);
    }
    if !sides.separate {
        notes.push("the control is the base's own program: layout noise is not seen".to_owned());
    }
    let code = exit_code(&tests);
    let decide_minutes = if code == 3 { Report::minutes_to_decide(&tests) } else { None };
    Ok(Report {
        base: sides.base,
        candidate: sides.candidate,
        started,
        seconds: start.elapsed().as_secs_f64(),
        budget_seconds: settings.budget.as_secs_f64(),
        tests,
        notes,
        exit_code: code,
        decide: decide_minutes.map(|minutes| again(args, minutes)),
        decide_minutes,
    })
}

/// The same command with so many minutes.
fn again(args: &Gate, minutes: f64) -> String {
    let mut command = vec!["yardstick".to_owned(), "gate".to_owned()];
    let mut flag =
        |name: &str, value: &str| command.extend([name.to_owned(), words::quoted(value)]);
    for (name, value) in
        [("--base", &args.base), ("--candidate", &args.candidate), ("--control", &args.control)]
    {
        value.iter().for_each(|value| flag(name, value));
    }
    if let Some(suite) = &args.suite {
        flag("--suite", suite);
    }
    args.meter.iter().for_each(|meter| flag("--meter", meter));
    if let Some(config) = &args.config {
        flag("--config", &config.display().to_string());
    }
    if let Some(nvrtc) = &args.nvrtc {
        flag("--nvrtc", &nvrtc.display().to_string());
    }
    if !args.only.is_empty() {
        flag("--only", &args.only.join(","));
    }
    let more = minutes.max((2.0 * args.budget).ceil());
    flag("--budget", &format!("{more:.0}"));
    if args.all {
        command.push("--all".to_owned());
    }
    command.join(" ")
}

fn told(progress: Progress<'_>) {
    match progress {
        Progress::Begun { tests, seconds } => console::tell(format!(
            "outputs agree; measuring {tests} tests, {seconds:.1} s each a launch"
        )),
        Progress::Launch { number, left } => {
            console::tell(format!("launch {number}: {left} tests were undecided"));
        }
        Progress::Confirming { tests } => {
            console::tell(format!("measuring anew what seems slower: {}", tests.join(", ")));
        }
    }
}

/// Writes the report in every form.
fn keep(report: &Report, folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("--output {}", folder.display()))?;
    let json = serde_json::to_string_pretty(report)?;
    for (name, text) in [
        ("gate.json", json),
        ("gate.md", report.markdown()),
        ("gate.txt", report.text(FILE)),
        ("gate.html", report.page()),
    ] {
        let file = folder.join(name);
        std::fs::write(&file, text).with_context(|| file.display().to_string())?;
    }
    Ok(())
}
