//! The calls that run tests: prepare, warm up, sample.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use yardstick_model::Model;
use yardstick_record::{Sample, Test};

use super::{Calls, Fault, Resident, Stop};
use crate::protocol::{Answer, Message};
use crate::steady;
use crate::suite::Sampling;
use crate::timed::{self, Repetition, Work};

/// Samples are sent at most this often: sending wakes the parent, which may share the device's cores.
const SEND_EVERY: Duration = Duration::from_secs(1);
/// Stamps sent in one message; keeps lines far below their cap.
const SEND_STAMPS: usize = 100_000;

impl Calls<'_> {
    pub(super) fn prepare(&mut self, id: u64, test: Test, stop: Stop<'_>) -> Result<Answer, Fault> {
        let output = self.output.clone();
        let resident = self.resident()?;
        let work = resident.work(test);
        let filled = std::mem::take(&mut resident.filled);
        work.fill(resident.session()?, filled, &mut |done, total| {
            let (done, total) = (done as u64, total as u64);
            let _ = output.send(&Message::Progress { id, done, total });
            if stop() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        if !stop() {
            resident.filled = test.depth();
        }
        Ok(Answer::Prepared)
    }

    pub(super) fn warm_up(
        &mut self,
        test: Test,
        seconds: f64,
        stop: Stop<'_>,
    ) -> Result<Answer, Fault> {
        let epoch = self.epoch;
        let resident = self.resident()?;
        let work = resident.ready(test)?;
        let cap = Duration::try_from_secs_f64(seconds)
            .map_err(|_| Fault::invalid("warm-up seconds must be a duration"))?;
        let warm_up = steady::warm_up(cap, || {
            if stop() {
                return Ok(None);
            }
            match resident.repeat(&work, test, epoch, stop)? {
                Repetition::Whole(sample) => Ok::<_, Fault>(Some(sample.nanoseconds)),
                Repetition::Stopped => Ok(None),
            }
        })?;
        Ok(Answer::WarmedUp { warm_up })
    }

    pub(super) fn sample(
        &mut self,
        id: u64,
        test: Test,
        sampling: &Sampling,
        stop: Stop<'_>,
    ) -> Result<Answer, Fault> {
        let (epoch, output) = (self.epoch, self.output.clone());
        let resident = self.resident()?;
        let work = resident.ready(test)?;
        let send = |samples: &mut Vec<Sample>| {
            let samples = std::mem::take(samples);
            let message = Message::Samples { id, samples };
            output.send(&message).map_err(|error| Fault::io("samples", &error))
        };
        let (mut times, mut pending, mut sent) = (Vec::new(), Vec::<Sample>::new(), Instant::now());
        while !stop() && !steady::enough(&times, sampling) {
            match resident.repeat(&work, test, epoch, stop)? {
                Repetition::Stopped => break,
                Repetition::Whole(sample) => {
                    times.push(sample.nanoseconds);
                    pending.push(sample);
                }
            }
            let stamps: usize = pending.iter().map(|sample| sample.emits_ns.len()).sum();
            if sent.elapsed() >= SEND_EVERY || stamps >= SEND_STAMPS {
                send(&mut pending)?;
                sent = Instant::now();
            }
        }
        if !pending.is_empty() {
            send(&mut pending)?;
        }
        let facts = resident.session()?.facts();
        Ok(Answer::Sampled { repetitions: times.len() as u32, facts })
    }
}

impl Resident<'_> {
    fn work(&self, test: Test) -> Work {
        Work::new(test, self.options.sequences, self.vocab)
    }

    /// The work, if `prepare` was called for its depth.
    fn ready(&self, test: Test) -> Result<Work, Fault> {
        if self.filled < test.depth() {
            return Err(Fault::invalid(format!("{test} was not prepared")));
        }
        Ok(self.work(test))
    }

    fn repeat(
        &mut self,
        work: &Work,
        test: Test,
        epoch: Instant,
        stop: Stop<'_>,
    ) -> Result<Repetition, Fault> {
        if test == Test::Load {
            return self.load_again(epoch);
        }
        // Positions beyond the test's depth are overwritten.
        self.filled = self.filled.min(test.depth());
        Ok(work.repeat(self.session()?, epoch, stop)?)
    }

    /// Times a load with the session and the file closed before.
    fn load_again(&mut self, epoch: Instant) -> Result<Repetition, Fault> {
        self.filled = 0;
        self.session = None;
        let (sample, session) = timed::load(epoch, || {
            let model = Arc::new(Model::open(&self.path)?);
            self.backend.load(&self.device, &model, &self.options)
        })?;
        self.session = Some(session);
        Ok(Repetition::Whole(sample))
    }
}
