//! Tests of quality in a launch: the verified session answers, what it answers is scored here.

mod answers;
mod choice;
mod divergence;
mod partial;
mod reference;
mod rows;
mod text;
mod tokens;

use yardstick_record::{FailureKind, Outcome, Phase, Quality, Test};

use super::cell::End;
use super::disturbed::mark;
use super::{Event, Halt, Measured, Measuring, RunError};
use crate::child::{CallError, Child};

/// Why there is no score.
enum Trouble {
    /// A call of the device under test failed.
    Call(CallError),
    /// For another reason.
    Outcome(Outcome),
}

impl From<CallError> for Trouble {
    fn from(error: CallError) -> Trouble {
        Trouble::Call(error)
    }
}

impl From<Halt> for Trouble {
    fn from(halt: Halt) -> Trouble {
        match halt {
            Halt::All(outcome) => Trouble::Outcome(outcome),
            Halt::Interrupted => Trouble::Call(CallError::Interrupted),
            Halt::Stop(error) => Trouble::failed(error.to_string()),
        }
    }
}

impl Trouble {
    /// Says at which question.
    fn of(self, id: &str) -> Trouble {
        match self {
            Trouble::Outcome(Outcome::Failed { kind, message }) => {
                let message = format!("question {id}: {message}");
                Trouble::Outcome(Outcome::Failed { kind, message })
            }
            other => other,
        }
    }

    fn failed(message: impl Into<String>) -> Trouble {
        let message = message.into();
        Trouble::Outcome(Outcome::Failed { kind: FailureKind::Backend, message })
    }
}

impl Measuring<'_, '_, '_> {
    /// Records the tests of quality that would say nothing, and leaves them out: random weights have no quality.
    pub(super) fn leave_out_meaningless(&mut self) -> Result<(), RunError> {
        let Some(random) = self.model.reference.random_weights.clone() else { return Ok(()) };
        if self.run.plan.material.insist {
            return Ok(());
        }
        let (quality, rest) = self.remaining.iter().partition(|test| test.is_quality());
        self.remaining = rest;
        let quality: Vec<Test> = quality;
        for test in quality {
            let reason = random.clone();
            let fix = Some(
                "--insist scores them all the same, though it says nothing about quality"
                    .to_owned(),
            );
            let outcome = Outcome::Skipped { reason: reason.clone(), fix };
            self.output.record(
                self.run,
                &self.context,
                test,
                Measured::nothing(&reason),
                outcome,
            )?;
        }
        Ok(())
    }

    /// Scores one test of quality.
    pub(super) fn score(&mut self, child: &mut Child, test: Test, measured: &mut Measured) -> End {
        self.phase(Phase::Sample, Some(test));
        self.start_probes(child);
        let found = self.quality(child, test, measured);
        self.stop_probes(child, measured);
        mark(&mut measured.samples, &measured.readings, measured.timeline.as_ref());
        match found {
            Ok(quality) => {
                measured.quality = Some(Box::new(quality));
                End::Scored
            }
            Err(Trouble::Call(error)) => End::Error(error),
            Err(Trouble::Outcome(outcome)) => End::Without(outcome),
        }
    }

    fn quality(
        &mut self,
        child: &mut Child,
        test: Test,
        measured: &mut Measured,
    ) -> Result<Quality, Trouble> {
        match test {
            Test::Perplexity { window } | Test::Kld { window } => {
                self.score_text(child, test, window, measured)
            }
            Test::Choice => self.score_choices(child),
            Test::Generation => {
                let set = self.run.plan.material.generation.as_ref();
                self.score_answers(child, test, set, measured)
            }
            Test::Prompts => {
                let set = self.run.plan.material.prompts.as_ref();
                self.score_answers(child, test, set, measured)
            }
            Test::Divergence { tokens } => self.score_divergence(child, tokens),
            other => Err(Trouble::failed(format!("{other} is not a test of quality"))),
        }
    }

    /// Tells how far it is, and stops where the run was cancelled: a call that is answered at once does not look.
    fn go_on(&self, done: usize, total: usize) -> Result<(), Trouble> {
        self.output.event(Event::Progress { done: done as u64, total: total as u64 });
        match self.run.cancelled() {
            true => Err(Trouble::Call(CallError::Interrupted)),
            false => Ok(()),
        }
    }
}
