//! Whether the kernel killed processes for lack of memory: a counter, compared before and after.

/// Processes killed so far, machine-wide, or in our control group where only that is told.
pub(super) fn kills() -> Option<u64> {
    let machine = || count(&std::fs::read_to_string("/proc/vmstat").ok()?);
    let group = || count(&std::fs::read_to_string("/sys/fs/cgroup/memory.events").ok()?);
    machine().or_else(group)
}

fn count(text: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix("oom_kill ")).and_then(|n| n.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_counter_is_the_line_of_that_name() {
        let events = "oom 3\noom_kill 2\noom_group_kill 1\n";
        assert_eq!(super::count(events), Some(2));
        assert_eq!(super::count("oom_killer 5\n"), None);
    }
}
