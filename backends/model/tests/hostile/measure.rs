//! Time and peak memory of one call, and the limits of opening a file.

use std::time::Instant;

/// 100 ms up to 1 MiB of header and 5 ms for each MiB beyond; ten times that without optimisation.
const BASE_SECONDS: f64 = 0.1;
const SECONDS_PER_MIB: f64 = 0.005;
const MEMORY: u64 = 64 << 20;

/// The answer, the best time of up to three calls (another process may hold the processor), and by how much
/// the largest resident set of any call exceeded the one before it.
pub(crate) fn measured<T>(mut call: impl FnMut() -> T) -> (T, f64, u64) {
    let (mut best, mut grown) = (f64::INFINITY, 0);
    loop {
        let before = resident("VmRSS:");
        reset_peak();
        let start = Instant::now();
        let answer = call();
        let seconds = start.elapsed().as_secs_f64();
        grown = grown.max(resident("VmHWM:").saturating_sub(before));
        let tries_end = seconds < BASE_SECONDS || best < f64::INFINITY;
        best = best.min(seconds);
        if tries_end {
            return (answer, best, grown);
        }
    }
}

/// What a measurement has too much of.
pub(crate) fn over_limits(header_bytes: u64, seconds: f64, grown: u64) -> Option<String> {
    let mib = header_bytes as f64 / f64::from(1 << 20);
    let limit = BASE_SECONDS + SECONDS_PER_MIB * (mib - 1.0).max(0.0);
    let limit = if cfg!(debug_assertions) { 10.0 * limit } else { limit };
    if seconds > limit {
        return Some(format!("took {seconds:.3} s, limit {limit:.3} s"));
    }
    (grown > MEMORY).then(|| format!("grew by {} MiB", grown >> 20))
}

/// A line of `/proc/self/status` in bytes; 0 where there is no such file, so that nothing is asserted there.
fn resident(line: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let value = status.lines().find_map(|l| l.strip_prefix(line)).unwrap_or("0 kB");
    value.trim().trim_end_matches(" kB").parse::<u64>().map_or(0, |kib| kib * 1024)
}

/// Makes the kernel forget the peak, so that each call has its own.
fn reset_peak() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}
