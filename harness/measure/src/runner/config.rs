//! What a run needs to know, and how it ends.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, SystemTime};

use yardstick_api::Known;
use yardstick_model::Model;
use yardstick_probes::Probe;
use yardstick_record::{Cell, Environment, FailureKind, ModelRef, Outcome, Pairing, RunInfo, Tool};

use super::{SoakPlan, Worker};
use crate::plan::{ModelRequest, Plan};

/// How to start a worker: the program itself with `worker`, or any program that speaks the protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerCommand {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
}

/// Makes a model present and describes it, telling bytes done and bytes in all; the outcome of its cells if it cannot.
pub type Prepare<'a> =
    dyn Fn(&ModelRequest, &mut dyn FnMut(u64, u64)) -> Result<Prepared, Outcome> + 'a;

/// Everything a run needs.
pub struct Run<'a> {
    /// What to do.
    pub plan: &'a Plan,
    /// The programs that run models, as the inventory was made of them; the first is this one.
    pub workers: &'a [Worker],
    /// Id of the device whose answers are right. Without one nothing can be verified, so nothing is measured.
    pub oracle: Option<&'a str>,
    /// Folder in which the oracle's answers are kept.
    pub cache: &'a Path,
    /// The run, for its records.
    pub info: &'a RunInfo,
    /// This program, for its records.
    pub tool: &'a Tool,
    /// The machine and its state; asked once a launch, outside timed regions.
    pub environment: &'a dyn Fn() -> Environment,
    /// A command line that measures a cell again, with those it took turns with.
    pub rerun: &'a dyn Fn(&Cell, &ModelRequest, Option<&Pairing>) -> String,
    /// Fresh meters: one set for each worker that is watched.
    pub probes: &'a dyn Fn() -> Vec<Box<dyn Probe>>,
    /// Long enough for meters: every test is measured at least so long, with the loaded worker idle as long before and after.
    pub metered: Option<Duration>,
    /// Every test is a soak.
    pub soak: Option<SoakPlan>,
    /// Makes models present.
    pub prepare: &'a Prepare<'a>,
    /// Key and launch number of cells already measured, which are left out.
    pub done: &'a HashSet<(String, u32)>,
    /// Set to end the run: the worker is killed, what was measured is kept.
    pub cancel: &'a AtomicBool,
    /// When the limits are measured that results are held against.
    pub ceilings: Ceilings,
    /// A result that outside evidence speaks against is invalid, where it would be warned about.
    pub strict: bool,
    /// How far to go.
    pub stage: Stage,
}

/// When limits are measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ceilings {
    /// Never: nothing is held against them.
    Never,
    /// Once a launch.
    Once,
    /// Beside every test.
    EveryTest,
}

/// How far a run goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Stop after verification; makes no records.
    Verify,
    /// Measure.
    Measure,
}

/// The metadata key by which a written preset tells that its weights are random.
const PRESET_KEY: &str = "yardstick.preset";

/// A model that is there.
#[derive(Clone, Debug, PartialEq)]
pub struct Prepared {
    /// The file.
    pub path: PathBuf,
    /// Its identity.
    pub reference: ModelRef,
    /// Contexts beyond this are answered with other rotary factors.
    long_beyond: Option<usize>,
    stamp: Option<Stamp>,
}

/// What changes when a file is written to or replaced: length, time, and on Unix the file's number.
type Stamp = (u64, Option<SystemTime>, u64);

fn stamp(path: &Path) -> Option<Stamp> {
    let data = std::fs::metadata(path).ok()?;
    #[cfg(unix)]
    let number = std::os::unix::fs::MetadataExt::ino(&data);
    #[cfg(not(unix))]
    let number = 0;
    Some((data.len(), data.modified().ok(), number))
}

