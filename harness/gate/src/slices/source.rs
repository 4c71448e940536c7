//! Slice workers as what the gate measures.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use yardstick_analyse::gate::Launch;
use yardstick_api::slices::{Answer, Request};
use yardstick_measure::plan::Shuffle;

use super::compare::{drift, output};
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
    files: Files,
    calls: HashMap<String, usize>,
    shuffle: Shuffle,
    cancel: Arc<AtomicBool>,
}

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
            files: Sides { base: none(), control: none(), candidate: none() },
            calls: HashMap::new(),
            shuffle: Shuffle::new(seed),
            cancel,
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

    /// Writes what all sides map.
    fn publish(
        &mut self,
        worker: &mut Worker,
        arm: Arm,
        kernel: &str,
    ) -> Result<Option<PathBuf>, Error> {
        if let Some(file) = self.files.get(arm).get(kernel) {
            return Ok(file.clone());
        }
        let request = Request::Publish { kernel: kernel.to_owned(), folder: self.folder.clone() };
        let file = match worker.ask(&request)? {
            Answer::Published { file } => file,
            other => return Err(worker.unexpected(&other)),
        };
        self.files.get_mut(arm).insert(kernel.to_owned(), file.clone());
        Ok(file)
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
        let programs = self.programs.clone();
        let mut workers = programs.try_map(Worker::start)?;
        let mut drifts = Vec::new();
        for (index, test) in tests.iter().enumerate() {
            if self.cancel.load(std::sync::atomic::Ordering::Relaxed) {
                return Err(Error::Interrupted);
            }
            let mut values = Vec::new();
            for arm in [Arm::Base, Arm::Candidate] {
                let worker = workers.get_mut(arm);
                let shared = self.publish(worker, arm, test)?;
                let to = self.folder.join(format!("{}-{index}-{arm}.out", std::process::id()));
                values.push(output(worker, test, shared.as_deref(), &to)?);
            }
            // The control is the base's source: its data are the base's.
            let shared = self.files.base.get(test).cloned().flatten();
            self.files.control.insert(test.clone(), shared);
            drifts.push(drift(&values[0], &values[1]));
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
