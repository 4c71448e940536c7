//! One launch: a worker from its start to its end, and a second one for what the first left unmeasured when it was lost.

mod ceiling;
mod cell;
mod disturbed;
mod metered;
mod pair;
mod quality;
mod soak;
mod together;
mod workload;

use std::time::Instant;

use yardstick_api::{Facts, Known};
use yardstick_probes::Probe;
use yardstick_record::{FailureKind, Outcome, Phase, Test, Verification};

pub(crate) use ceiling::{arithmetic, plausible, working_set};
pub(super) use pair::measure_pair;
pub use soak::SoakPlan;
pub(super) use together::{TakingTurns, fits};

use super::credible::misplaced;
use super::output::{Context, Measured, Output};
use super::run::{Ready, reason};
use super::verify::{Refused, verify, without_logits};
use super::{Event, Prepared, Run, RunError, Stage};
use crate::child::{CallError, Child, Loss};
use crate::plan::Launch;
use crate::protocol::{Answer, Call, FaultKind, Load};
use ceiling::Ceilings;
use cell::Cell;
pub(super) use disturbed::mark;

/// Workers a launch may lose before its remaining cells are given up.
const MOST_LOSSES: usize = 2;

/// How a launch ended, its records aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Done,
    Interrupted,
}

/// Measures a launch that has its workers' time for itself.
pub(super) fn measure(
    run: &Run<'_>,
    launch: &Launch,
    (model, models): (&Prepared, &[Ready]),
    taking_turns: Option<TakingTurns<'_>>,
    probes: &mut [Box<dyn Probe>],
    output: &Output<'_>,
) -> Result<Ended, RunError> {
    let context = context(run, launch, model);
    let mut measuring = Measuring::new(run, launch, model, context, taking_turns, probes, output);
    let reference = run.plan.reference(launch.model).and_then(|index| models.get(index));
    measuring.reference = reference;
    measuring.models = models;
    measuring.leave_out_meaningless()?;
    match measuring.remaining.is_empty() {
        true => Ok(Ended::Done),
        false => measuring.go(),
    }
}

fn context<'r>(run: &'r Run<'_>, launch: &'r Launch, model: &Prepared) -> Context<'r> {
    let not_yet = "the worker was not started";
    Context {
        launch: launch.number,
        tool: run.worker(launch).silent(run.tool),
        device_id: &launch.device.id,
        device: Known::Value(launch.device.clone()),
        build: launch.build.clone(),
        request: &run.plan.models[launch.model],
        model: model.reference.clone(),
        options: &launch.options,
        environment: (run.environment)(),
        facts: Known::unavailable(not_yet),
        load_ns: Known::unavailable(not_yet),
        verification: Verification::skipped(not_yet),
        subject: Box::new(|test| run.plan.subject(launch.model, test)),
    }
}

/// The state of a launch.
struct Measuring<'r, 'o, 's> {
    run: &'r Run<'r>,
    launch: &'r Launch,
    model: &'r Prepared,
    /// The weights whose answers count as right, for tests that compare.
    reference: Option<&'r Ready>,
    /// Every model of the run.
    models: &'r [Ready],
    context: Context<'r>,
    /// Tests without a record, in order.
    remaining: Vec<Test>,
    ceilings: Ceilings,
    /// A worker of this launch was verified.
    proven: bool,
    /// The device was lost once: the next time it is left alone for the rest of the run.
    device_lost: bool,
    /// With whom, where it is one of several.
    taking_turns: Option<TakingTurns<'r>>,
    probes: &'o mut [Box<dyn Probe>],
    output: &'o Output<'s>,
}

/// Why a worker is not measured (further).
enum Halt {
    /// Every remaining cell ends so.
    All(Outcome),
    /// The run is over.
    Interrupted,
    /// The records cannot be kept.
    Stop(RunError),
}

impl From<RunError> for Halt {
    fn from(error: RunError) -> Halt {
        Halt::Stop(error)
    }
}

impl From<CallError> for Halt {
    fn from(error: CallError) -> Halt {
        match error {
            CallError::Interrupted => Halt::Interrupted,
            CallError::Lost(loss) => Halt::All(failed(loss)),
            CallError::Fault { kind, message, fix } => Halt::All(fault(kind, message, fix)),
        }
    }
}

pub(super) fn failed(loss: Loss) -> Outcome {
    Outcome::Failed { kind: loss.kind, message: loss.message }
}

/// The end of a launch that keeps losing its workers.
fn too_many(losses: usize, loss: Loss) -> Outcome {
    let message = format!("{losses} workers of this launch were lost: {}", loss.message);
    failed(Loss { kind: loss.kind, message })
}

