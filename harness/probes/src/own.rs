//! This process itself: what it holds now and its faults so far, for measuring in one process.

use yardstick_api::Known;

use crate::probe::{Learnt, known};
use crate::process_stat::ProcessStat;
use crate::root::kilobytes;
use crate::{Root, portable};

/// Memory of this process, and its page faults since it began.
#[derive(Clone, Debug, PartialEq)]
pub struct Own {
    /// Resident, bytes.
    pub resident_bytes: Known<f64>,
    /// Resident, shared pages divided among the processes that map them, bytes.
    pub proportional_bytes: Known<f64>,
    /// Resident and of no file, bytes: what a leak grows. The kernel walks the page tables for it, so it is exact.
    pub anonymous_bytes: Known<f64>,
    /// Faults that read the disk.
    pub major_faults: Known<f64>,
    /// All other faults.
    pub minor_faults: Known<f64>,
}

/// Reads it; takes up to milliseconds.
pub fn own() -> Own {
    own_under(&Root::default(), std::process::id())
}

fn own_under(root: &Root, pid: u32) -> Own {
    let path = format!("/proc/{pid}/smaps_rollup");
    let rollup = root.read(&path);
    let field = |name| -> Learnt<f64> { Ok(kilobytes(&path, rollup.as_ref()?, name)? as f64) };
    let stat = ProcessStat::read(root, pid);
    let faults = |pick: fn(&ProcessStat) -> u64| {
        known(stat.as_ref().map_or_else(|e| Err(e.clone()), |stat| Ok(pick(stat) as f64)))
    };
    let resident = match field("Rss") {
        Err(_) if !cfg!(target_os = "linux") => portable::resident_bytes(pid).map(|b| b as f64),
        other => other,
    };
    Own {
        resident_bytes: known(resident),
        proportional_bytes: known(field("Pss")),
        anonymous_bytes: known(field("Anonymous")),
        major_faults: faults(|stat| stat.major_faults),
        minor_faults: faults(|stat| stat.minor_faults),
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn touched_memory_is_seen_and_another_tree_is_a_reason() {
        let before = own();
        let touched = std::hint::black_box(vec![1_u8; 8 << 20]);
        let after = own();
        let grown =
            after.anonymous_bytes.value().unwrap() - before.anonymous_bytes.value().unwrap();
        assert!(grown > (6 << 20) as f64, "{grown}");
        assert!(after.minor_faults.value() > before.minor_faults.value());
        drop(touched);
        let none = own_under(&Root::new("/nowhere"), 1);
        assert!(none.anonymous_bytes.reason().is_some() && none.major_faults.reason().is_some());
    }
}
