//! Tests of what people do with a model, each with the verified session, or with processes of its own: a file a kind.

mod chat;
mod cold;
mod robust;
mod serve;
mod together;

use std::time::Duration;

use yardstick_api::Known;
use yardstick_model::tokenizer::Tokenizer;
use yardstick_model::{Gguf, Model};
use yardstick_record::{FailureKind, Outcome, Phase, Sample, Test};

use super::cell::End;
use super::disturbed::mark;
use super::{Measured, Measuring};
use crate::child::{CallError, Child};
use crate::plan::Role;
use crate::protocol::FaultKind;
use crate::workload::Words;

/// Why there is no result.
enum Trouble {
    /// A call of the device failed.
    Call(CallError),
    /// For another reason.
    Outcome(Outcome),
    /// What the worker says cannot be true.
    Flaw(String),
}

impl From<CallError> for Trouble {
    fn from(error: CallError) -> Trouble {
        Trouble::Call(error)
    }
}

impl Trouble {
    fn failed(message: impl Into<String>) -> Trouble {
        let message = message.into();
        Trouble::Outcome(Outcome::Failed { kind: FailureKind::Backend, message })
    }
}

impl Measuring<'_, '_, '_> {
    /// Measures one workload with the probes on. What was measured before something went wrong stays.
    pub(super) fn workload(
        &mut self,
        child: &mut Child,
        test: Test,
        measured: &mut Measured,
    ) -> End {
        measured.warm_up = Known::unavailable("a workload begins as it is met: without a warm-up");
        measured.ceiling = Known::unavailable("a workload is not held against a limit");
        self.phase(Phase::Sample, Some(test));
        self.start_probes(child);
        let found = match test {
            Test::Chat => self.chat(child, measured),
            Test::Serve => self.serve(child, measured),
            Test::Capacity => self.capacity(child, measured),
            Test::Robust => self.robust(child),
            Test::Cold => self.cold(child, measured),
            Test::Together { processes } => self.together(child, processes, measured),
            other => Err(Trouble::failed(format!("{other} is not a workload"))),
        };
        self.stop_probes(child, measured);
        mark(&mut measured.samples, &measured.readings, measured.timeline.as_ref());
        match found {
            Ok(workload) => {
                measured.workload = Some(Box::new(workload));
                End::Scored
            }
            Err(Trouble::Call(error)) => self.unknown(test, error),
            Err(Trouble::Outcome(outcome)) => End::Without(outcome),
            Err(Trouble::Flaw(reason)) => End::Flaw(reason),
        }
    }

    /// A program that does not know a call refuses it, which is no failure of its device.
    fn unknown(&self, test: Test, error: CallError) -> End {
        match (&self.run.worker(self.launch).role, error) {
            (
                Role::External(name),
                CallError::Fault {
                    kind: FaultKind::Invalid | FaultKind::Unsupported, message, ..
                },
            ) => {
                let reason = format!("worker {name} does not run {test}: {message}");
                End::Without(Outcome::Skipped { reason, fix: None })
            }
            (_, error) => End::Error(error),
        }
    }

    /// The model's tokenizer, or made-up ids where it has none.
    fn words(&self) -> Result<Words, Trouble> {
        let failed = |error: yardstick_model::Error| Trouble::failed(error.to_string());
        let gguf = Gguf::open(&self.model.path).map_err(failed)?;
        match Tokenizer::from_gguf(&gguf) {
            Ok(tokenizer) => Ok(Words::Own(Box::new(tokenizer))),
            Err(error) => {
                // A record names no path.
                let path = self.model.path.display().to_string();
                let why = error.to_string().replace(&path, "the model's file");
                Ok(Words::MadeUp { vocab: self.vocab()?, why })
            }
        }
    }

    fn vocab(&self) -> Result<usize, Trouble> {
        let model = Model::open(&self.model.path);
        model
            .map(|model| model.architecture().vocab)
            .map_err(|error| Trouble::failed(error.to_string()))
    }
}

/// Why a sample of a workload cannot be true, if so. `elapsed` is the parent's time around its call.
fn flaw(sample: &Sample, tokens: u64, elapsed: Duration) -> Option<String> {
    let ordered = sample.emits_ns.is_sorted()
        && sample.emits_ns.last().is_none_or(|last| *last <= sample.nanoseconds);
    if sample.tokens != tokens || sample.emits_ns.len() as u64 != tokens {
        let (found, stamps) = (sample.tokens, sample.emits_ns.len());
        return Some(format!("counts {found} tokens with {stamps} stamps, expected {tokens}"));
    }
    if !ordered {
        return Some("has emit stamps that do not fit into it".to_owned());
    }
    if u128::from(sample.nanoseconds) > elapsed.as_nanos() {
        let took = Duration::from_nanos(sample.nanoseconds);
        return Some(format!("took {took:?}, its call took {elapsed:?}"));
    }
    None
}