/// The outcome of cells whose call failed.
pub(super) fn fault(kind: FaultKind, message: String, fix: Option<String>) -> Outcome {
    let kind = match kind {
        FaultKind::Unsupported => return Outcome::Skipped { reason: message, fix },
        FaultKind::Misplaced => return Outcome::Invalid { reason: message },
        FaultKind::OutOfMemory => FailureKind::OutOfMemory,
        FaultKind::DeviceLost => FailureKind::DeviceLost,
        FaultKind::Invalid | FaultKind::Model | FaultKind::Device | FaultKind::Io => {
            FailureKind::Backend
        }
    };
    Outcome::Failed { kind, message }
}

impl<'r, 'o, 's> Measuring<'r, 'o, 's> {
    /// With what an earlier run left to do.
    fn new(
        run: &'r Run<'r>,
        launch: &'r Launch,
        model: &'r Prepared,
        context: Context<'r>,
        taking_turns: Option<TakingTurns<'r>>,
        probes: &'o mut [Box<dyn Probe>],
        output: &'o Output<'s>,
    ) -> Measuring<'r, 'o, 's> {
        let is_done = |test: &Test| run.done.contains(&(context.cell(*test).key(), launch.number));
        let remaining: Vec<Test> = launch.tests.iter().copied().filter(|t| !is_done(t)).collect();
        output.count(|summary| summary.resumed += launch.tests.len() - remaining.len());
        Measuring {
            run,
            launch,
            model,
            reference: None,
            models: &[],
            context,
            remaining,
            ceilings: Ceilings::new(),
            proven: false,
            device_lost: false,
            taking_turns,
            probes,
            output,
        }
    }
}

