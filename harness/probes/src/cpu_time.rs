//! CPU time of the worker over a test, user and system, all threads. The kernel counts it in clock ticks (usually 10 ms):
//! the worker's own per-sample CPU time is the fine one, this is the check on it from outside.

use yardstick_record::Reading;

use crate::probe::{Learnt, Meter, moved};
use crate::process_stat::{ProcessStat, ticks_to_ns};
use crate::{Error, Probe, Root};

/// See the file's head.
pub(crate) struct CpuTime {
    root: Root,
    started: Option<(u32, Learnt<ProcessStat>)>,
}

const USER: Meter = Meter {
    name: "cpu_user_ns",
    unit: "ns",
    source: "/proc/PID/stat utime, in clock ticks",
    scope: "test",
};
const SYSTEM: Meter = Meter {
    name: "cpu_system_ns",
    unit: "ns",
    source: "/proc/PID/stat stime, in clock ticks",
    scope: "test",
};

impl CpuTime {
    pub(crate) fn new(root: &Root) -> CpuTime {
        CpuTime { root: root.clone(), started: None }
    }
}

impl Probe for CpuTime {
    fn name(&self) -> &str {
        "cpu_time"
    }

    fn start(&mut self, pid: u32) -> Result<(), Error> {
        self.started = Some((pid, ProcessStat::read(&self.root, pid)));
        Ok(())
    }

    fn stop(&mut self) -> Result<Vec<Reading>, Error> {
        let (pid, before) = self.started.take().ok_or(Error::NotStarted { probe: "cpu_time" })?;
        let pair = before.and_then(|before| Ok((before, before.read_again(&self.root, pid)?)));
        let spent = |pick: fn(&ProcessStat) -> u64| -> Learnt<f64> {
            let (before, after) = pair.as_ref()?;
            Ok(ticks_to_ns(moved("CPU time", pick(before), pick(after))?))
        };
        Ok(vec![USER.read(spent(|stat| stat.user)), SYSTEM.read(spent(|stat| stat.system))])
    }
}
