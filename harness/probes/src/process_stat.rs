//! `/proc/PID/stat`: CPU time, page faults and the start time that tells one process from a later one of the same id.
//! Fields as in proc_pid_stat(5).

use crate::Root;
use crate::probe::Learnt;
use crate::root::number;

/// The counters of one process, all threads included, ended ones too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProcessStat {
    pub(crate) minor_faults: u64,
    pub(crate) major_faults: u64,
    /// Clock ticks.
    pub(crate) user: u64,
    /// Clock ticks.
    pub(crate) system: u64,
    /// Resident pages; nothing where the kernel does not tell.
    pub(crate) resident: Option<u64>,
    /// Clock ticks since boot.
    started: u64,
}

impl ProcessStat {
    pub(crate) fn read(root: &Root, pid: u32) -> Learnt<ProcessStat> {
        let path = format!("/proc/{pid}/stat");
        parse(&path, &root.read(&path)?)
    }

    /// The same process later; an id that was given to another process is a reason.
    pub(crate) fn read_again(&self, root: &Root, pid: u32) -> Learnt<ProcessStat> {
        let later = ProcessStat::read(root, pid)?;
        if later.started == self.started {
            Ok(later)
        } else {
            Err(format!("process {pid} ended and its id went to another process"))
        }
    }
}

/// The name in parentheses may hold anything, so fields are counted from the last parenthesis: field 3 comes first.
fn parse(path: &str, text: &str) -> Learnt<ProcessStat> {
    let (_, rest) =
        text.rsplit_once(')').ok_or_else(|| format!("{path}: no process name in parentheses"))?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let field = |index: usize| -> Learnt<u64> {
        let text =
            fields.get(index - 3).ok_or_else(|| format!("{path}: field {index} is missing"))?;
        number(&format!("{path} field {index}"), text)
    };
    Ok(ProcessStat {
        minor_faults: field(10)?,
        major_faults: field(12)?,
        user: field(14)?,
        system: field(15)?,
        resident: field(24).ok(),
        started: field(22)?,
    })
}

/// Clock ticks a second, the unit of every time in `/proc`.
pub(crate) fn ticks_per_second() -> u64 {
    #[cfg(unix)]
    return rustix::param::clock_ticks_per_second().max(1);
    #[cfg(not(unix))]
    return 100;
}

/// Bytes of a page of memory.
pub(crate) fn page_bytes() -> u64 {
    #[cfg(unix)]
    return rustix::param::page_size() as u64;
    #[cfg(not(unix))]
    return 4096;
}

/// Clock ticks in nanoseconds.
pub(crate) fn ticks_to_ns(ticks: u64) -> f64 {
    ticks as f64 * 1e9 / ticks_per_second() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_name_may_hold_parentheses_and_spaces() {
        let text = "7 (a) b (c) ) S 1 2 3 4 5 6 11 0 22 0 33 44 0 0 20 0 1 0 99 0 70";
        let stat = parse("/proc/7/stat", text).unwrap();
        assert_eq!((stat.minor_faults, stat.major_faults), (11, 22));
        assert_eq!((stat.user, stat.system, stat.started), (33, 44, 99));
        assert_eq!(stat.resident, Some(70));
    }

    #[test]
    fn garbage_is_a_reason_that_names_the_field() {
        for (text, named) in [
            ("", "parentheses"),
            ("7 (x", "parentheses"),
            ("7 (x) S", "field 10 is missing"),
            ("7 (x) S 1 2 3 4 5 6 -1", "field 10: expected a whole number"),
            ("7 (x) S 1 2 3 4 5 6 99999999999999999999999", "whole number"),
        ] {
            let reason = parse("/proc/7/stat", text).unwrap_err();
            assert!(reason.contains(named), "{text:?}: {reason}");
        }
    }
}
