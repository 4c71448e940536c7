//! Requests that arrive at a rate, and the search for the highest rate that meets the objective.

use std::time::Instant;

use yardstick_record::{Fate, Phase, RequestRun, Sample, Serve, Trial, Workload};

use super::{Measured, Measuring, Trouble, flaw};
use crate::child::{Child, escape};
use crate::protocol::{Answer, Arriving, Call, Gone, Queue};
use crate::runner::Event;
use crate::workload::arriving;

/// The search begins at this many times the rate at which a full queue was answered.
const ABOVE: f64 = 1.25;
/// And goes no lower than this share of it.
const LOWEST: f64 = 1.0 / 64.0;
/// It ends when what is met and what is not are this close.
const CLOSE: f64 = 1.08;

impl Measuring<'_, '_, '_> {
    /// One rate.
    pub(super) fn serve(
        &mut self,
        child: &mut Child,
        measured: &mut Measured,
    ) -> Result<Workload, Trouble> {
        let vocab = self.vocab()?;
        let rate = self.run.plan.workloads.load.rate;
        let mut serve = self.empty();
        let trial = self.trial(child, rate, vocab, measured)?;
        serve.trials.push(trial);
        Ok(Workload::Serve(serve))
    }

    /// The search: halving the interval between the highest rate that is met and the lowest above it that is not. Requests
    /// are the same at each rate, only when they come is not.
    pub(super) fn capacity(
        &mut self,
        child: &mut Child,
        measured: &mut Measured,
    ) -> Result<Workload, Trouble> {
        let vocab = self.vocab()?;
        let most = self.run.plan.workloads.load.trials as usize;
        let mut serve = self.empty();
        let full = self.full_rate(child, vocab)?;
        let (mut met, mut missed) = (None, None::<f64>);
        let mut rate = full * ABOVE;
        while serve.trials.len() < most {
            self.output
                .event(Event::Progress { done: serve.trials.len() as u64, total: most as u64 });
            let trial = self.trial(child, rate, vocab, measured)?;
            let is_met = serve.is_met(&trial, &measured.samples);
            serve.trials.push(trial);
            match is_met {
                true => met = Some(rate),
                false => missed = Some(rate),
            }
            rate = match (met, missed) {
                (Some(met), Some(missed)) if missed / met <= CLOSE => break,
                (Some(met), Some(missed)) => (met * missed).sqrt(),
                (Some(met), None) => met * 2.0,
                (None, Some(missed)) if missed <= full * LOWEST => break,
                (None, missed) => missed.unwrap_or(full) / 2.0,
            };
        }
        Ok(Workload::Serve(serve))
    }

    fn empty(&self) -> Serve {
        let load = &self.run.plan.workloads.load;
        Serve {
            arrivals: load.arrivals,
            seed: u64::from(load.seed),
            slots: self.launch.options.sequences as u64,
            queue: u64::from(load.queue),
            timeout_seconds: load.timeout,
            objective: load.objective,
            trials: Vec::new(),
        }
    }

    /// Requests per second where all are there at once, to begin the search with; they also bring caches and clocks up.
    fn full_rate(&self, child: &mut Child, vocab: usize) -> Result<f64, Trouble> {
        let load = &self.run.plan.workloads.load;
        let mut requests = arriving(load, 1.0, vocab);
        requests.truncate((4 * self.launch.options.sequences).max(8));
        requests.iter_mut().for_each(|request| request.at_ns = 0);
        let n = requests.len();
        let queue = Queue { requests, waiting: n, timeout_ns: u64::MAX };
        let (_, busy_ns, _) = self.call(child, queue)?;
        Ok(n as f64 * 1e9 / busy_ns.max(1) as f64)
    }

    fn trial(
        &self,
        child: &mut Child,
        rate: f64,
        vocab: usize,
        measured: &mut Measured,
    ) -> Result<Trial, Trouble> {
        let load = &self.run.plan.workloads.load;
        let requests = arriving(load, rate, vocab);
        let timeout_ns = (load.timeout * 1e9) as u64;
        let queue = Queue { requests: requests.clone(), waiting: load.queue as usize, timeout_ns };
        let (gone, busy_ns, skipped_ns) = self.call(child, queue)?;
        let samples = &mut measured.samples;
        let requests =
            requests.iter().zip(gone).map(|(asked, gone)| describe(asked, gone, samples)).collect();
        Ok(Trial { rate, busy_ns, skipped_ns, requests })
    }

    /// What became of the requests, where it can be true.
    fn call(&self, child: &mut Child, queue: Queue) -> Result<(Vec<Gone>, u64, u64), Trouble> {
        let asked = queue.requests.clone();
        let start = Instant::now();
        let call = Call::Serve(queue);
        let answer = child.call(call, Phase::Sample, self.run.cancel, &mut |_| {})?;
        let elapsed = start.elapsed();
        let (gone, busy_ns, skipped_ns) = match answer {
            Answer::Served { requests, busy_ns, skipped_ns } => (requests, busy_ns, skipped_ns),
            other => return Err(child.unexpected(Phase::Sample, &other).into()),
        };
        if gone.len() != asked.len() {
            let (found, due) = (gone.len(), asked.len());
            return Err(Trouble::Flaw(format!("told of {found} requests, expected {due}")));
        }
        if u128::from(busy_ns) > elapsed.as_nanos() {
            let message =
                format!("it says it was busy for {busy_ns} ns, the call took {elapsed:?}");
            return Err(Trouble::Flaw(message));
        }
        for (at, (gone, asked)) in gone.iter().zip(&asked).enumerate() {
            let wrong = match (gone.fate, &gone.sample) {
                (Fate::Done, None) => Some("is done and has no sample".to_owned()),
                (Fate::Done, Some(sample)) => flaw(sample, asked.n as u64, elapsed),
                (_, Some(sample)) => flaw(sample, sample.tokens, elapsed),
                (_, None) => None,
            };
            if let Some(wrong) = wrong {
                return Err(Trouble::Flaw(format!("request {} {wrong}", at + 1)));
            }
        }
        Ok((gone, busy_ns, skipped_ns))
    }
}

/// Puts a request's sample with the others.
fn describe(asked: &Arriving, gone: Gone, samples: &mut Vec<Sample>) -> RequestRun {
    let sample = gone.sample.map(|sample| {
        samples.push(sample);
        samples.len() as u64 - 1
    });
    RequestRun {
        arrived_ns: asked.at_ns,
        prompt: asked.prompt.len() as u64,
        asked: asked.n as u64,
        fate: gone.fate,
        sample,
        message: gone.message.map(|message| escape(&message).chars().take(300).collect()),
    }
}
