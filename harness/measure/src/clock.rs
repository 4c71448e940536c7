//! CPU time of this process, where the platform tells it.

/// Nanoseconds of CPU time of all threads so far.
#[cfg(unix)]
pub(crate) fn process_cpu_ns() -> Option<u64> {
    use rustix::time::{ClockId, clock_gettime};
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Some(time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64)
}

/// Not known on this platform.
#[cfg(not(unix))]
pub(crate) fn process_cpu_ns() -> Option<u64> {
    None
}
