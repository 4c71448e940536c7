//! What a process has cost so far: CPU time, and how often it was interrupted.

use yardstick_api::Known;

/// CPU time of all threads of this process, nanoseconds.
pub(super) fn cpu_ns() -> Known<u64> {
    #[cfg(unix)]
    {
        use rustix::time::{ClockId, clock_gettime};
        let time = clock_gettime(ClockId::ProcessCPUTime);
        let (seconds, nanoseconds) = (u64::try_from(time.tv_sec), u64::try_from(time.tv_nsec));
        match (seconds, nanoseconds) {
            (Ok(seconds), Ok(nanoseconds)) => Known::Value(seconds * 1_000_000_000 + nanoseconds),
            _ => Known::unavailable("the clock of the process's CPU time ran backwards"),
        }
    }
    #[cfg(not(unix))]
    Known::unavailable("the CPU time of a process is read on Unix only")
}

/// How often the system took the processor away from this thread; Linux tells.
pub(super) fn switches() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/thread-self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("nonvoluntary_ctxt_switches:"))?;
    line.trim().parse().ok()
}
