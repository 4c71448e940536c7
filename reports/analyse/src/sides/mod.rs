//! Sides held against each other: runs, files, commits, devices, models or builds, joined by cell, sorted by what changed most.
//! Apart from [`crate::Comparison`], which sets every cell of some records in one table.

mod effect;
mod joined;
mod key;
mod lone;
mod refusal;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use yardstick_api::Known;
use yardstick_record::{Direction, Metric, Test};

use crate::{Brief, Difference, Drift, Estimate, Noise, Ratio};

pub use effect::Effect;
pub use refusal::Refusal;

/// One side.
#[derive(Clone, Debug)]
pub struct Side {
    /// As it was asked for.
    pub name: String,
    /// Its records.
    pub briefs: Vec<Brief>,
    /// What it was chosen by: sides may differ in that.
    pub by: By,
}

/// What a side was chosen by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// A run.
    Run,
    /// A file of records.
    File,
    /// The commit of the program that measured.
    Commit,
    /// A device or a backend: cells are joined across devices, by options as asked.
    Device,
    /// A model: cells are joined across models.
    Model,
    /// The label of a build: cells are joined across labels.
    Build,
}

/// Fewest digits that are taken for a commit, and for a model's hash.
const SHORTEST_COMMIT: usize = 7;
const SHORTEST_HASH: usize = 8;

impl By {
    /// Whether a record belongs to the side chosen by this value: a device or backend, a model's name or the beginning of its
    /// hash, the beginning of a commit, a build's label, a run's id. Files do not know.
    pub fn holds(self, brief: &Brief, value: &str) -> bool {
        let begins = |text: &Option<String>, least: usize| {
            value.len() >= least && text.as_ref().is_some_and(|text| text.starts_with(value))
        };
        match self {
            By::Commit => begins(&brief.commit, SHORTEST_COMMIT),
            By::Device => brief.device == value || brief.device.split(':').next() == Some(value),
            By::Model => brief.model == value || begins(&brief.sha256, SHORTEST_HASH),
            By::Build => brief.build.as_deref() == Some(value),
            By::Run => brief.run == value,
            By::File => false,
        }
    }
}

/// Sides, joined by cell. The first is the baseline.
#[derive(Clone, Debug, Serialize)]
pub struct Sides {
    /// Names and what they hold, in the order asked.
    pub sides: Vec<About>,
    /// Metrics of cells that at least the baseline or two sides have, those that changed most first.
    pub lines: Vec<Line>,
    /// Cells that are on some sides only, or have no numbers there.
    pub lone: Vec<Lone>,
    /// What else differs between the sides, and doubts.
    pub remarks: Vec<String>,
}

/// A side in numbers.
#[derive(Clone, Debug, Serialize)]
pub struct About {
    /// Name.
    pub name: String,
    /// What it was chosen by.
    pub by: By,
    /// Records.
    pub records: usize,
    /// Runs they belong to.
    pub runs: BTreeSet<String>,
    /// Machines they were measured on.
    pub machines: BTreeSet<String>,
    /// Programs that measured.
    pub programs: BTreeSet<String>,
    /// Models, by the head of their hash where known.
    pub models: BTreeSet<String>,
}

/// A cell as it is called: what all sides have in common.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Name {
    /// Device; `None` where sides are devices.
    pub device: Option<String>,
    /// Model; `None` where sides are models.
    pub model: Option<String>,
    /// The test.
    pub test: Test,
    /// Label of its build, where sides are none.
    pub build: Option<String>,
    /// Options that differ among the cells compared: `threads 2, kv f16`.
    pub setting: String,
}

/// One metric of one cell on all sides.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    /// The cell.
    pub cell: Name,
    /// The metric.
    pub metric: Metric,
    /// Its unit.
    pub unit: &'static str,
    /// Which way is better.
    pub better: Direction,
    /// It is what the test is about.
    pub headline: bool,
    /// A value a side, or why there is none.
    pub values: Vec<Known<Estimate>>,
    /// Each side against the first; the first has none.
    pub shifts: Vec<Option<Shift>>,
    /// Ids of the records, a list a side.
    pub records: Vec<Vec<String>>,
}

/// A side against the baseline.
#[derive(Clone, Debug, Serialize)]
pub struct Shift {
    /// By how much.
    pub effect: Effect,
    /// What that shows.
    pub difference: Difference,
    /// Whether it is better or worse, where a difference is shown.
    pub better: Option<bool>,
    /// Smallest relative difference that could be told from the machine's own noise.
    pub noise_floor: Known<f64>,
    /// The launches depend on when they ran.
    pub drift: Option<Drift>,
}

/// A cell that cannot be held against the baseline.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Lone {
    /// The cell.
    pub cell: Name,
    /// Sides that have numbers.
    pub on: Vec<String>,
    /// Those that have none, and why.
    pub missing: BTreeMap<String, String>,
}

impl Sides {
    /// Joins sides, two or more. `insist`: also across machines and across files of one model's name.
    pub fn join(sides: &[Side], noise: &[Noise], insist: bool) -> Result<Sides, Refusal> {
        joined::join(sides, noise, insist)
    }

    /// Lines in which some side shows a difference.
    pub fn shown(&self) -> impl Iterator<Item = &Line> {
        self.lines.iter().filter(|line| line.is_shown())
    }
}

impl Line {
    /// Some side shows a difference from the first.
    pub fn is_shown(&self) -> bool {
        self.shifts.iter().flatten().any(|shift| shift.difference == Difference::Shown)
    }
}

impl About {
    fn of(side: &Side) -> About {
        let all = |f: fn(&Brief) -> String| side.briefs.iter().map(f).collect();
        About {
            name: side.name.clone(),
            by: side.by,
            records: side.briefs.len(),
            runs: all(|brief| brief.run.clone()),
            machines: all(|brief| brief.machine.clone()),
            programs: all(|brief| brief.program.clone()),
            models: all(key::model),
        }
    }
}

/// The ratio of an effect, where it is one.
impl Shift {
    /// Ratio to the baseline; `None` where the effect is a difference.
    pub fn ratio(&self) -> Option<&Ratio> {
        match &self.effect {
            Effect::Ratio(ratio) => Some(ratio),
            Effect::Difference { .. } => None,
        }
    }
}
