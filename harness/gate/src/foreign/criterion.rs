//! Two builds of a criterion binary. Criterion measures one side for a while and then the next, so a launch is one run of each in random
//! order, in a fresh process and a fresh CRITERION_HOME, and its statistic the ratio of lower deciles: what lies above them on a shared
//! machine is mostly others' doing.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Deserialize;
use yardstick_measure::plan::Shuffle;

use crate::machine::Moment;
use crate::session::{Common, Measured, Source, launch_of};
use crate::{Arm, Drift, Error, Program, Sides};

/// Share of a launch's time that criterion warms up.
const WARM_UP: f64 = 0.25;
/// Samples criterion takes. The first are a hundredth of the last, so that on a busy machine some lie within one slice of the scheduler.
const SAMPLES: &str = "100";
/// Criterion's own statistics, which nobody reads here; the fewest it takes.
const RESAMPLES: &str = "1000";
/// Which samples are compared.
const QUANTILE: f64 = 0.1;

/// Criterion binaries of all sides.
pub struct Criterion {
    programs: Sides<Program>,
    folder: PathBuf,
    shuffle: Shuffle,
    cancel: Arc<AtomicBool>,
}

/// What is read of `sample.json`.
#[derive(Deserialize)]
struct Samples {
    iters: Vec<f64>,
    times: Vec<f64>,
}

/// What is read of `benchmark.json`.
#[derive(Deserialize)]
struct Named {
    full_id: String,
}

impl Criterion {
    /// Of these programs; `folder` is for what criterion writes.
    pub fn new(
        programs: Sides<Program>,
        folder: PathBuf,
        seed: u64,
        cancel: Arc<AtomicBool>,
    ) -> Criterion {
        Criterion { programs, folder, shuffle: Shuffle::new(seed), cancel }
    }

    fn names(&self, arm: Arm) -> Result<Vec<String>, Error> {
        let program = self.programs.get(arm);
        let mut command = program.command();
        command.args(["--bench", "--list"]);
        let output = finished(arm, program, &mut command)?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let names: Vec<String> = text
            .lines()
            .filter_map(|line| {
                line.strip_suffix(": benchmark").or_else(|| line.strip_suffix(": bench"))
            })
            .map(str::to_owned)
            .collect();
        match names.is_empty() {
            true => Err(Error::of(arm, format!("{program} --bench --list names no benches"))),
            false => Ok(names),
        }
    }

    /// Nanoseconds an iteration, by test.
    fn once(
        &self,
        arm: Arm,
        tests: &[String],
        seconds: f64,
    ) -> Result<BTreeMap<String, Vec<f64>>, Error> {
        let program = self.programs.get(arm);
        let home = self.folder.join(format!("{}-{arm}", std::process::id()));
        let _ = fs::remove_dir_all(&home);
        fs::create_dir_all(&home).map_err(|error| Error::file(&home, error))?;
        let all: Vec<String> = tests.iter().map(|test| escaped(test)).collect();
        let mut command = program.command();
        command.arg("--bench").args(["--noplot", "--sample-size", SAMPLES]);
        command.args(["--nresamples", RESAMPLES]);
        command.args(["--warm-up-time", &format!("{:.2}", (WARM_UP * seconds).max(0.05))]);
        command
            .args(["--measurement-time", &format!("{:.2}", ((1.0 - WARM_UP) * seconds).max(0.1))]);
        command.arg(format!("^({})$", all.join("|"))).env("CRITERION_HOME", &home);
        finished(arm, program, &mut command)?;
        let mut found = BTreeMap::new();
        read(&home, &mut found)?;
        let _ = fs::remove_dir_all(&home);
        Ok(found)
    }
}

impl Source for Criterion {
    fn tests(&mut self) -> Result<Common, Error> {
        Ok(Common::of(&self.names(Arm::Base)?, &self.names(Arm::Candidate)?))
    }

    fn drift(&mut self, tests: &[String]) -> Result<Vec<Drift>, Error> {
        let reason = "a criterion bench does not tell what it computes".to_owned();
        Ok(tests.iter().map(|_| Drift::Unknown { reason: reason.clone() }).collect())
    }

