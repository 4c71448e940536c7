//! What one side's kernels map and compute: remembered where it is, else asked of a worker, which is started when it is needed.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use yardstick_api::slices::{Answer, Request};

use super::compare::{drift, output};
use super::memory::{Contents, Memory};
use super::worker::Worker;
use crate::{Arm, Drift, Error, Program};

/// A side's kernels.
pub(super) struct Outputs<'a> {
    arm: Arm,
    program: &'a Program,
    worker: Option<Worker>,
    /// Where shared files lie.
    folder: &'a Path,
    memory: Option<Memory>,
    /// Shared files that were checked; many kernels have one.
    checked: HashSet<PathBuf>,
}

/// What a kernel maps and computes.
pub(super) struct Output {
    pub(super) shared: Option<PathBuf>,
    values: Vec<u8>,
}

impl Output {
    /// How far another's values are from these.
    pub(super) fn drift(&self, candidate: &Output) -> Drift {
        drift(&self.values, &candidate.values)
    }
}

impl<'a> Outputs<'a> {
    /// Of a program; `memory` is where what it computed is kept.
    pub(super) fn new(
        arm: Arm,
        program: &'a Program,
        folder: &'a Path,
        memory: Option<&Path>,
    ) -> Outputs<'a> {
        let memory = memory.and_then(|memory| Memory::of(program, memory));
        Outputs { arm, program, worker: None, folder, memory, checked: HashSet::new() }
    }

    /// Of one kernel.
    pub(super) fn of(&mut self, kernel: &str) -> Result<Output, Error> {
        match self.remembered(kernel) {
            Some(output) => Ok(output),
            None => self.computed(kernel),
        }
    }

    fn remembered(&mut self, kernel: &str) -> Option<Output> {
        let memory = self.memory.as_ref()?;
        let known = memory.get(kernel)?;
        let shared = match &known.shared {
            None => None,
            Some(shared) => {
                let file = self.folder.join(&shared.name);
                if !self.checked.contains(&file) {
                    self.checked.insert(shared.checked(self.folder)?);
                }
                Some(file)
            }
        };
        Some(Output { shared, values: memory.values(known)? })
    }

    fn computed(&mut self, kernel: &str) -> Result<Output, Error> {
        let mut worker = match self.worker.take() {
            Some(worker) => worker,
            None => Worker::start(self.arm, self.program)?,
        };
        let mut shared = self.publish(&mut worker, kernel)?;
        let folder = self.memory.is_some().then_some(self.folder);
        // A file elsewhere is not ours to check, nor to remember.
        let of = |shared: &Option<PathBuf>| {
            let file = shared.as_deref().filter(|file| file.parent() == folder);
            file.and_then(Contents::of)
        };
        let mut contents = of(&shared);
        if contents.as_ref().is_some_and(|found| !found.is_as_named()) {
            // Its writer went by name and length. Where the name is no hash of ours, this only costs time.
            shared.iter().for_each(|file| drop(std::fs::remove_file(file)));
            shared = self.publish(&mut worker, kernel)?;
            contents = of(&shared);
        }
        let to = self.folder.join(format!("{}-{}.out", std::process::id(), self.arm));
        let values = output(&mut worker, kernel, shared.as_deref(), &to)?;
        self.worker = Some(worker);
        if let Some(memory) = &mut self.memory
            && contents.is_some() == shared.is_some()
        {
            memory.keep(kernel, contents, &values)?;
        }
        Ok(Output { shared, values })
    }
}

impl Outputs<'_> {
    /// Has the worker write what all sides map.
    fn publish(&self, worker: &mut Worker, kernel: &str) -> Result<Option<PathBuf>, Error> {
        let folder = self.folder.to_owned();
        match worker.ask(&Request::Publish { kernel: kernel.to_owned(), folder })? {
            Answer::Published { file } => Ok(file),
            other => Err(worker.unexpected(&other)),
        }
    }
}

impl Drop for Outputs<'_> {
    fn drop(&mut self) {
        if let Some(memory) = &self.memory {
            memory.prune();
        }
    }
}
