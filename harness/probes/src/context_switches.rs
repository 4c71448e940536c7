//! Context switches of the worker over a test, summed over its threads. Involuntary ones mean that something else wanted
//! the core. The kernel keeps them per thread, and a thread takes its count with it when it ends.

use std::collections::BTreeMap;

use yardstick_record::Reading;

use crate::probe::{Learnt, Meter, moved};
use crate::root::{labelled, number};
use crate::{Error, Probe, Root};

/// See the file's head.
pub(crate) struct ContextSwitches {
    root: Root,
    started: Option<(u32, Learnt<Threads>)>,
}

/// Thread id to its counts.
type Threads = BTreeMap<String, Switches>;

#[derive(Clone, Copy, Default)]
struct Switches {
    voluntary: u64,
    involuntary: u64,
}

const VOLUNTARY: Meter = Meter {
    name: "context_switches_voluntary",
    unit: "switches",
    source: "/proc/PID/task/*/status, threads alive after the samples",
    scope: "test",
};
const INVOLUNTARY: Meter = Meter { name: "context_switches_involuntary", ..VOLUNTARY };

impl ContextSwitches {
    pub(crate) fn new(root: &Root) -> ContextSwitches {
        ContextSwitches { root: root.clone(), started: None }
    }
}

impl Probe for ContextSwitches {
    fn name(&self) -> &str {
        "context_switches"
    }

    fn start(&mut self, pid: u32) -> Result<(), Error> {
        self.started = Some((pid, threads(&self.root, pid)));
        Ok(())
    }

    fn stop(&mut self) -> Result<Vec<Reading>, Error> {
        let (pid, before) =
            self.started.take().ok_or(Error::NotStarted { probe: "context_switches" })?;
        let pair = before.and_then(|before| Ok((before, threads(&self.root, pid)?)));
        let sum = |pick: fn(&Switches) -> u64| -> Learnt<f64> {
            let (before, after) = pair.as_ref()?;
            difference(before, after, pick)
        };
        Ok(vec![
            VOLUNTARY.read(sum(|switches| switches.voluntary)),
            INVOLUNTARY.read(sum(|switches| switches.involuntary)),
        ])
    }
}

fn threads(root: &Root, pid: u32) -> Learnt<Threads> {
    let folder = format!("/proc/{pid}/task");
    let mut threads = Threads::new();
    for tid in root.list(&folder)? {
        let path = format!("{folder}/{tid}/status");
        // A thread may end between the listing and the reading; only that is passed over.
        let Ok(text) = root.read(&path) else { continue };
        let count =
            |name: &str| number(&format!("{name} in {path}"), labelled(&path, &text, name)?);
        let switches = Switches {
            voluntary: count("voluntary_ctxt_switches")?,
            involuntary: count("nonvoluntary_ctxt_switches")?,
        };
        threads.insert(tid, switches);
    }
    if threads.is_empty() { Err(format!("{folder} lists no thread")) } else { Ok(threads) }
}

/// Threads that began in between count from 0; one that ended makes the sum unknown.
fn difference(before: &Threads, after: &Threads, pick: fn(&Switches) -> u64) -> Learnt<f64> {
    if let Some(gone) = before.keys().filter(|tid| !after.contains_key(*tid)).count().checked_sub(1)
    {
        return Err(format!(
            "{} of {} threads ended, and their counts with them",
            gone + 1,
            before.len()
        ));
    }
    let mut sum = 0.0;
    for (tid, switches) in after {
        let start = before.get(tid).copied().unwrap_or_default();
        sum += moved("context switches", pick(&start), pick(switches))? as f64;
    }
    Ok(sum)
}