impl Measuring<'_, '_, '_> {
    fn go(mut self) -> Result<Ended, RunError> {
        let mut losses = 0;
        while !self.remaining.is_empty() {
            let halt = match self.attempt() {
                Ok(None) => break,
                Ok(Some(loss)) => {
                    losses += 1;
                    if losses < MOST_LOSSES {
                        let note = "the worker was lost; the next one goes on";
                        // What becomes of a lost device was told already.
                        if loss.kind != FailureKind::DeviceLost {
                            self.output.event(Event::Note(note));
                        }
                        continue;
                    }
                    Halt::All(too_many(losses, loss))
                }
                Err(halt) => halt,
            };
            return match halt {
                Halt::All(outcome) => {
                    self.quarantine(&outcome);
                    self.give_up(&outcome)
                }
                Halt::Interrupted => Ok(Ended::Interrupted),
                Halt::Stop(error) => Err(error),
            };
        }
        Ok(Ended::Done)
    }

    /// A worker from its start to its end; how it was lost, if it was. The first loss of the device is one of a worker,
    /// wherever it happens.
    fn attempt(&mut self) -> Result<Option<Loss>, Halt> {
        let child = match self.open() {
            Err(Halt::All(Outcome::Failed { kind: FailureKind::DeviceLost, message }))
                if !self.device_lost =>
            {
                return Ok(Some(self.note_device_loss(message)));
            }
            opened => self.tell(opened)?,
        };
        self.cells(child)
    }

    fn note_device_loss(&mut self, message: String) -> Loss {
        self.device_lost = true;
        let note = format!("{}: {message}; once more in a fresh worker", self.launch.device.id);
        self.output.event(Event::Note(&note));
        Loss { kind: FailureKind::DeviceLost, message }
    }

    /// A device that was lost twice in a launch is not used again in this run.
    fn quarantine(&self, outcome: &Outcome) {
        if let Outcome::Failed { kind: FailureKind::DeviceLost, message } = outcome {
            self.output.quarantine(self.launch, message);
        }
    }

    /// Records the remaining cells as ended so.
    fn give_up(&mut self, outcome: &Outcome) -> Result<Ended, RunError> {
        if self.run.stage == Stage::Verify {
            return Ok(Ended::Done);
        }
        for test in std::mem::take(&mut self.remaining) {
            let nothing = Measured {
                pairing: self.pairing(test),
                ..Measured::nothing("not measured: see the outcome")
            };
            self.output.record(self.run, &self.context, test, nothing, outcome.clone())?;
        }
        Ok(Ended::Done)
    }

    fn phase(&mut self, phase: Phase, test: Option<Test>) {
        self.output.event(Event::Phase { phase, test });
    }

    /// Starts a worker, loads, verifies; tells why it could not.
    fn open_or_tell(&mut self) -> Result<Child, Halt> {
        let opened = self.open();
        self.tell(opened)
    }

    fn tell(&mut self, opened: Result<Child, Halt>) -> Result<Child, Halt> {
        if let Err(Halt::All(outcome)) = &opened {
            let skipped = matches!(outcome, Outcome::Skipped { .. });
            self.output.count(|summary| summary.unverified += usize::from(!skipped));
            self.output.event(Event::Note(reason(outcome)));
        }
        opened
    }

    /// Starts a worker, loads, verifies.
    fn open(&mut self) -> Result<Child, Halt> {
        let unknown = "the worker was lost before it told";
        self.context.facts = Known::unavailable(unknown);
        self.context.load_ns = Known::unavailable(unknown);
        self.context.verification = Verification::skipped("the run did not get that far");
        self.phase(Phase::Hello, None);
        let (worker, threads) = (self.run.worker(self.launch), self.launch.effective().threads);
        let (command, deadlines) = (&worker.command, &self.run.plan.deadlines);
        let (mut child, hello) =
            Child::start_with_threads(command, threads, deadlines, self.run.cancel)?;
        self.context.tool = worker.tool(self.run.tool, &hello);
        let facts = self.load(&mut child)?;
        self.phase(Phase::Verify, None);
        let verdict = verify(self.run, self.launch, self.model, &mut child, &facts);
        self.verdict(verdict)?;
        Ok(child)
    }

    fn load(&mut self, child: &mut Child) -> Result<Facts, Halt> {
        self.phase(Phase::Load, None);
        let options = self.launch.effective();
        let call = Call::Load(Load {
            device: self.launch.device.id.clone(),
            model: self.model.path.display().to_string(),
            options: options.clone(),
        });
        let start = Instant::now();
        let answer = child.call(call, Phase::Load, self.run.cancel, &mut |_| {})?;
        let Answer::Loaded { facts, load_ns } = answer else {
            return Err(child.unexpected(Phase::Load, &answer).into());
        };
        self.context.facts = Known::Value(facts.clone());
        let elapsed = start.elapsed();
        if u128::from(load_ns) > elapsed.as_nanos() {
            let reason = format!("it says it loaded in {load_ns} ns, the call took {elapsed:?}");
            return Err(Halt::All(Outcome::Invalid { reason }));
        }
        self.context.load_ns = Known::Value(load_ns);
        match misplaced(self.launch, &options, &facts).or_else(|| self.model.changed()) {
            Some(reason) => Err(Halt::All(Outcome::Invalid { reason })),
            None => Ok(facts),
        }
    }

    fn verdict(
        &mut self,
        verdict: Result<Result<Verification, Refused>, CallError>,
    ) -> Result<(), Halt> {
        let (verification, outcome) = match verdict {
            Ok(Ok(verification)) => (verification, None),
            Ok(Err(refused)) => (refused.verification, Some(refused.outcome)),
            Err(error) => return Err(error.into()),
        };
        self.output.event(Event::Verified {
            device: &self.launch.member(),
            model: &self.context.model.name,
            options: &self.launch.options,
            verification: &verification,
        });
        self.context.verification = verification;
        match outcome {
            None => {
                // A second worker of the launch proves it again; it stays one launch.
                let first = usize::from(!self.proven);
                let proven = without_logits(&self.context.verification).is_none();
                self.output.count(|summary| match proven {
                    true => summary.verified += first,
                    false => summary.without_logits += first,
                });
                self.proven = true;
                Ok(())
            }
            Some(outcome) => {
                // One that failed is counted where all failed launches are.
                let unprovable = matches!(outcome, Outcome::Skipped { .. });
                self.output.count(|summary| summary.unverified += usize::from(unprovable));
                Err(Halt::All(outcome))
            }
        }
    }

    /// Measures the remaining cells with this worker, until it is lost.
    fn cells(&mut self, mut child: Child) -> Result<Option<Loss>, Halt> {
        if self.run.stage == Stage::Verify {
            child.stop();
            return Ok(None);
        }
        while let Some(&test) = self.remaining.first() {
            if self.run.cancelled() {
                return Err(Halt::Interrupted);
            }
            let loss = match self.cell(&mut child, test)? {
                Cell::Recorded(loss) => loss,
                Cell::Again(loss) => return Ok(Some(self.note_device_loss(loss.message))),
            };
            self.remaining.remove(0);
            if let Some(loss) = loss {
                if loss.kind == FailureKind::DeviceLost {
                    self.output.quarantine(self.launch, &loss.message);
                }
                return Ok((!self.remaining.is_empty()).then_some(loss));
            }
        }
        child.stop();
        Ok(None)
    }
}
