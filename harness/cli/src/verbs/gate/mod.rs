//! `yardstick gate`: may this candidate merge? Both sides by turns on this machine, a verdict, and its exit code.

mod bisect;
mod sides;
mod source;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use yardstick_gate::{Config, Error, Progress, Report, Settings, exit_code};

use self::sides::{Asked, Resolved};
use crate::args::Gate;
use crate::paths::Paths;
use crate::verbs::INTERRUPTED;
use crate::{console, interrupt, tool, words};

/// Measures, tells, and answers with the verdict's exit code.
pub(crate) fn run(paths: &Paths, args: &Gate) -> Result<u8> {
    if let Some(range) = &args.bisect {
        return bisect::run(paths, args, range);
    }
    let (Some(base), Some(candidate)) = (&args.base, &args.candidate) else {
        bail!("--base and --candidate are needed, or --bisect GOOD..BAD")
    };
    let asked = Asked { base, candidate, control: args.control.as_deref() };
    let Some(report) = verdict(paths, args, &asked)? else { return Ok(INTERRUPTED) };
    console::say(report.text().trim_end())?;
    if let Some(folder) = &args.output {
        keep(&report, folder)?;
    }
    Ok(report.exit_code)
}

/// One comparison, builds and all; `None` when it was interrupted.
fn verdict(paths: &Paths, args: &Gate, asked: &Asked<'_>) -> Result<Option<Report>> {
    let config = args.config.as_deref().map(Config::read).transpose()?;
    let sides = sides::resolve(paths, config.as_ref(), asked)?;
    match compare(paths, args, config.as_ref(), sides) {
        Ok(report) => Ok(Some(report)),
        Err(Error::Interrupted) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Everything after the builds.
fn compare(
    paths: &Paths,
    args: &Gate,
    config: Option<&Config>,
    sides: Resolved,
) -> Result<Report, Error> {
    let (started, start) = (tool::now(), Instant::now());
    let mut settings = Settings::new(Duration::from_secs_f64(60.0 * args.budget));
    settings.only.clone_from(&args.only);
    settings.cancel = interrupt::flag().map_err(|error| Error::Request(error.to_string()))?;
    let data = paths.cache.join("gate/data");
    let ran = source::run(config, &sides, &mut settings, args.all, &data, tool::seed(), &mut told)?;
    let (tests, mut notes) = ran;
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
    if let Some(config) = &args.config {
        flag("--config", &config.display().to_string());
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
        ("gate.txt", report.text()),
        ("gate.html", report.page()),
    ] {
        let file = folder.join(name);
        std::fs::write(&file, text).with_context(|| file.display().to_string())?;
    }
    Ok(())
}
