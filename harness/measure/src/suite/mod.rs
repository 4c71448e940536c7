//! Suites: what a run measures, as a TOML file says it (suites/FORMAT.md documents every key). Expands nothing.

mod budget;
mod error;
pub(crate) mod place;
mod scope;
mod sweep;
mod values;
pub(crate) mod wire;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use yardstick_record::{Direction, Metric, Phase, Test};

use crate::{quality, workload};

pub use budget::Budgets;
pub use error::Error;
pub use scope::Scope;
pub(crate) use scope::There;
pub use sweep::Sweep;
pub use values::{
    ValueError, parse_automatic, parse_counts, parse_kv, parse_names, parse_numerics,
    parse_switches, parse_tests, parse_weights,
};

/// A parsed and checked suite.
#[derive(Clone, Debug, PartialEq)]
pub struct Suite {
    /// Its name in records and reports.
    pub name: String,
    /// What it answers and what it does not, for the reader of a report.
    pub analysis: String,
    /// What is asked of every session.
    pub tests: Vec<Test>,
    /// Preset names, `preset:format`, or paths.
    pub models: Vec<String>,
    /// Formats in which presets without one are run.
    pub quantisations: Vec<String>,
    /// Device selectors, see [`crate::plan`].
    pub devices: Vec<String>,
    /// Option lists; their cross product is measured.
    pub options: Sweep,
    /// Worker processes per device × model × options.
    pub launches: u32,
    /// Devices (and builds) take turns, sample by sample, so that drift hits all alike.
    pub paired: bool,
    /// When to stop repeating.
    pub sampling: Sampling,
    /// How long each phase may take.
    pub deadlines: Deadlines,
    /// Cells that are left out, with the reason.
    pub except: Vec<Except>,
    /// Limits that later verbs judge.
    pub budgets: Vec<Budget>,
    /// What tests of quality are asked on.
    pub quality: quality::Asked,
    /// What tests of workloads are asked on.
    pub workload: workload::Asked,
    /// Answers are verified before anything is measured. Off only for devices that make answers up.
    pub verify: bool,
}

impl Suite {
    /// Parses a suite; `file` is its name in errors.
    pub fn parse(file: &str, text: &str) -> Result<Suite, Error> {
        wire::parse(file, text)
    }

    /// Reads and parses a suite file.
    pub fn read(path: &std::path::Path) -> Result<Suite, Error> {
        let file = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|source| Error::Io { file: file.clone(), source })?;
        Suite::parse(&file, &text)
    }
}

/// When to stop warming up and repeating one test in one launch.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sampling {
    /// Repetitions that are always made.
    pub min_repetitions: u32,
    /// Repetitions that are never exceeded.
    pub max_repetitions: u32,
    /// After this long no further repetition starts, once the minimum is reached.
    pub max_seconds: f64,
    /// Stop when the 95 % interval of the median is at most this far to either side, as a fraction of the median.
    pub interval: f64,
    /// Longest warm-up; it ends earlier when two consecutive blocks agree within 5 %.
    pub warm_up_seconds: f64,
}

impl Default for Sampling {
    fn default() -> Sampling {
        Sampling {
            min_repetitions: 5,
            max_repetitions: 100,
            max_seconds: 5.0,
            interval: 0.01,
            warm_up_seconds: 1.0,
        }
    }
}

/// How long each phase of a worker may take before it is killed.
#[derive(Clone, Debug, PartialEq)]
pub struct Deadlines {
    /// Start of the process to its hello.
    pub hello: Duration,
    /// Listing one backend's devices.
    pub devices: Duration,
    /// Planning one launch.
    pub plan: Duration,
    /// Loading a model.
    pub load: Duration,
    /// The device's answers, and the reference's.
    pub verify: Duration,
    /// Filling the context to a test's depth.
    pub prepare: Duration,
    /// Beyond `warm_up_seconds`: the repetition under way at the cap.
    pub warm_up: Duration,
    /// All repetitions of one test.
    pub sample: Duration,
    /// One read-bandwidth measurement.
    pub ceiling: Duration,
    /// Leaving after being asked to.
    pub stop: Duration,
    /// Longest silence of a worker that should send a heartbeat twice a second.
    pub heartbeat: Duration,
}

impl Default for Deadlines {
    fn default() -> Deadlines {
        let seconds = Duration::from_secs;
        Deadlines {
            hello: seconds(15),
            devices: seconds(60),
            plan: seconds(15),
            load: seconds(600),
            verify: seconds(900),
            prepare: seconds(600),
            warm_up: seconds(300),
            sample: seconds(900),
            ceiling: seconds(60),
            stop: seconds(2),
            heartbeat: seconds(60),
        }
    }
}

impl Deadlines {
    /// The deadline of a phase.
    pub fn of(&self, phase: Phase) -> Duration {
        match phase {
            Phase::Hello => self.hello,
            Phase::Devices => self.devices,
            Phase::Plan => self.plan,
            Phase::Load => self.load,
            Phase::Verify => self.verify,
            Phase::Prepare => self.prepare,
            Phase::WarmUp => self.warm_up,
            Phase::Sample => self.sample,
            Phase::Ceiling => self.ceiling,
            Phase::Stop => self.stop,
        }
    }
}

/// Cells left out on purpose; they appear as skipped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Except {
    /// Which.
    pub scope: Scope,
    /// Why.
    pub reason: String,
}

/// A limit on a metric.
#[derive(Clone, Debug, PartialEq)]
pub struct Budget {
    /// What is limited.
    pub metric: Metric,
    /// Which way is better: `Higher` makes the threshold a floor, `Lower` a ceiling.
    pub direction: Direction,
    /// The limit.
    pub threshold: Threshold,
    /// The cells it holds for.
    pub scope: Scope,
}

/// A budget's limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Threshold {
    /// In the metric's unit.
    Value(f64),
    /// Largest change for the worse against a baseline, percent.
    Percent(f64),
}

#[cfg(test)]
mod tests;
