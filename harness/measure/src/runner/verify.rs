//! Verification of a loaded device: its observation, the oracle's answers, the comparison. Decides whether the launch
//! may be measured at all.

use std::fs;
use std::path::PathBuf;

use yardstick_api::Facts;
use yardstick_api::verify::{Observation, compare, divergence};
use yardstick_record::{FailureKind, Outcome, Phase, Verification, VerificationStatus};

use super::answers::{self, Asked};
use super::credible::uncovered;
use super::{Prepared, Run};
use crate::child::{CallError, Child, escape};
use crate::plan::{Launch, Role};
use crate::protocol::{Answer, Call};

/// Begins the reason of a verification that was skipped because the device gives nothing to verify.
const UNVERIFIED: &str = "unverified: ";

/// A launch that will not be measured: why, and what verification said.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) outcome: Outcome,
    pub(super) verification: Verification,
}

/// A file that is removed when it is done with.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// The verdict on a loaded device, `Err` in place of it where the call failed.
pub(super) fn verify(
    run: &Run<'_>,
    launch: &Launch,
    model: &Prepared,
    child: &mut Child,
    facts: &Facts,
) -> Result<Result<Verification, Refused>, CallError> {
    if !run.plan.verify {
        return Ok(Ok(Verification::skipped("switched off: the device makes its answers up")));
    }
    let Some(oracle) = run.oracle else {
        return Ok(Err(unprovable("there is no reference to compare with")));
    };
    // That of a build is another program's.
    let own = matches!(run.worker(launch).role, Role::Own | Role::Oracle);
    if own && launch.device.id == oracle {
        return Ok(Ok(Verification::skipped("the device is the reference itself")));
    }
    let scratch = |what: &str| {
        let name = format!("{}-{what}.tmp", std::process::id());
        Scratch(run.cache.join(name))
    };
    let seen = scratch("observed");
    let file = seen.0.display().to_string();
    // A build may be any program that speaks the protocol: the gate's sides are.
    let external = matches!(run.worker(launch).role, Role::External(_) | Role::Build(_));
    let answer = child.call(Call::Observe { file }, Phase::Verify, run.cancel, &mut |_| {})?;
    let (generated, numerics) = match answer {
        Answer::Observed { generated, numerics } => (generated, numerics),
        Answer::Unverifiable { reason } if external => {
            let reason = format!("{UNVERIFIED}{}", escape(&reason));
            return Ok(Ok(Verification::skipped(reason)));
        }
        answer => return Err(child.unexpected(Phase::Verify, &answer)),
    };
    if numerics != facts.numerics {
        let message =
            format!("numerics {numerics:?} while verified, {:?} in its facts", facts.numerics);
        return Ok(Err(failed(message, Verification::skipped("the device changed its numerics"))));
    }
    if let Some(message) = uncovered(&launch.options, &generated) {
        return Ok(Err(failed(message, Verification::skipped("one sequence alone was run"))));
    }
    let observation = match read(&seen) {
        Ok(observation) if observation.generated == generated => observation,
        Ok(_) => {
            let message = "the observation's file and message differ".to_owned();
            return Ok(Err(failed(message, Verification::skipped("contradictory answers"))));
        }
        Err(message) => {
            return Ok(Err(failed(message, Verification::skipped("unreadable answers"))));
        }
    };
    let answers = scratch("expected");
    let mut asked =
        Asked { generated: &generated, context: facts.context, weights: launch.options.weights };
    let expected = answers::expected(run, oracle, model, &asked, &answers.0).and_then(|expected| {
        let checks = compare(&observation, &expected, facts.numerics);
        let mut verification = Verification::judged(facts.numerics, checks);
        // Right for its own weights; what they cost is told against the file's.
        if asked.weights.take().is_some() {
            let original = answers::expected(run, oracle, model, &asked, &answers.0)?;
            verification.divergence = Some(Box::new(divergence(&observation, &original)));
        }
        Ok(verification)
    });
    match expected {
        Ok(verification) => Ok(judge(verification)),
        Err(CallError::Interrupted) => Err(CallError::Interrupted),
        Err(CallError::Fault { message, .. }) => Ok(Err(unprovable(&message))),
        Err(CallError::Lost(loss)) => Ok(Err(unprovable(&loss.message))),
    }
}

/// Why a measured launch is not verified, if its program gives no logits.
pub(super) fn without_logits(verification: &Verification) -> Option<&str> {
    match &verification.status {
        VerificationStatus::Skipped { reason } => reason.strip_prefix(UNVERIFIED),
        _ => None,
    }
}

fn read(file: &Scratch) -> Result<Observation, String> {
    let bytes = fs::read(&file.0).map_err(|error| format!("the observation's file: {error}"))?;
    Observation::read_from(&mut &bytes[..]).map_err(|error| error.to_string())
}

fn judge(verification: Verification) -> Result<Verification, Refused> {
    if verification.status == VerificationStatus::Passed {
        return Ok(verification);
    }
    let worst = verification.worst().map_or("nothing was compared".to_owned(), ToString::to_string);
    Err(failed(format!("the answers are wrong: {worst}"), verification))
}

fn failed(message: String, verification: Verification) -> Refused {
    Refused { outcome: Outcome::Failed { kind: FailureKind::Verify, message }, verification }
}

fn unprovable(reason: &str) -> Refused {
    Refused {
        outcome: Outcome::Skipped {
            reason: format!("unverified: the reference cannot answer for this model: {reason}"),
            fix: None,
        },
        verification: Verification::skipped(format!("the reference cannot answer: {reason}")),
    }
}
