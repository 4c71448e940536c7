//! The machine a backend runs on: memory a model may use, the processor's name.

use std::path::Path;

use crate::Known;

/// Bytes the system, or the control group we are in, could give us now.
pub fn available_memory() -> Known<u64> {
    let system = system();
    match (system.value(), group()) {
        (Some(&system), Some(group)) => Known::Value(system.min(group)),
        _ => system,
    }
}

fn system() -> Known<u64> {
    const SOURCE: &str = "/proc/meminfo";
    let Ok(text) = std::fs::read_to_string(SOURCE) else {
        return Known::unavailable(format!("{SOURCE} cannot be read on this system"));
    };
    text.lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))
        .and_then(|rest| rest.trim().strip_suffix("kB")?.trim().parse::<u64>().ok())
        .and_then(|kib| kib.checked_mul(1024))
        .map_or_else(|| Known::unavailable(format!("{SOURCE} has no MemAvailable")), Known::Value)
}

/// What the tightest memory limit of our control group (v2) and its parents leaves; `None` without one.
fn group() -> Option<u64> {
    let groups = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let path = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
    let root = Path::new("/sys/fs/cgroup");
    let own = root.join(path.trim_start_matches('/'));
    own.ancestors().take_while(|folder| folder.starts_with(root)).filter_map(left).min()
}

/// Limit less what is used and could not be dropped (inactive file pages can).
fn left(folder: &Path) -> Option<u64> {
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).ok();
    let limit: u64 = read("memory.max")?.trim().parse().ok()?;
    let used: u64 = read("memory.current")?.trim().parse().ok()?;
    let stat = read("memory.stat").unwrap_or_default();
    let droppable: u64 = stat
        .lines()
        .find_map(|line| line.strip_prefix("inactive_file ")?.trim().parse().ok())
        .unwrap_or(0);
    Some(limit.saturating_sub(used.saturating_sub(droppable)))
}

/// The processor's name as the system tells it.
pub fn processor() -> Known<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':')).map_or_else(
        || Known::unavailable("/proc/cpuinfo names no processor on this system"),
        |(_, name)| Known::Value(name.trim().to_owned()),
    )
}
