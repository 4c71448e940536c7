//! Cold starts: fresh processes, timed by the parent from before each to its first token, with the files that the launch's own
//! process had mapped let go of by the page cache before. The launch's own process keeps no model meanwhile: mapped pages would stay.

use std::path::PathBuf;
use std::time::Instant;

use yardstick_api::Known;
use yardstick_record::{Cold, Phase, Sample, Start, Workload};

use super::{Measured, Measuring, Trouble};
use crate::child::Child;
use crate::page_cache::{forget, mapped};
use crate::protocol::{Answer, Call, Load};
use crate::runner::Event;
use crate::runner::launch::Halt;

/// Starts of a launch.
const STARTS: usize = 6;

impl Measuring<'_, '_, '_> {
    pub(super) fn cold(
        &mut self,
        child: &mut Child,
        measured: &mut Measured,
    ) -> Result<Workload, Trouble> {
        let cancel = self.run.cancel;
        let mut weights = mapped(child.id());
        weights.push(self.model.path.clone());
        match child.call(Call::Unload, Phase::Load, cancel, &mut |_| {})? {
            Answer::Unloaded => {}
            other => return Err(child.unexpected(Phase::Load, &other).into()),
        }
        let mut cold = Cold { starts: Vec::new() };
        let epoch = child.greeted();
        let mut started = Ok(());
        for done in 0..STARTS {
            self.output.event(Event::Progress { done: done as u64, total: STARTS as u64 });
            match self.start_once(epoch, &weights) {
                Ok((start, sample)) => {
                    cold.starts.push(start);
                    measured.samples.push(sample);
                }
                Err(trouble) => {
                    started = Err(trouble);
                    break;
                }
            }
        }
        self.load_again(child)?;
        started.map(|()| Workload::Cold(cold))
    }

    /// The launch's process gets its model back; what its first load took stays in the records.
    fn load_again(&mut self, child: &mut Child) -> Result<(), Trouble> {
        let first = self.context.load_ns.clone();
        let loaded = self.load(child);
        self.context.load_ns = first;
        match loaded {
            Ok(_) => Ok(()),
            Err(Halt::All(outcome)) => Err(Trouble::Outcome(outcome)),
            Err(Halt::Interrupted) => Err(Trouble::Call(crate::child::CallError::Interrupted)),
            Err(Halt::Stop(error)) => Err(Trouble::failed(error.to_string())),
        }
    }

    fn start_once(&self, epoch: Instant, weights: &[PathBuf]) -> Result<(Start, Sample), Trouble> {
        let (run, options) = (self.run, self.launch.effective());
        let cached_percent = forget_all(weights);
        let command = &run.worker(self.launch).command;
        let start = Instant::now();
        let (mut child, _) =
            Child::start_with_threads(command, options.threads, &run.plan.deadlines, run.cancel)?;
        let hello = start.elapsed();
        let call = Call::Load(Load {
            device: self.launch.device.id.clone(),
            model: self.model.path.display().to_string(),
            options,
        });
        match child.call(call, Phase::Load, run.cancel, &mut |_| {})? {
            Answer::Loaded { .. } => {}
            other => return Err(child.unexpected(Phase::Load, &other).into()),
        }
        let loaded = start.elapsed();
        let call = Call::Generate { tokens: vec![0], n: 1 };
        match child.call(call, Phase::Sample, run.cancel, &mut |_| {})? {
            Answer::Generated { ids } if ids.len() == 1 => {}
            other => return Err(child.unexpected(Phase::Sample, &other).into()),
        }
        let whole = start.elapsed();
        child.stop();
        let ns = |time: std::time::Duration| time.as_nanos() as u64;
        let parts = Start {
            hello_ns: ns(hello),
            load_ns: ns(loaded - hello),
            first_ns: ns(whole - loaded),
            cached_percent,
        };
        let sample = Sample {
            started_ns: ns(start.saturating_duration_since(epoch)),
            nanoseconds: ns(whole),
            tokens: 1,
            cpu_ns: None,
            emits_ns: vec![ns(whole)],
            marks: Vec::new(),
        };
        Ok((parts, sample))
    }
}

/// Lets go of all of them; the largest share of one that stayed, or why that of one is unknown.
fn forget_all(files: &[PathBuf]) -> Known<f64> {
    let mut worst = Known::Value(0.0);
    for file in files {
        worst = match (worst, forget(file)) {
            (Known::Value(worst), Known::Value(share)) => Known::Value(share.max(worst)),
            (Known::Value(_), unknown) => unknown,
            (unknown, _) => unknown,
        };
    }
    worst
}
