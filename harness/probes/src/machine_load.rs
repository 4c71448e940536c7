//! What the rest of the machine did during a test: CPU time the hypervisor gave to others (steal), and CPU time that
//! other processes used (foreign). Both as a share of all cores. Outside evidence that a sample was starved.

use yardstick_record::Reading;

use crate::probe::{Learnt, Meter, moved};
use crate::process_stat::ProcessStat;
use crate::root::number;
use crate::{Error, Probe, Root};

/// See the file's head.
pub(crate) struct MachineLoad {
    root: Root,
    started: Option<Started>,
}

struct Started {
    pid: u32,
    machine: Learnt<MachineStat>,
    process: Learnt<ProcessStat>,
}

/// The first line of `/proc/stat`, in clock ticks summed over all cores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MachineStat {
    pub(crate) busy: u64,
    pub(crate) idle: u64,
    pub(crate) steal: u64,
}

const STEAL: Meter = Meter {
    name: "steal_percent",
    unit: "%",
    source: "/proc/stat steal, share of all cores' time",
    scope: "machine",
};
const FOREIGN: Meter = Meter {
    name: "foreign_cpu_percent",
    unit: "%",
    source: "/proc/stat busy time less the worker's, share of all cores' time",
    scope: "machine",
};

/// Fewer ticks than this make a percentage of steps of more than 10 %.
const FEWEST_TICKS: u64 = 10;

impl MachineLoad {
    pub(crate) fn new(root: &Root) -> MachineLoad {
        MachineLoad { root: root.clone(), started: None }
    }
}

impl Probe for MachineLoad {
    fn name(&self) -> &str {
        "machine_load"
    }

    fn start(&mut self, pid: u32) -> Result<(), Error> {
        let machine = MachineStat::read(&self.root);
        self.started = Some(Started { pid, machine, process: ProcessStat::read(&self.root, pid) });
        Ok(())
    }

    fn stop(&mut self) -> Result<Vec<Reading>, Error> {
        let started = self.started.take().ok_or(Error::NotStarted { probe: "machine_load" })?;
        let spent =
            started.process.and_then(|process| ticks_since(&self.root, started.pid, process));
        let passed =
            started.machine.and_then(|machine| MachineStat::read(&self.root)?.since(&machine));
        let foreign = passed.clone().and_then(|passed| Ok(passed.foreign_percent(spent?)));
        Ok(vec![STEAL.read(passed.map(|passed| passed.steal_percent())), FOREIGN.read(foreign)])
    }
}

/// CPU time of a process since an earlier reading, clock ticks.
fn ticks_since(root: &Root, pid: u32, before: ProcessStat) -> Learnt<u64> {
    let after = before.read_again(root, pid)?;
    let user = moved("CPU time", before.user, after.user)?;
    Ok(user.saturating_add(moved("CPU time", before.system, after.system)?))
}

impl MachineStat {
    pub(crate) fn read(root: &Root) -> Learnt<MachineStat> {
        parse(&root.read("/proc/stat")?)
    }

    /// What passed since an earlier reading, long enough to be divided.
    pub(crate) fn since(&self, before: &MachineStat) -> Learnt<MachineStat> {
        let passed = MachineStat {
            busy: moved("busy time in /proc/stat", before.busy, self.busy)?,
            // Idle and iowait may step back (proc_stat(5)).
            idle: self.idle.saturating_sub(before.idle),
            steal: moved("steal in /proc/stat", before.steal, self.steal)?,
        };
        match passed.total() {
            total if total < FEWEST_TICKS => {
                Err(format!("too short to tell: {total} clock ticks passed on all cores"))
            }
            _ => Ok(passed),
        }
    }

    fn total(&self) -> u64 {
        self.busy.saturating_add(self.steal).saturating_add(self.idle)
    }

    pub(crate) fn steal_percent(&self) -> f64 {
        percent(self.steal, self.total())
    }

    /// Busy time less the ticks one process spent; the two are sampled by different clocks, so the process may seem to
    /// have spent more than there was.
    pub(crate) fn foreign_percent(&self, own: u64) -> f64 {
        percent(self.busy.saturating_sub(own), self.total())
    }

    /// Ticks one process spent, of all cores' time.
    pub(crate) fn share_percent(&self, own: u64) -> f64 {
        percent(own, self.total())
    }
}

/// `cpu user nice system idle iowait irq softirq steal ...`; guest time is already in user.
fn parse(text: &str) -> Learnt<MachineStat> {
    let line =
        text.lines().find(|line| line.starts_with("cpu ")).ok_or("/proc/stat has no line cpu")?;
    let fields: Vec<&str> = line.split_whitespace().skip(1).collect();
    let field = |index: usize, name: &str| -> Learnt<u64> {
        let text =
            fields.get(index).ok_or_else(|| format!("/proc/stat: cpu has no field {name}"))?;
        number(&format!("{name} in /proc/stat"), text)
    };
    let sum = |fields: &[(usize, &str)]| {
        fields.iter().try_fold(0_u64, |sum, &(index, name)| {
            sum.checked_add(field(index, name)?)
                .ok_or_else(|| format!("{name} in /proc/stat is too large"))
        })
    };
    Ok(MachineStat {
        busy: sum(&[(0, "user"), (1, "nice"), (2, "system"), (5, "irq"), (6, "softirq")])?,
        idle: sum(&[(3, "idle"), (4, "iowait")])?,
        steal: field(7, "steal")?,
    })
}

fn percent(part: u64, whole: u64) -> f64 {
    part as f64 * 100.0 / whole as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_of_all_cores_and_leave_the_worker_out() {
        let before = parse("cpu  100 0 50 1000 10 0 0 5 0 0\ncpu0 1 1 1").unwrap();
        let after = parse("cpu  180 0 60 1090 20 0 0 15 0 0").unwrap();
        let passed = after.since(&before).unwrap();
        assert_eq!(passed.total(), 200);
        assert_eq!((passed.steal_percent(), passed.foreign_percent(60)), (5.0, 15.0));
        assert_eq!(passed.foreign_percent(1000), 0.0);
    }

    #[test]
    fn garbage_is_a_reason() {
        let huge = format!("cpu {0} {0} 1 1 1 1 1 1", u64::MAX);
        for text in
            ["", "cpu ", "cpu 1 2 3", "cpu 1 2 3 4 5 6 7", "cpu x 2 3 4 5 6 7 8", huge.as_str()]
        {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }
}
