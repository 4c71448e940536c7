//! Processes that left a worker's group (`setsid`): found by the mark that a worker's environment carries and its children inherit,
//! and killed. One that also clears its environment escapes; only a control group would hold it.

use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};

/// The variable that carries the mark.
const VARIABLE: &str = "YARDSTICK_WORKER";
/// Times that strays are looked for: each look may miss what is being started.
#[cfg(target_os = "linux")]
const LOOKS: usize = 8;

/// What tells a worker's processes from all others.
#[derive(Debug)]
pub(super) struct Mark {
    #[cfg_attr(
        not(target_os = "linux"),
        allow(dead_code, reason = "only Linux lists environments")
    )]
    text: String,
}

impl Mark {
    /// Marks the process that will start, and all that it starts.
    pub(super) fn put(command: &mut Command) -> Mark {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let now = now.map_or(0, |since| since.as_nanos());
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let value = format!("{}-{count}-{now}", std::process::id());
        command.env(VARIABLE, &value);
        Mark { text: format!("{VARIABLE}={value}") }
    }

    /// Kills every process that carries the mark. The worker itself was reaped before.
    #[cfg(target_os = "linux")]
    pub(super) fn kill_all(&self) {
        use rustix::process::{PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
        for _ in 0..LOOKS {
            let mut found = false;
            for pid in processes() {
                let Ok(process) = pidfd_open(pid, PidfdFlags::empty()) else { continue };
                // Looked at after it was opened: its number cannot have become another's between.
                if self.is_carried_by(pid) {
                    found = true;
                    let _ = pidfd_send_signal(&process, Signal::KILL);
                }
            }
            if !found {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
    }

    /// Other systems do not list the environments of processes.
    #[cfg(not(target_os = "linux"))]
    pub(super) fn kill_all(&self) {}

    /// A process that has ended has no environment any more.
    #[cfg(target_os = "linux")]
    fn is_carried_by(&self, pid: rustix::process::Pid) -> bool {
        let path = format!("/proc/{}/environ", pid.as_raw_nonzero());
        let Ok(environment) = std::fs::read(path) else { return false };
        environment.split(|byte| *byte == 0).any(|variable| variable == self.text.as_bytes())
    }
}

#[cfg(target_os = "linux")]
fn processes() -> impl Iterator<Item = rustix::process::Pid> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let own = std::process::id();
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    numbers
        .filter(move |number| u32::try_from(*number) != Ok(own))
        .filter_map(rustix::process::Pid::from_raw)
}
