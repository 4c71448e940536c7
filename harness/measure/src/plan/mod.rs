//! Plans: a suite, the devices found and the models named become launches and skipped cells. Measures nothing;
//! everything that can be known to be wrong is wrong here.

mod excepted;
mod expand;
mod models;
mod overrides;
mod reference;
mod schedule;
mod select;
mod shuffle;

use yardstick_api::{Device, Known, Options};
use yardstick_record::{Subject, Test};

use crate::quality::{self, Asked, Material};
use crate::workload::{self, Workloads};

use crate::suite::{Budget, Deadlines, Sampling, ValueError};

pub use expand::expand;
pub use models::{Catalogue, ModelRequest, ModelSource, resolve};
pub use overrides::Overrides;
pub use select::{Found, Inventory, Role, Selected, select};
pub use shuffle::Shuffle;

/// What a run will do.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The suite's name.
    pub suite: String,
    /// The suite's prose.
    pub analysis: String,
    /// Seed of the shuffled order.
    pub seed: u64,
    /// Every model named, each once.
    pub models: Vec<ModelRequest>,
    /// Worker processes, in the order they run; those of one pair are neighbours.
    pub launches: Vec<Launch>,
    /// Cells that will not run here.
    pub skipped: Vec<Skipped>,
    /// When to stop repeating.
    pub sampling: Sampling,
    /// How long phases may take.
    pub deadlines: Deadlines,
    /// Limits that later verbs judge.
    pub budgets: Vec<Budget>,
    /// Answers are verified first.
    pub verify: bool,
    /// What tests of quality are asked on, as the suite and flags said it.
    pub asked: Asked,
    /// The same as it was read.
    pub material: Material,
    /// What tests of workloads are asked on, as the suite and flags said it.
    pub asked_workload: workload::Asked,
    /// The same as it was read.
    pub workloads: Workloads,
    /// For each measured model, in order: the index of the one whose answers count as right, where a test compares.
    pub references: Vec<Option<usize>>,
    /// Devices of this program that compute exactly, the fastest kind first: one of them answers for the reference weights.
    pub exact: Vec<Device>,
}

impl Plan {
    /// Cells that will be measured, over all launches.
    pub fn cells(&self) -> usize {
        self.launches.iter().map(|launch| launch.tests.len()).sum()
    }

    /// Index of the model that a measured model is held against.
    pub fn reference(&self, model: usize) -> Option<usize> {
        self.references.get(model).copied().flatten()
    }

    /// What a test of a model is asked on, for its cell.
    pub fn subject(&self, model: usize, test: Test) -> Option<Subject> {
        if let Test::Together { .. } = test {
            return self.neighbours(model);
        }
        if test.is_workload() {
            return self.workloads.subject(test);
        }
        let against = self.reference(model).filter(|_| test.has_reference());
        Some(Subject {
            data: self.material.data(test)?.name.clone(),
            sha256: self.material.identity(test)?,
            reference: against.map(|index| self.models[index].name.clone()),
        })
    }
}

impl Plan {
    /// The other models of the run, which share the device with this one: beside others it is another cell.
    fn neighbours(&self, model: usize) -> Option<Subject> {
        let others = self.models.iter().enumerate().filter(|(index, _)| *index != model);
        let names: Vec<&str> = others.map(|(_, other)| other.name.as_str()).collect();
        let data = format!("with {}", names.join(", "));
        let sha256 = quality::data::hash(data.as_bytes());
        (!names.is_empty()).then_some(Subject { data, sha256, reference: None })
    }
}

/// One worker process: some tests of one device × model × options.
#[derive(Clone, Debug, PartialEq)]
pub struct Launch {
    /// Number of the launch of its device × model × options, from 0.
    pub number: u32,
    /// Position of its device × model × options as named: launches run in a shuffled order.
    pub place: usize,
    /// The device.
    pub device: Device,
    /// Index of the worker that has it, in the inventory's order.
    pub worker: usize,
    /// Label of the build that runs it.
    pub build: Option<String>,
    /// Index into [`Plan::models`].
    pub model: usize,
    /// Options asked for.
    pub options: Options,
    /// Tests in the order they run.
    pub tests: Vec<Test>,
    /// Launches of one number take turns with each other; `None`: it runs alone.
    pub pair: Option<usize>,
    /// Positions that the questions of its tests take at most.
    pub room: usize,
}

