//! Proportional set size: resident memory with shared pages divided among the processes that map them, so that a model
//! mapped by two workers is counted once. Walks every page table, hence only when stopped, outside timed regions.

use yardstick_record::Reading;

use crate::probe::{Learnt, Meter};
use crate::root::kilobytes;
use crate::{Error, Probe, Root};

/// See the file's head.
pub(crate) struct Pss {
    root: Root,
    pid: Option<u32>,
}

const PSS: Meter = Meter {
    name: "pss_bytes",
    unit: "bytes",
    source: "/proc/PID/smaps_rollup Pss, after the samples",
    scope: "worker",
};

impl Pss {
    pub(crate) fn new(root: &Root) -> Pss {
        Pss { root: root.clone(), pid: None }
    }

    fn read(&self, pid: u32) -> Learnt<f64> {
        let path = format!("/proc/{pid}/smaps_rollup");
        Ok(kilobytes(&path, &self.root.read(&path)?, "Pss")? as f64)
    }
}

impl Probe for Pss {
    fn name(&self) -> &str {
        "pss"
    }

    fn start(&mut self, pid: u32) -> Result<(), Error> {
        self.pid = Some(pid);
        Ok(())
    }

    fn stop(&mut self) -> Result<Vec<Reading>, Error> {
        let pid = self.pid.take().ok_or(Error::NotStarted { probe: "pss" })?;
        Ok(vec![PSS.read(self.read(pid))])
    }
}
