//! Outcomes in words.

use yardstick_record::{FailureKind, Outcome, Phase};

/// How a cell ended, in one line: `failed: crash (signal 11) in sample: ...`.
pub fn describe(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Ok => "ok".to_owned(),
        Outcome::Failed { kind, message } => format!("failed: {}: {message}", failure(kind)),
        Outcome::Skipped { reason, fix: None } => format!("skipped: {reason}"),
        Outcome::Skipped { reason, fix: Some(fix) } => format!("skipped: {reason}; fix: {fix}"),
        Outcome::Invalid { reason } => format!("invalid: {reason}"),
    }
}

fn failure(kind: &FailureKind) -> String {
    match kind {
        FailureKind::Backend => "backend error".to_owned(),
        FailureKind::Verify => "wrong answers".to_owned(),
        FailureKind::Timeout { phase } => format!("timeout in {}", name(*phase)),
        FailureKind::Crash { signal, phase } => {
            format!("crash (signal {signal}) in {}", name(*phase))
        }
        FailureKind::Exit { code, phase } => format!("exit code {code} in {}", name(*phase)),
        FailureKind::OutOfMemory => "out of memory".to_owned(),
        FailureKind::DeviceLost => "device lost".to_owned(),
        FailureKind::Protocol => "protocol violation".to_owned(),
        FailureKind::Interrupted => "interrupted".to_owned(),
    }
}

fn name(phase: Phase) -> &'static str {
    match phase {
        Phase::Hello => "hello",
        Phase::Devices => "devices",
        Phase::Plan => "plan",
        Phase::Load => "load",
        Phase::Verify => "verify",
        Phase::Prepare => "prepare",
        Phase::WarmUp => "warm-up",
        Phase::Sample => "sample",
        Phase::Ceiling => "ceiling",
        Phase::Stop => "stop",
    }
}
