//! One kernel in one launch: warm-up, then all sides by turns in random order.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use yardstick_api::Known;
use yardstick_api::slices::{Answer, Request, Sampled};
use yardstick_measure::plan::Shuffle;

use super::worker::Worker;
use crate::session::Cost;
use crate::{Arm, Error, Sides};

/// A sample takes about so long, by as many calls as that needs.
const SAMPLE: Duration = Duration::from_micros(800);
/// Most calls of a sample.
const MOST_CALLS: usize = 1 << 20;
/// Rounds of a warm-up block.
const BLOCK: usize = 6;
/// Two blocks closer than this are steady.
const STEADY: f64 = 0.05;
/// Longest warm-up.
const WARM_UP: Duration = Duration::from_secs(1);
/// Fewest rounds that make a launch's median.
const FEWEST: usize = 12;

/// Files that `publish` answered.
pub(super) type Files = Sides<HashMap<String, Option<PathBuf>>>;

/// Fresh processes of all sides.
pub(super) struct Turns<'a> {
    pub(super) workers: Sides<Worker>,
    pub(super) files: &'a Files,
    /// Calls of a sample, found once a kernel.
    pub(super) calls: &'a mut HashMap<String, usize>,
    pub(super) shuffle: &'a mut Shuffle,
    pub(super) cancel: &'a AtomicBool,
}

impl Turns<'_> {
    /// What the kernel costs on every side, round by round; for at least `seconds`.
    pub(super) fn kernel(&mut self, kernel: &str, seconds: f64) -> Result<Sides<Vec<Cost>>, Error> {
        let files = self.files;
        let slices = self.workers.each(|arm, worker| {
            let file = files.get(arm).get(kernel).cloned().flatten();
            prepare(worker, kernel, file)
        })?;
        let calls = self.calls(kernel, &slices)?;
        let mut rounds = Rounds { turns: self, slices, calls, next: 0 };
        rounds.warm_up()?;
        rounds.measure(Duration::from_secs_f64(seconds))
    }

    fn calls(&mut self, kernel: &str, slices: &Sides<usize>) -> Result<usize, Error> {
        if let Some(calls) = self.calls.get(kernel) {
            return Ok(*calls);
        }
        let mut calls = 1;
        // The first call pays for what is not mapped yet.
        sample(&mut self.workers.base, 0, calls, slices.base)?;
        let aim = SAMPLE.as_nanos() as f64;
        loop {
            let taken = sample(&mut self.workers.base, calls, calls, slices.base)?;
            let ns = cost(&taken).primary.max(1.0);
            if ns >= aim / 4.0 || calls >= MOST_CALLS {
                let each = ns / calls as f64;
                calls = ((aim / each).round() as usize).clamp(1, MOST_CALLS);
                break;
            }
            calls *= 2;
        }
        self.calls.insert(kernel.to_owned(), calls);
        Ok(calls)
    }
}

struct Rounds<'t, 'a> {
    turns: &'t mut Turns<'a>,
    slices: Sides<usize>,
    calls: usize,
    /// Slice of the next sample, on whichever side: what one has just read is in the cache for none.
    next: usize,
}

impl Rounds<'_, '_> {
    /// Until two blocks agree, or long enough.
    fn warm_up(&mut self) -> Result<(), Error> {
        let start = Instant::now();
        let mut before: Option<f64> = None;
        while start.elapsed() < WARM_UP {
            let mut sum = 0.0;
            for _ in 0..BLOCK {
                let round = self.round()?;
                sum += Arm::ALL.iter().map(|arm| round.get(*arm).primary).sum::<f64>();
            }
            if before.is_some_and(|before| (sum / before - 1.0).abs() < STEADY) {
                break;
            }
            before = Some(sum);
        }
        Ok(())
    }

    fn measure(&mut self, long: Duration) -> Result<Sides<Vec<Cost>>, Error> {
        let mut all: Sides<Vec<Cost>> =
            Sides { base: Vec::new(), control: Vec::new(), candidate: Vec::new() };
        let start = Instant::now();
        while start.elapsed() < long || all.base.len() < FEWEST {
            let round = self.round()?;
            Arm::ALL.iter().for_each(|arm| all.get_mut(*arm).push(round.get(*arm).clone()));
        }
        Ok(all)
    }

    /// One sample of every side.
    fn round(&mut self) -> Result<Sides<Cost>, Error> {
        if self.turns.cancel.load(Ordering::Relaxed) {
            return Err(Error::Interrupted);
        }
        let mut order = Arm::ALL;
        self.turns.shuffle.shuffle(&mut order);
        let none = || Cost { primary: 0.0, wall: None };
        let mut round = Sides { base: none(), control: none(), candidate: none() };
        for arm in order {
            let worker = self.turns.workers.get_mut(arm);
            let taken = sample(worker, self.next, self.calls, *self.slices.get(arm))?;
            self.next += self.calls;
            *round.get_mut(arm) = cost(&taken);
        }
        Ok(round)
    }
}

impl Sides<Worker> {
    /// Something of each, which changes it.
    pub(super) fn each<Q>(
        &mut self,
        mut of: impl FnMut(Arm, &mut Worker) -> Result<Q, Error>,
    ) -> Result<Sides<Q>, Error> {
        Ok(Sides {
            base: of(Arm::Base, &mut self.base)?,
            control: of(Arm::Control, &mut self.control)?,
            candidate: of(Arm::Candidate, &mut self.candidate)?,
        })
    }
}

/// CPU time where it is known, with the wall time beside it.
fn cost(sampled: &Sampled) -> Cost {
    let wall = sampled.wall_ns as f64;
    match sampled.cpu_ns {
        Known::Value(cpu) => Cost { primary: cpu as f64, wall: Some(wall) },
        Known::Unavailable { .. } => Cost { primary: wall, wall: None },
    }
}

/// Makes a kernel ready; how many slices it has.
pub(super) fn prepare(
    worker: &mut Worker,
    kernel: &str,
    file: Option<PathBuf>,
) -> Result<usize, Error> {
    match worker.ask(&Request::Prepare { kernel: kernel.to_owned(), file })? {
        Answer::Prepared { slices } => Ok(slices.max(1)),
        other => Err(worker.unexpected(&other)),
    }
}

fn sample(worker: &mut Worker, at: usize, calls: usize, slices: usize) -> Result<Sampled, Error> {
    match worker.ask(&Request::Sample { slice: at % slices, calls })? {
        Answer::Sampled(sampled) => Ok(sampled),
        other => Err(worker.unexpected(&other)),
    }
}