    fn launch(
        &mut self,
        tests: &[String],
        seconds: f64,
        on: &mut dyn FnMut(usize, Measured),
    ) -> Result<(), Error> {
        let moment = Moment::now();
        let mut order = Arm::ALL;
        self.shuffle.shuffle(&mut order);
        let none = BTreeMap::new;
        let mut found = Sides { base: none(), control: none(), candidate: none() };
        for arm in order {
            if self.cancel.load(Ordering::Relaxed) {
                return Err(Error::Interrupted);
            }
            *found.get_mut(arm) = self.once(arm, tests, seconds)?;
        }
        let evidence = moment.evidence();
        for (index, test) in tests.iter().enumerate() {
            let of = found.try_map(|arm, found| {
                let missing = || Error::of(arm, format!("the bench {test} left no samples"));
                found.get(test).filter(|samples| !samples.is_empty()).cloned().ok_or_else(missing)
            })?;
            let launch = launch_of(&of.base, &of.candidate, Some(&of.control), QUANTILE)?;
            let primary = match &evidence {
                Some(evidence) => launch.apart(evidence.clone()),
                None => launch,
            };
            let seconds = moment.seconds() / tests.len() as f64;
            on(index, Measured { primary, wall: None, rounds: of.base.len(), seconds });
        }
        Ok(())
    }
}

/// Runs it to its end, or says how it failed.
pub(super) fn finished(
    arm: Arm,
    program: &Program,
    command: &mut Command,
) -> Result<Output, Error> {
    let output = command.stdin(Stdio::null()).output();
    let output =
        output.map_err(|error| Error::of(arm, format!("cannot start {program}: {error}")))?;
    if output.status.success() {
        return Ok(output);
    }
    let words = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    let skip = words.chars().count().saturating_sub(2000);
    let words: String = words.chars().skip(skip).collect();
    Err(Error::of(arm, format!("crashed: {program}: {}: {words}", output.status)))
}

/// Every `new/sample.json` beneath a folder, by the name beside it.
fn read(folder: &Path, found: &mut BTreeMap<String, Vec<f64>>) -> Result<(), Error> {
    let told = |error| Error::file(folder, error);
    for entry in fs::read_dir(folder).map_err(told)? {
        let path = entry.map_err(told)?.path();
        let sample = path.join("sample.json");
        if path.file_name().is_some_and(|name| name == "new") && sample.is_file() {
            let name: Named = parsed(&path.join("benchmark.json"))?;
            let Samples { iters, times } = parsed(&sample)?;
            let each = times.iter().zip(&iters).filter(|(_, iters)| **iters > 0.0);
            found.insert(name.full_id, each.map(|(time, iters)| time / iters).collect());
        } else if path.is_dir() {
            read(&path, found)?;
        }
    }
    Ok(())
}

fn parsed<T: for<'d> Deserialize<'d>>(path: &Path) -> Result<T, Error> {
    let text = fs::read(path).map_err(|error| Error::file(path, error))?;
    serde_json::from_slice(&text)
        .map_err(|error| Error::Request(format!("{}: {error}", path.display())))
}

/// For a regular expression that means these characters.
fn escaped(text: &str) -> String {
    text.chars().fold(String::new(), |mut all, c| {
        if !c.is_alphanumeric() && !" _/-".contains(c) {
            all.push('\\');
        }
        all.push(c);
        all
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn criterion_s_samples_are_read_by_name_wherever_they_lie() {
        let home = tempfile::tempdir().unwrap();
        let new = home.path().join("group/f/1/new");
        fs::create_dir_all(&new).unwrap();
        fs::write(new.join("benchmark.json"), r#"{"group_id":"group","full_id":"group/f/1"}"#)
            .unwrap();
        fs::write(
            new.join("sample.json"),
            r#"{"sampling_mode":"Linear","iters":[1.0,2.0],"times":[10.0,22.0]}"#,
        )
        .unwrap();
        let mut found = BTreeMap::new();
        read(home.path(), &mut found).unwrap();
        assert_eq!(found, BTreeMap::from([("group/f/1".to_owned(), vec![10.0, 11.0])]));
        fs::write(new.join("sample.json"), "{").unwrap();
        assert!(read(home.path(), &mut found).is_err());
    }

    #[test]
    fn names_mean_themselves_in_a_filter() {
        assert_eq!(escaped("sum/f(x)+1 a-b"), r"sum/f\(x\)\+1 a-b");
    }
}
