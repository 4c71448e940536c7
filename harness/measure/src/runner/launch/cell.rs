//! One cell: prepare, warm up, sample with the probes on, measure its ceiling, record.

use std::time::{Duration, Instant};

use yardstick_api::{Facts, Known};
use yardstick_record::{FailureKind, Outcome, Phase, Test, WarmUp};

use super::super::Event;
use super::super::credible::{impossible, misplaced};
use super::super::output::{Measured, now};
use super::disturbed::{disturbed, mark, timeline};
use super::{Halt, Measuring, failed, fault};
use crate::child::{CallError, Child, Loss, Partial};
use crate::protocol::{Answer, Call, FaultKind};

/// How a cell's calls ended.
pub(super) enum End {
    /// All of it: the parent's time around the calls, and what really ran.
    Sampled(Duration, Box<Facts>),
    /// A test of quality has its scores, a workload its samples.
    Scored,
    /// It cannot be had.
    Without(Outcome),
    /// A call failed.
    Error(CallError),
    /// What the worker says cannot be true.
    Flaw(String),
}

/// What became of a cell.
pub(super) enum Cell {
    /// It has its record; the worker may have been lost with it.
    Recorded(Option<Loss>),
    /// Its device was lost for the first time: it is tried again in a fresh worker.
    Again(Loss),
}

impl End {
    /// The device was lost, told by the worker or seen by its end.
    fn device_loss(&self) -> Option<Loss> {
        match self {
            End::Error(CallError::Fault { kind: FaultKind::DeviceLost, message, .. }) => {
                Some(Loss { kind: FailureKind::DeviceLost, message: message.clone() })
            }
            End::Error(CallError::Lost(loss)) if loss.kind == FailureKind::DeviceLost => {
                Some(loss.clone())
            }
            _ => None,
        }
    }
}

