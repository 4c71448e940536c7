//! `yardstick gate`: may this candidate merge? Both sides by turns on this machine, a verdict, and its exit code.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use yardstick_gate::{
    Arm, Error, Program, Progress, Report, Settings, SideReport, Sides, Slices, exit_code,
};

use crate::args::Gate;
use crate::paths::Paths;
use crate::verbs::INTERRUPTED;
use crate::{console, interrupt, tool, words};

/// Measures, tells, and answers with the verdict's exit code.
pub(crate) fn run(paths: &Paths, args: &Gate) -> Result<u8> {
    let (Some(base), Some(candidate)) = (&args.base, &args.candidate) else {
        bail!("--base and --candidate are needed")
    };
    let (programs, sides) = sides(base, candidate, args.control.as_deref())?;
    let started = tool::now();
    let mut settings = Settings::new(Duration::from_secs_f64(60.0 * args.budget));
    settings.only.clone_from(&args.only);
    settings.cancel = interrupt::flag()?;
    let cancel = Arc::clone(&settings.cancel);
    let mut source = Slices::new(programs, paths.cache.join("gate/data"), tool::seed(), cancel);
    let start = Instant::now();
    let tests = match yardstick_gate::run(&settings, &mut source, &mut told) {
        Ok(tests) => tests,
        Err(Error::Interrupted) => return Ok(INTERRUPTED),
        Err(error) => return Err(error.into()),
    };
    let code = exit_code(&tests);
    let decide_minutes = if code == 3 { Report::minutes_to_decide(&tests) } else { None };
    let decide = decide_minutes.map(|minutes| again(args, minutes));
    let report = Report {
        base: sides.base,
        candidate: sides.candidate,
        started,
        seconds: start.elapsed().as_secs_f64(),
        budget_seconds: settings.budget.as_secs_f64(),
        tests,
        notes: Vec::new(),
        exit_code: code,
        decide,
        decide_minutes,
    };
    console::say(report.text().trim_end())?;
    if let Some(folder) = &args.output {
        keep(&report, folder)?;
    }
    Ok(code)
}

/// The programs of all sides and what is said of them.
fn sides(
    base: &str,
    candidate: &str,
    control: Option<&str>,
) -> Result<(Sides<Program>, Sides<SideReport>)> {
    let base_program = program(Arm::Base, base)?;
    let control_program = match control {
        Some(control) => program(Arm::Control, control)?,
        None => base_program.clone(),
    };
    let candidate_program = program(Arm::Candidate, candidate)?;
    let programs =
        Sides { base: base_program, control: control_program, candidate: candidate_program };
    let reports = programs.try_map(|arm, program| {
        let asked = match arm {
            Arm::Base => base,
            Arm::Control => control.unwrap_or(base),
            Arm::Candidate => candidate,
        };
        let program = program.to_string();
        Ok::<_, Error>(SideReport { asked: asked.to_owned(), commit: None, program, note: None })
    })?;
    Ok((programs, reports))
}

/// A program and its arguments, split as a shell would.
fn program(arm: Arm, text: &str) -> Result<Program> {
    let mut split = words::split(text).with_context(|| format!("--{arm}: an open quote"))?;
    if split.is_empty() {
        bail!("--{arm} is empty");
    }
    let file = Path::new(&split.remove(0)).to_owned();
    // A bare name would be looked for on the PATH.
    let file = file.canonicalize().with_context(|| format!("--{arm}: {}", file.display()))?;
    Ok(Program { file, arguments: split, folder: None })
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
    if !args.only.is_empty() {
        flag("--only", &args.only.join(","));
    }
    let more = minutes.max((2.0 * args.budget).ceil());
    flag("--budget", &format!("{more:.0}"));
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
    for (name, text) in
        [("gate.json", json), ("gate.md", report.markdown()), ("gate.txt", report.text())]
    {
        let file = folder.join(name);
        std::fs::write(&file, text).with_context(|| file.display().to_string())?;
    }
    Ok(())
}
