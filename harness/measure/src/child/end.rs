//! How a process ended, in the words of a record.

use std::process::ExitStatus;

use yardstick_record::{FailureKind, Phase};

/// A class and a sentence.
pub(super) struct Ending {
    pub(super) kind: FailureKind,
    pub(super) message: String,
}

/// Classifies the end of a worker that nobody asked to leave. `memory_kills`: the kernel killed processes for memory
/// since this one started; with a SIGKILL that was not ours, that is evidence enough.
pub(super) fn classify(
    status: Option<ExitStatus>,
    phase: Phase,
    stderr: &str,
    memory_kills: bool,
) -> Ending {
    let doing = doing(phase);
    let allocation = stderr.lines().rev().find(|line| line.starts_with("memory allocation of "));
    match (signal(status), status.and_then(|status| status.code())) {
        (Some(9), _) if memory_kills => Ending {
            kind: FailureKind::OutOfMemory,
            message: format!("the kernel killed the worker for lack of memory while {doing}"),
        },
        (Some(6), _) if allocation.is_some() => Ending {
            kind: FailureKind::OutOfMemory,
            message: format!("{} while {doing}", allocation.unwrap_or_default()),
        },
        (Some(signal), _) => Ending {
            kind: FailureKind::Crash { signal, phase },
            message: format!("the worker died of signal {signal}{} while {doing}", name(signal)),
        },
        (None, Some(code)) => Ending {
            kind: FailureKind::Exit { code, phase },
            message: format!("the worker left with exit code {code} while {doing}"),
        },
        (None, None) => Ending {
            kind: FailureKind::Exit { code: -1, phase },
            message: format!("the worker left in an unknown way while {doing}"),
        },
    }
}

#[cfg(unix)]
fn signal(status: Option<ExitStatus>) -> Option<i32> {
    use std::os::unix::process::ExitStatusExt;
    status.and_then(|status| status.signal())
}

#[cfg(not(unix))]
fn signal(_: Option<ExitStatus>) -> Option<i32> {
    None
}

/// The signals programs die of; numbers are the same on every Linux but MIPS and on macOS, except SIGBUS.
fn name(signal: i32) -> &'static str {
    match signal {
        4 => " (SIGILL)",
        6 => " (SIGABRT)",
        8 => " (SIGFPE)",
        9 => " (SIGKILL)",
        11 => " (SIGSEGV)",
        15 => " (SIGTERM)",
        7 if cfg!(target_os = "linux") => " (SIGBUS)",
        10 if cfg!(target_os = "macos") => " (SIGBUS)",
        _ => "",
    }
}

/// The phase as an activity.
pub(super) fn doing(phase: Phase) -> &'static str {
    match phase {
        Phase::Hello => "starting",
        Phase::Devices => "listing devices",
        Phase::Plan => "planning",
        Phase::Load => "loading",
        Phase::Verify => "being verified",
        Phase::Prepare => "filling the context",
        Phase::WarmUp => "warming up",
        Phase::Sample => "sampling",
        Phase::Ceiling => "measuring the ceiling",
        Phase::Stop => "stopping",
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    #[test]
    fn ends_are_told_apart() {
        let phase = Phase::Sample;
        let died = |signal| Some(ExitStatus::from_raw(signal));
        let left = |code: i32| Some(ExitStatus::from_raw(code << 8));
        let allocation = "x\nmemory allocation of 64 bytes failed\n";
        let crash = |signal| FailureKind::Crash { signal, phase };
        let exit = |code| FailureKind::Exit { code, phase };
        for (status, stderr, memory_kills, kind, message) in [
            (died(11), "", false, crash(11), "signal 11 (SIGSEGV) while sampling"),
            (died(11), allocation, true, crash(11), "SIGSEGV"),
            (died(6), "", false, crash(6), "SIGABRT"),
            (died(6), allocation, false, FailureKind::OutOfMemory, "memory allocation of 64 bytes"),
            (died(9), "", true, FailureKind::OutOfMemory, "lack of memory"),
            (died(9), "", false, crash(9), "SIGKILL"),
            (died(64), "", false, crash(64), "signal 64 while"),
            (left(3), allocation, true, exit(3), "exit code 3"),
            (left(0), "", false, exit(0), "exit code 0"),
            (None, "", false, exit(-1), "unknown way"),
        ] {
            let end = classify(status, phase, stderr, memory_kills);
            assert_eq!(end.kind, kind, "{status:?}");
            assert!(end.message.contains(message), "{}", end.message);
        }
    }
}