impl Prepared {
    /// Opens a file and describes it. Reads all of it for its hash unless that is known.
    pub fn open(name: &str, path: &Path, sha256: Option<String>) -> Result<Prepared, Outcome> {
        let stamp = stamp(path);
        let model = Model::open(path).map_err(outcome)?;
        let sha256 = sha256.map_or_else(|| model.sha256(), Ok).map_err(outcome)?;
        let info = model.info();
        let reference = ModelRef {
            name: name.to_owned(),
            sha256: Known::Value(sha256),
            architecture: Known::Value(info.architecture.name.to_owned()),
            quantisation: Known::Value(info.quantisation.clone()),
            parameters: Known::Value(info.parameters),
            file_bytes: Known::Value(info.file_bytes),
            tensor_bytes: Known::Value(info.tensor_bytes),
            random_weights: model
                .gguf()
                .display(PRESET_KEY)
                .map(|preset| format!("random weights of preset {preset}")),
        };
        let long_beyond = info.architecture.long_beyond();
        Ok(Prepared { path: path.to_owned(), reference, long_beyond, stamp })
    }

    /// The least context whose answers are those of a session with `context` positions, where answers depend on it.
    pub(super) fn rotary_context(&self, context: usize) -> Option<usize> {
        self.long_beyond.filter(|&beyond| context > beyond).map(|beyond| beyond.saturating_add(1))
    }

    /// Why records must no longer name its hash: the file is not the one that was hashed.
    pub(super) fn changed(&self) -> Option<String> {
        (stamp(&self.path) != self.stamp).then(|| {
            let path = self.path.display();
            format!("{path} was written to or replaced during the run, so its hash no longer holds")
        })
    }
}

/// A model nobody can run here is skipped; a broken one has failed.
fn outcome(error: yardstick_model::Error) -> Outcome {
    match error {
        yardstick_model::Error::Unsupported { .. } => {
            Outcome::Skipped { reason: error.to_string(), fix: None }
        }
        _ => Outcome::Failed { kind: FailureKind::Backend, message: error.to_string() },
    }
}

/// How a run went, in cells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Measured.
    pub ok: usize,
    /// Should have run and did not.
    pub failed: usize,
    /// Were never going to run here.
    pub skipped: usize,
    /// Ran, but not where or what was asked.
    pub invalid: usize,
    /// Were measured before and left out.
    pub resumed: usize,
    /// Launches whose answers were proven.
    pub verified: usize,
    /// Launches whose answers are wrong or could not be had; not those that were skipped for another reason.
    pub unverified: usize,
    /// Launches measured although their program gives no logits to verify.
    pub without_logits: usize,
    /// The run was cancelled.
    pub interrupted: bool,
}

/// Why a run could not go on.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The records cannot be kept.
    #[error("the run stopped because a record could not be stored: {0}")]
    Store(String),
    /// No worker, so no devices.
    #[error("the worker did not start: {0}")]
    Worker(String),
    /// A selector would mean two things.
    #[error("{what} is claimed by two workers, {first} and {second}; leave one out")]
    Claimed {
        /// The device or backend.
        what: String,
        /// One.
        first: String,
        /// The other.
        second: String,
    },
    /// The folder for answers cannot be used.
    #[error("{path}: {source}")]
    Cache {
        /// The folder.
        path: String,
        /// The system's own error.
        source: std::io::Error,
    },
    /// The run was cancelled before it measured anything.
    #[error("interrupted")]
    Interrupted,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_written_to_or_replaced_is_another_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model");
        std::fs::write(&path, "abc").unwrap();
        let first = stamp(&path);
        assert!(first.is_some());
        assert_eq!(first, stamp(&path));
        std::fs::write(&path, "abcd").unwrap();
        assert_ne!(first, stamp(&path), "written to");
        let second = stamp(&path);
        let other = folder.path().join("other");
        std::fs::write(&other, "abcd").unwrap();
        std::fs::rename(&other, &path).unwrap();
        assert_ne!(second, stamp(&path), "replaced");
        std::fs::remove_file(&path).unwrap();
        assert_eq!(stamp(&path), None);
    }
}
