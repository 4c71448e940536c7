//! Trials of one case under one condition, until the log holds so many of them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use yardstick_gate::{Arm, Outcome, Program, Settings, Sides, Slices, run as gate};

use crate::case::Case;
use crate::hogs::Hogs;
use crate::log::{self, Trial};

/// The kernel unless another is named, on the best instruction set: the commonest format of small models, in decode.
const KERNEL: &str = "Q4_K/matvec/2048x2048";
/// What a trial may take.
const BUDGET: Duration = Duration::from_secs(60);

struct Flags {
    program: PathBuf,
    unused: PathBuf,
    log: PathBuf,
    case: Case,
    condition: String,
    count: usize,
    kernel: String,
    cache: PathBuf,
}

fn flags(words: &[&str]) -> Result<Flags, String> {
    let find = |name: &str| {
        let at = words.iter().position(|word| *word == name)?;
        words.get(at + 1).map(|word| (*word).to_owned())
    };
    let need = |name: &str| find(name).ok_or_else(|| format!("{name} is needed"));
    Ok(Flags {
        program: need("--program")?.into(),
        unused: need("--unused")?.into(),
        log: need("--log")?.into(),
        case: Case::of(&need("--case")?)?,
        condition: need("--condition")?,
        count: need("--count")?.parse().map_err(|_| "--count: expected a number".to_owned())?,
        kernel: find("--kernel").unwrap_or_else(|| KERNEL.to_owned()),
        cache: find("--cache").map_or_else(std::env::temp_dir, PathBuf::from),
    })
}

pub(crate) fn run(words: &[&str]) -> Result<(), String> {
    let flags = flags(words)?;
    let log = flags.log.display().to_string();
    let done = if flags.log.is_file() { log::read(&[&log])? } else { Vec::new() };
    let matches = |trial: &&Trial| {
        trial.case == flags.case.name
            && trial.condition == flags.condition
            && trial.kernel.contains(&flags.kernel)
    };
    let done = done.iter().filter(matches).count();
    if done >= flags.count {
        return Ok(());
    }
    let _hogs = Hogs::start(&flags.condition)?;
    for number in done..flags.count {
        let trial = once(&flags)?;
        log::append(&flags.log, &trial)?;
        println!(
            "{} {} {}/{}: {} in {:.1} s: {}",
            trial.case,
            trial.condition,
            number + 1,
            flags.count,
            trial.outcome,
            trial.seconds,
            trial.reason
        );
    }
    Ok(())
}

fn once(flags: &Flags) -> Result<Trial, String> {
    let seed =
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_nanos() as u64) >> 11;
    let inject = |program: &Path| {
        let arguments = vec!["--inject".to_owned(), flags.case.name.clone()];
        Program { file: program.to_owned(), arguments, folder: None }
    };
    let base = Program::of(&flags.program);
    let candidate = match flags.case.name.as_str() {
        "same" => base.clone(),
        "unused" => Program::of(&flags.unused),
        _ => inject(&flags.program),
    };
    let control = match flags.case.name.as_str() {
        // The control copy is the candidate here; the base's own program is the control.
        "unused" => base.clone(),
        _ => Program::of(&flags.unused),
    };
    let mut settings = Settings::new(BUDGET);
    if let Some(seconds) = std::env::var("PROVE_GATE_SECONDS").ok().and_then(|s| s.parse().ok()) {
        settings.seconds = (seconds, seconds);
    }
    let programs = Sides { base, control, candidate };
    let cancel = Arc::new(AtomicBool::new(false));
    let source = Slices::new(programs, flags.cache.join("prove-gate"), seed, cancel);
    // What an injecting program computes depends on its arguments, by which it is remembered too.
    let mut source = source.remembering(flags.cache.join("outputs"));
    let listed = source.listed(Arm::Base).map_err(|error| error.to_string())?;
    let named = listed.kernels.into_iter().find(|kernel| kernel.name.contains(&flags.kernel));
    let named = named.ok_or_else(|| format!("--kernel {}: there is none", flags.kernel))?;
    settings.only = vec![named.name];
    let load = load();
    let start = Instant::now();
    let reports = gate(&settings, &mut source, &mut |_| {}).map_err(|error| error.to_string())?;
    let seconds = start.elapsed().as_secs_f64();
    let [report] = &reports[..] else {
        return Err(format!("--kernel {}: {} kernels, expected one", flags.kernel, reports.len()));
    };
    let outcome = match report.outcome {
        Outcome::Passed => "passed",
        Outcome::Slower => "slower",
        Outcome::Inconclusive => "inconclusive",
        other => return Err(format!("{}: {}", other.name(), report.reason)),
    };
    let decided = match report.reason.starts_with("wall time ") {
        true => report.wall.as_ref(),
        false => report.cost.as_ref(),
    };
    Ok(Trial {
        case: flags.case.name.clone(),
        condition: flags.condition.clone(),
        kernel: report.test.clone(),
        outcome: outcome.to_owned(),
        reason: report.reason.clone(),
        estimate: decided.and_then(|decision| decision.estimate),
        control: decided.and_then(|decision| decision.control),
        seconds,
        launches: report.launches.clone(),
        confirmed: report.confirmed.clone(),
        walls: report.wall_launches.clone(),
        load,
        seed,
    })
}

fn load() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/loadavg").ok()?;
    text.split_whitespace().next()?.parse().ok()
}