impl Measuring<'_, '_, '_> {
    /// Measures and records one cell, or leaves it to be tried once more. Tells how the worker was lost, if it was.
    pub(super) fn cell(&mut self, child: &mut Child, test: Test) -> Result<Cell, Halt> {
        let mut measured = self.begun(test);
        let end = if test.is_quality() {
            self.score(child, test, &mut measured)
        } else if test.is_workload() {
            self.workload(child, test, &mut measured)
        } else {
            self.calls(child, test, &mut measured)
        };
        if !self.device_lost
            && let Some(loss) = end.device_loss()
        {
            return Ok(Cell::Again(loss));
        }
        self.conclude(child, test, measured, end).map(Cell::Recorded)
    }

    /// Nothing yet, from now on.
    pub(super) fn begun(&self, test: Test) -> Measured {
        Measured {
            started: now(),
            pairing: self.pairing(test),
            readings: self.apart().into_iter().collect(),
            ..Measured::nothing("not reached")
        }
    }

    /// Judges, measures the ceiling and records.
    pub(super) fn conclude(
        &mut self,
        child: &mut Child,
        test: Test,
        mut measured: Measured,
        end: End,
    ) -> Result<Option<Loss>, Halt> {
        let (outcome, loss) = match end {
            End::Sampled(elapsed, facts) => (self.judge(test, &measured, elapsed, *facts), None),
            End::Scored => {
                let flaw = self.model.changed();
                (flaw.map_or(Outcome::Ok, |reason| Outcome::Invalid { reason }), None)
            }
            End::Without(outcome) => (outcome, None),
            End::Error(CallError::Interrupted) => {
                let n = measured.samples.len();
                let message = format!("interrupted after {n} samples");
                let outcome = Outcome::Failed { kind: FailureKind::Interrupted, message };
                self.output.record(self.run, &self.context, test, measured, outcome)?;
                return Err(Halt::Interrupted);
            }
            End::Flaw(reason) => (Outcome::Invalid { reason }, None),
            End::Error(CallError::Lost(loss)) => (failed(loss.clone()), Some(loss)),
            End::Error(CallError::Fault { kind, message, fix }) => {
                let outcome = fault(kind, message, fix);
                let loss = unusable(test, kind, &outcome);
                (outcome, loss)
            }
        };
        let mut loss = loss;
        if outcome.is_ok()
            && !test.is_quality()
            && !test.is_workload()
            && let Err(error) = self.hold(child, test, &mut measured)
        {
            loss = lost(error);
        }
        self.output.record(self.run, &self.context, test, measured, outcome)?;
        Ok(loss)
    }

    fn calls(&mut self, child: &mut Child, test: Test, measured: &mut Measured) -> End {
        if let Some(plan) = self.run.soak {
            return self.soak(child, test, plan, measured);
        }
        if let Err(error) = self.hold_before(child, test, measured) {
            return End::Error(error);
        }
        self.idle("before", child, measured);
        let sampling = match self.prepare_and_warm_up(child, test) {
            Ok(warm_up) => {
                let sampling = self.sampling(&warm_up);
                measured.warm_up = Known::Value(warm_up);
                sampling
            }
            Err(error) => return End::Error(error),
        };
        self.phase(Phase::Sample, Some(test));
        self.start_probes(child);
        let call = Call::Sample { test, sampling };
        let start = Instant::now();
        let samples = &mut measured.samples;
        let answer = child.call(call, Phase::Sample, self.run.cancel, &mut |partial| {
            if let Partial::Samples(new) = partial {
                samples.extend(new);
            }
        });
        let elapsed = start.elapsed();
        self.stop_probes(child, measured);
        mark(&mut measured.samples, &measured.readings, measured.timeline.as_ref());
        self.idle("after", child, measured);
        match answer {
            Ok(Answer::Sampled { repetitions, facts })
                if repetitions as usize == measured.samples.len() =>
            {
                End::Sampled(elapsed, Box::new(facts))
            }
            Ok(other) => End::Error(child.unexpected(Phase::Sample, &other)),
            Err(error) => End::Error(error),
        }
    }

    pub(super) fn prepare_and_warm_up(
        &mut self,
        child: &mut Child,
        test: Test,
    ) -> Result<WarmUp, CallError> {
        self.prepare(child, test)?;
        self.phase(Phase::WarmUp, Some(test));
        let seconds = self.run.plan.sampling.warm_up_seconds;
        let call = Call::WarmUp { test, seconds };
        match child.call(call, Phase::WarmUp, self.run.cancel, &mut |_| {})? {
            Answer::WarmedUp { warm_up } => Ok(warm_up),
            other => Err(child.unexpected(Phase::WarmUp, &other)),
        }
    }

    /// Brings the sequences to the test's depth.
    pub(super) fn prepare(&mut self, child: &mut Child, test: Test) -> Result<(), CallError> {
        self.phase(Phase::Prepare, Some(test));
        let cancel = self.run.cancel;
        let output = self.output;
        let answer =
            child.call(Call::Prepare { test }, Phase::Prepare, cancel, &mut |partial| {
                if let Partial::Progress { done, total } = partial {
                    output.event(Event::Progress { done, total });
                }
            })?;
        match answer {
            Answer::Prepared => Ok(()),
            other => Err(child.unexpected(Phase::Prepare, &other)),
        }
    }

    pub(super) fn start_probes(&mut self, child: &Child) {
        for probe in self.probes.iter_mut() {
            if let Err(error) = probe.start(child.id()) {
                self.output.event(Event::Note(&error.to_string()));
            }
        }
    }

    pub(super) fn stop_probes(&mut self, child: &Child, measured: &mut Measured) {
        let (mut readings, mut problems) = (Vec::new(), Vec::new());
        // What started last stops first: its readings hold the least besides the samples.
        for probe in self.probes.iter_mut().rev() {
            match probe.stop() {
                Ok(read) => readings.push(read),
                Err(error) => problems.push(error.to_string()),
            }
            if let Some(seen) = probe.timeline() {
                measured.timeline = Some(timeline(child.greeted(), &measured.samples, seen));
            }
        }
        measured.readings.extend(readings.into_iter().rev().flatten());
        for problem in problems {
            self.output.event(Event::Note(&problem));
        }
    }

    fn judge(
        &mut self,
        test: Test,
        measured: &Measured,
        elapsed: Duration,
        facts: Facts,
    ) -> Outcome {
        let options = self.launch.effective();
        let flaw = misplaced(self.launch, &options, &facts)
            .or_else(|| impossible(test, options.sequences, &measured.samples, elapsed))
            .or_else(|| self.model.changed());
        self.context.facts = Known::Value(facts);
        match (flaw, disturbed(&measured.samples)) {
            (Some(reason), _) => Outcome::Invalid { reason },
            (None, Some(reason)) if self.run.strict => {
                Outcome::Invalid { reason: format!("{reason} (asked for by --strict)") }
            }
            (None, Some(reason)) => {
                let device = self.launch.member();
                let model = &self.context.model.name;
                self.output.event(Event::Note(&format!("{device} {model} {test}: {reason}")));
                Outcome::Ok
            }
            (None, None) => Outcome::Ok,
        }
    }
}

/// Workers after which nothing further should be measured: the device is lost, memory ran out, or `load` left no session.
fn unusable(test: Test, kind: FaultKind, outcome: &Outcome) -> Option<Loss> {
    let Outcome::Failed { kind: class, message } = outcome else { return None };
    let over = matches!(kind, FaultKind::DeviceLost | FaultKind::OutOfMemory) || test == Test::Load;
    over.then(|| Loss { kind: class.clone(), message: message.clone() })
}

/// After a result is in hand, a cancelled ceiling only ends the run at the next look at the flag.
fn lost(error: CallError) -> Option<Loss> {
    match error {
        CallError::Lost(loss) => Some(loss),
        CallError::Fault { .. } | CallError::Interrupted => None,
    }
}
