//! Several processes at once: each makes its repetitions alone, then all make them in the same seconds.

use std::time::Duration;

use yardstick_record::{Member, Outcome, Phase, Sample, TOGETHER_TOKENS, Test, Together, Workload};

use super::{Measured, Measuring, Trouble};
use crate::child::{CallError, Child, Partial};
use crate::protocol::{Answer, Call, Load};
use crate::runner::Prepared;
use crate::runner::credible::{impossible, misplaced};
use crate::runner::verify::verify;
use crate::suite::Sampling;

/// What each process repeats.
const TEST: Test = Test::Generate { tokens: TOGETHER_TOKENS, depth: 0 };
/// For how long, each alone and then all at once.
const SAMPLING: Sampling = Sampling {
    min_repetitions: 3,
    max_repetitions: 100_000,
    max_seconds: 2.0,
    interval: 0.0,
    warm_up_seconds: 0.5,
};

impl Measuring<'_, '_, '_> {
    pub(super) fn together(
        &mut self,
        child: &mut Child,
        processes: usize,
        measured: &mut Measured,
    ) -> Result<Workload, Trouble> {
        // The cell's own model first, then the others of the run by turns.
        let others = self.models.iter().filter_map(|model| model.as_ref().ok());
        let others = others.filter(|model| model.path != self.model.path);
        let models: Vec<&Prepared> = std::iter::once(self.model).chain(others).collect();
        let model = |index: usize| models[index % models.len()];
        let mut more = Vec::new();
        for index in 1..processes {
            more.push(self.another(model(index))?);
        }
        let mut children: Vec<&mut Child> = std::iter::once(child).chain(more.iter_mut()).collect();
        let mut alone = Vec::new();
        for child in &mut children {
            self.ready(child)?;
            alone.push(self.sample(child)?);
        }
        let crowded = self.all_at_once(&mut children)?;
        let mut members = Vec::new();
        for (index, (alone, crowded)) in alone.into_iter().zip(crowded).enumerate() {
            let mut put = |samples: Vec<Sample>| {
                let from = measured.samples.len() as u64;
                measured.samples.extend(samples);
                (from, measured.samples.len() as u64)
            };
            let name = model(index).reference.name.clone();
            members.push(Member { model: name, alone: put(alone), together: put(crowded) });
        }
        more.into_iter().for_each(Child::stop);
        Ok(Workload::Together(Together { members }))
    }

    /// One more process with the same device and options, verified as the first one was.
    fn another(&self, model: &Prepared) -> Result<Child, Trouble> {
        let (run, options) = (self.run, self.launch.effective());
        let command = &run.worker(self.launch).command;
        let (mut child, _) =
            Child::start_with_threads(command, options.threads, &run.plan.deadlines, run.cancel)?;
        let call = Call::Load(Load {
            device: self.launch.device.id.clone(),
            model: model.path.display().to_string(),
            options: options.clone(),
        });
        let facts = match child.call(call, Phase::Load, run.cancel, &mut |_| {})? {
            Answer::Loaded { facts, .. } => facts,
            other => return Err(child.unexpected(Phase::Load, &other).into()),
        };
        if let Some(reason) = misplaced(self.launch, &options, &facts) {
            return Err(Trouble::Outcome(Outcome::Invalid { reason }));
        }
        match verify(run, self.launch, model, &mut child, &facts)? {
            Ok(_) => Ok(child),
            Err(refused) => Err(Trouble::Outcome(refused.outcome)),
        }
    }

    fn ready(&self, child: &mut Child) -> Result<(), Trouble> {
        let cancel = self.run.cancel;
        match child.call(Call::Prepare { test: TEST }, Phase::Prepare, cancel, &mut |_| {})? {
            Answer::Prepared => {}
            other => return Err(child.unexpected(Phase::Prepare, &other).into()),
        }
        let seconds = SAMPLING.warm_up_seconds;
        let call = Call::WarmUp { test: TEST, seconds };
        match child.call(call, Phase::WarmUp, cancel, &mut |_| {})? {
            Answer::WarmedUp { .. } => Ok(()),
            other => Err(child.unexpected(Phase::WarmUp, &other).into()),
        }
    }

    fn sample(&self, child: &mut Child) -> Result<Vec<Sample>, Trouble> {
        let sampled = sample(child, self.run.cancel)?;
        self.credible(sampled)
    }

    fn all_at_once(&self, children: &mut [&mut Child]) -> Result<Vec<Vec<Sample>>, Trouble> {
        let cancel = self.run.cancel;
        let ends: Vec<Result<Sampled, CallError>> = std::thread::scope(|scope| {
            let threads: Vec<_> = children
                .iter_mut()
                .map(|child| scope.spawn(move || sample(child, cancel)))
                .collect();
            // Where the harness itself failed, its panic goes on.
            let join = |thread: std::thread::ScopedJoinHandle<'_, _>| match thread.join() {
                Ok(end) => end,
                Err(panic) => std::panic::resume_unwind(panic),
            };
            threads.into_iter().map(join).collect()
        });
        ends.into_iter().map(|end| self.credible(end?)).collect()
    }

    fn credible(&self, (samples, elapsed): Sampled) -> Result<Vec<Sample>, Trouble> {
        match impossible(TEST, self.launch.options.sequences, &samples, elapsed) {
            Some(flaw) => Err(Trouble::Flaw(flaw)),
            None => Ok(samples),
        }
    }
}

/// Samples, and the parent's time around their call.
type Sampled = (Vec<Sample>, Duration);

fn sample(child: &mut Child, cancel: &std::sync::atomic::AtomicBool) -> Result<Sampled, CallError> {
    let mut samples = Vec::new();
    let start = std::time::Instant::now();
    let call = Call::Sample { test: TEST, sampling: SAMPLING };
    let answer = child.call(call, Phase::Sample, cancel, &mut |partial| {
        if let Partial::Samples(new) = partial {
            samples.extend(new);
        }
    })?;
    let elapsed = start.elapsed();
    match answer {
        Answer::Sampled { repetitions, .. } if repetitions as usize == samples.len() => {
            Ok((samples, elapsed))
        }
        other => Err(child.unexpected(Phase::Sample, &other)),
    }
}
