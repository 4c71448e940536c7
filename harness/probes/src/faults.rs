//! Page faults of the worker over a test. A major fault read the disk: the model was not in memory.

use yardstick_record::Reading;

use crate::probe::{Learnt, Meter, moved};
use crate::process_stat::ProcessStat;
use crate::{Error, Probe, Root};

/// See the file's head.
pub(crate) struct Faults {
    root: Root,
    started: Option<(u32, Learnt<ProcessStat>)>,
}

const MAJOR: Meter =
    Meter { name: "major_faults", unit: "faults", source: "/proc/PID/stat majflt", scope: "test" };
const MINOR: Meter =
    Meter { name: "minor_faults", unit: "faults", source: "/proc/PID/stat minflt", scope: "test" };

impl Faults {
    pub(crate) fn new(root: &Root) -> Faults {
        Faults { root: root.clone(), started: None }
    }
}

impl Probe for Faults {
    fn name(&self) -> &str {
        "faults"
    }

    fn start(&mut self, pid: u32) -> Result<(), Error> {
        self.started = Some((pid, ProcessStat::read(&self.root, pid)));
        Ok(())
    }

    fn stop(&mut self) -> Result<Vec<Reading>, Error> {
        let (pid, before) = self.started.take().ok_or(Error::NotStarted { probe: "faults" })?;
        let pair = before.and_then(|before| Ok((before, before.read_again(&self.root, pid)?)));
        let count = |pick: fn(&ProcessStat) -> u64| -> Learnt<f64> {
            let (before, after) = pair.as_ref()?;
            Ok(moved("page faults", pick(before), pick(after))? as f64)
        };
        Ok(vec![
            MAJOR.read(count(|stat| stat.major_faults)),
            MINOR.read(count(|stat| stat.minor_faults)),
        ])
    }
}