/// A device and the build that runs it, as one word: `cpu:avx2`, `cpu:avx2 base`.
pub fn member(device: &str, build: Option<&str>) -> String {
    build.map_or_else(|| device.to_owned(), |build| format!("{device} {build}"))
}

impl Launch {
    /// Its name among those it takes turns with.
    pub fn member(&self) -> String {
        member(&self.device.id, self.build.as_deref())
    }

    /// The options a worker loads with: those asked for, the context sized to the tests and the verification.
    pub fn effective(&self) -> Options {
        let needed =
            self.tests.iter().map(|test| test.positions()).max().unwrap_or(1).max(self.room);
        let context = self.options.context.unwrap_or(needed.max(yardstick_api::verify::CONTEXT));
        Options { context: Some(context), ..self.options.clone() }
    }
}

/// A cell that will not run here.
#[derive(Clone, Debug, PartialEq)]
pub struct Skipped {
    /// Device id.
    pub device_id: String,
    /// The device, where it exists.
    pub device: Known<Device>,
    /// Label of the build that would run it.
    pub build: Option<String>,
    /// Index into [`Plan::models`].
    pub model: usize,
    /// Options asked for.
    pub options: Options,
    /// The test.
    pub test: Test,
    /// Why.
    pub reason: String,
    /// One line that would change that.
    pub fix: Option<String>,
}

/// A plan that cannot be made: nothing was measured.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A device selector that matches nothing.
    #[error("device {found:?} is not known here; there is {known}")]
    UnknownDevice {
        /// The selector.
        found: String,
        /// What there is.
        known: String,
    },
    /// A model that is neither a file, a store's name nor a preset.
    #[error(
        "model {found:?} is neither an existing file, a name (ollama:, hf:) nor a preset; presets: {presets}"
    )]
    UnknownModel {
        /// As written.
        found: String,
        /// What there is.
        presets: String,
    },
    /// A name that no store can have.
    #[error("{message}")]
    Name {
        /// What is wrong, and how it is written right.
        message: String,
    },
    /// A folder, a pipe or a device.
    #[error("model {found:?} is not a regular file; give the path of a .gguf file")]
    NotAFile {
        /// As written.
        found: String,
    },
    /// A preset that cannot be changed like this.
    #[error("{message}")]
    Override {
        /// What is wrong, and what could be.
        message: String,
    },
    /// A format presets are not written in.
    #[error("model {model:?}: quantisation {found:?} is not known; known: {known}")]
    UnknownQuantisation {
        /// The model.
        model: String,
        /// As written.
        found: String,
        /// What there is.
        known: String,
    },
    /// A preset without a format.
    #[error(
        "model {model:?} needs a quantisation: write {model}:Q4_0, or list quantisations in the suite"
    )]
    NoQuantisation {
        /// The model.
        model: String,
    },
    /// Verification switched off for a device that computes.
    #[error(
        "verification is off, but {device} computes real answers: no number without proof; \
         remove `verify = false`, or name only devices that make answers up"
    )]
    Unverified {
        /// The device.
        device: String,
    },
    /// More work than anyone means.
    #[error("the plan has {found} {what}, at most {most} are allowed; shorten a list")]
    TooLarge {
        /// How many.
        found: usize,
        /// Of what.
        what: &'static str,
        /// The cap.
        most: usize,
    },
    /// An override that cannot be used.
    #[error("{key}: {error}")]
    Value {
        /// Which.
        key: &'static str,
        /// Why.
        error: ValueError,
    },
    /// One device, one build: nothing to take turns with.
    #[error(
        "only {found} is named, nothing to take turns with: name two devices (--devices cpu,reference) or two builds \
         (--build base=FILE --build candidate=FILE)"
    )]
    NothingToPair {
        /// What there is.
        found: String,
    },
    /// A text or questions that cannot be used.
    #[error("{0}")]
    Quality(#[from] quality::Error),
    /// A name in a scope that nothing can have.
    #[error("{place}: {key} {found:?} matches nothing; there is {known}")]
    MatchesNothing {
        /// `[[except]] 1`, counted from 1.
        place: String,
        /// The scope's key.
        key: &'static str,
        /// As written.
        found: String,
        /// What it could have matched.
        known: String,
    },
    /// No selector matched a usable or missing device.
    #[error("no device to run on: {known}")]
    NoDevice {
        /// What there is.
        known: String,
    },
}

#[cfg(test)]
mod tests;
