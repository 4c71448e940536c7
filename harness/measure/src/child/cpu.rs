//! CPU time of a process in nanoseconds, from outside: finer than the clock ticks of `/proc/PID/stat`, so that an idle
//! moment of milliseconds can be judged.

use std::fs;

/// What all threads that live have used so far. Linux only, and only where the kernel keeps scheduler statistics.
pub(super) fn time_ns(pid: u32) -> Option<u64> {
    let mut total = 0_u64;
    for task in fs::read_dir(format!("/proc/{pid}/task")).ok()? {
        // A thread may end between the listing and the reading.
        let Ok(text) = fs::read_to_string(task.ok()?.path().join("schedstat")) else { continue };
        total = total.checked_add(text.split_whitespace().next()?.parse().ok()?)?;
    }
    Some(total)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn work_is_seen_and_rest_is_not() {
        let Some(before) = time_ns(std::process::id()) else {
            println!("skipped: the kernel keeps no scheduler statistics");
            return;
        };
        let start = Instant::now();
        let mut spins = 0_u64;
        // Until 20 ms of CPU time are used, however busy the machine is.
        while time_ns(std::process::id()).is_some_and(|now| now < before + 20_000_000) {
            spins = std::hint::black_box(spins + 1);
            assert!(start.elapsed() < Duration::from_secs(60), "no CPU time is seen");
        }
        assert_eq!(time_ns(u32::MAX), None);
    }
}
