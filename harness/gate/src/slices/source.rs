//! Slice workers as what the gate measures.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::SystemTime;

use yardstick_analyse::gate::Launch;
use yardstick_api::slices::{Answer, Request};
use yardstick_measure::plan::Shuffle;

use super::memory::prune;
use super::outputs::Outputs;
use super::turns::{Files, Turns};
use super::worker::Worker;
use crate::machine::Moment;
use crate::session::{Common, Cost, Measured, Source, launch_of};
use crate::{Arm, Drift, Error, Listed, Program, Sides};

/// Kernels of slice workers.
pub struct Slices {
    programs: Sides<Program>,
    /// Where files that all sides map are written.
    folder: PathBuf,
    /// Where it is kept what programs published and computed, if it may be.
    memory: Option<PathBuf>,
    files: Files,
    calls: HashMap<String, usize>,
    shuffle: Shuffle,
    cancel: Arc<AtomicBool>,
    /// That nobody removes files from the folder.
    lock: Option<File>,
}

/// Most bytes of files that sides map, of all comparisons; those used longest ago go.
const MOST_BYTES: u64 = 16 << 30;

impl Slices {
    /// Of these programs; `folder` is for files of some tens of MiB a kernel.
    pub fn new(
        programs: Sides<Program>,
        folder: PathBuf,
        seed: u64,
        cancel: Arc<AtomicBool>,
    ) -> Slices {
        let none = HashMap::new;
        Slices {
            programs,
            folder,
            memory: None,
            files: Sides { base: none(), control: none(), candidate: none() },
            calls: HashMap::new(),
            shuffle: Shuffle::new(seed),
            cancel,
            lock: None,
        }
    }

    /// Kernels of one side, and what tells their machine code apart.
    pub fn listed(&self, arm: Arm) -> Result<Listed, Error> {
        let mut worker = Worker::start(arm, self.programs.get(arm))?;
        match worker.ask(&Request::List)? {
            Answer::Kernels { kernels, anchor, apart } => Ok(Listed { kernels, anchor, apart }),
            other => Err(worker.unexpected(&other)),
        }
    }

    /// Keeps what programs published and computed in `folder`, and takes it from there. For programs that depend on nothing but
    /// themselves and the processor.
    pub fn remembering(mut self, folder: PathBuf) -> Slices {
        self.memory = Some(folder);
        self
    }
}

impl Source for Slices {
    fn tests(&mut self) -> Result<Common, Error> {
        let names = |arm| -> Result<Vec<String>, Error> {
            Ok(self.listed(arm)?.kernels.into_iter().map(|kernel| kernel.name).collect())
        };
        Ok(Common::of(&names(Arm::Base)?, &names(Arm::Candidate)?))
    }

    fn drift(&mut self, tests: &[String]) -> Result<Vec<Drift>, Error> {
        std::fs::create_dir_all(&self.folder).map_err(|error| Error::file(&self.folder, error))?;
        self.lock = Some(room(&self.folder)?);
        let memory = self.memory.as_deref();
        let Sides { base, candidate, .. } = &self.programs;
        let mut base = Outputs::new(Arm::Base, base, &self.folder, memory);
        let mut candidate = Outputs::new(Arm::Candidate, candidate, &self.folder, memory);
        let mut drifts = Vec::new();
        for test in tests {
            if self.cancel.load(std::sync::atomic::Ordering::Relaxed) {
                return Err(Error::Interrupted);
            }
            let (old, new) = (base.of(test)?, candidate.of(test)?);
            // The control is the base's source: its data are the base's.
            self.files.control.insert(test.clone(), old.shared.clone());
            self.files.base.insert(test.clone(), old.shared.clone());
            self.files.candidate.insert(test.clone(), new.shared.clone());
            for file in old.shared.iter().chain(&new.shared) {
                // The latest used; where the time cannot be set, the latest written.
                let _ = File::open(file).and_then(|file| file.set_modified(SystemTime::now()));
            }
            drifts.push(old.drift(&new));
        }
        Ok(drifts)
    }

    fn launch(
        &mut self,
        tests: &[String],
        seconds: f64,
        on: &mut dyn FnMut(usize, Measured),
    ) -> Result<(), Error> {
        let mut order: Vec<usize> = (0..tests.len()).collect();
        self.shuffle.shuffle(&mut order);
        let mut turns = Turns {
            workers: self.programs.try_map(Worker::start)?,
            files: &self.files,
            calls: &mut self.calls,
            shuffle: &mut self.shuffle,
            cancel: &self.cancel,
        };
        for index in order {
            let moment = Moment::now();
            let costs = turns.kernel(&tests[index], seconds)?;
            on(index, measured(&costs, &moment)?);
        }
        Ok(())
    }
}

/// A folder that keeps its files as long as the lock lives; while nobody has one, what is too much goes.
fn room(folder: &Path) -> Result<File, Error> {
    let path = folder.with_extension("lock");
    let told = |error| Error::file(&path, error);
    let lock = File::create(&path).map_err(told)?;
    if lock.try_lock().is_ok() {
        prune(folder, MOST_BYTES);
        lock.unlock().map_err(told)?;
    }
    lock.lock_shared().map_err(told)?;
    Ok(lock)
}

/// A launch's statistics of one kernel.
fn measured(costs: &Sides<Vec<Cost>>, moment: &Moment) -> Result<Measured, Error> {
    let primary =
        |arm| -> Vec<f64> { costs.get(arm).iter().map(|cost: &Cost| cost.primary).collect() };
    let [base, control, candidate] = Arm::ALL.map(primary);
    let launch = Launch::of_samples(&base, &candidate, Some(&control))?;
    let walls = |arm| -> Option<Vec<f64>> { costs.get(arm).iter().map(|cost| cost.wall).collect() };
    let wall = match Arm::ALL.map(walls) {
        [Some(base), Some(control), Some(candidate)] => {
            Some(launch_of(&base, &candidate, Some(&control), 0.25)?)
        }
        _ => None,
    };
    let evidence = moment.evidence();
    let apart = |launch: Launch| match &evidence {
        Some(evidence) => launch.apart(evidence.clone()),
        None => launch,
    };
    Ok(Measured {
        primary: apart(launch),
        wall: wall.map(apart),
        rounds: base.len(),
        seconds: moment.seconds(),
    })
}
