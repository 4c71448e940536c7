//! Process groups: a worker leads one, so that what it starts dies with it. A process that leaves the group on purpose
//! (`setsid`) is found by its mark, see `strays.rs`.

use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

/// Makes the process that will start the leader of its own group; the terminal's Ctrl-C does not reach it.
pub(super) fn own(command: &mut Command) {
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(command, 0);
    #[cfg(not(unix))]
    let _ = command;
}

/// Waits until the leader has ended; false when it still runs after `limit`. Does not reap it, so that its id,
/// which is the group's, cannot be given to another process meanwhile.
pub(super) fn wait(process: &mut Child, limit: Duration) -> bool {
    let start = Instant::now();
    let mut pause = Duration::from_micros(200);
    while !ended(process) {
        if start.elapsed() > limit {
            return false;
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(20));
    }
    true
}

/// Kills what is left of the group and reaps the leader. `None` if the system will not let go of it.
pub(super) fn finish(process: &mut Child) -> Option<ExitStatus> {
    if let Ok(Some(status)) = reaped(process) {
        return Some(status);
    }
    kill(process);
    if !wait(process, Duration::from_secs(5)) {
        return None;
    }
    process.wait().ok()
}

#[cfg(unix)]
mod platform {
    use super::{Child, ExitStatus};
    use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

    fn pid(process: &Child) -> Option<Pid> {
        i32::try_from(process.id()).ok().and_then(Pid::from_raw)
    }

    pub(in crate::child) fn terminate(process: &mut Child) {
        send(process, Signal::TERM);
    }

    pub(in crate::child) fn kill(process: &mut Child) {
        send(process, Signal::KILL);
    }

    fn send(process: &mut Child, signal: Signal) {
        if let Some(pid) = pid(process) {
            // The group may be gone already, which is what we want.
            let _ = kill_process_group(pid, signal);
        }
    }

    pub(super) fn ended(process: &mut Child) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        match pid(process).map(|pid| waitid(WaitId::Pid(pid), options)) {
            Some(Ok(None)) => false,
            // Ended, or reaped before.
            _ => true,
        }
    }

    /// Nobody but `finish` reaps, and it remembers the status.
    pub(super) fn reaped(process: &mut Child) -> std::io::Result<Option<ExitStatus>> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        match pid(process).map(|pid| waitid(WaitId::Pid(pid), options)) {
            Some(Err(_)) => process.try_wait(),
            _ => Ok(None),
        }
    }
}

#[cfg(not(unix))]
mod platform {
    use super::{Child, ExitStatus};

    pub(in crate::child) fn terminate(process: &mut Child) {
        kill(process);
    }

    pub(in crate::child) fn kill(process: &mut Child) {
        let _ = process.kill();
    }

    pub(super) fn ended(process: &mut Child) -> bool {
        matches!(process.try_wait(), Ok(Some(_)) | Err(_))
    }

    pub(super) fn reaped(process: &mut Child) -> std::io::Result<Option<ExitStatus>> {
        process.try_wait()
    }
}

use platform::{ended, reaped};
pub(super) use platform::{kill, terminate};
