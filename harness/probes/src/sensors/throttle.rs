//! How often the processor throttled itself for heat, as Intel processors count it. Here 0 is an answer: it did not.

use std::time::Duration;

use yardstick_record::{Direction, Reading};

use super::sensor::{About, Entry, Health, Missing, Quantity, Sensor, is_virtual};
use crate::Root;
use crate::environment::cpus;
use crate::probe::{Learnt, moved};

pub(super) const ENTRY: Entry = Entry {
    name: "throttle",
    measures: "thermal throttling of the processor",
    could: &[Quantity::Throttling],
    absent: (EVENTS, ABOUT),
    open: |root| Ok(Box::new(Throttle::open(root)?)),
};

/// The reading by which samples are marked.
const EVENTS: &str = "cpu_throttle_events";
const ABOUT: About<'static> = About {
    unit: "events",
    source: "/sys/devices/system/cpu/cpu*/thermal_throttle, the CPU with the most",
    scope: "machine",
    better: Some(Direction::Lower),
};
/// Counts of events, of which the larger is taken, and of milliseconds.
const COUNTS: [&str; 2] = ["core_throttle_count", "package_throttle_count"];
const TIMES: [&str; 2] = ["core_throttle_total_time_ms", "package_throttle_total_time_ms"];

/// See the file's head.
pub(super) struct Throttle {
    root: Root,
    /// `/sys/devices/system/cpu/cpu0/thermal_throttle`.
    folders: Vec<String>,
    first: Option<Reads>,
    last: Option<Reads>,
}

/// A value a file of every CPU.
struct Reads {
    counts: Learnt<Vec<u64>>,
    times: Learnt<Vec<u64>>,
}

impl Throttle {
    pub(super) fn open(root: &Root) -> Result<Throttle, Missing> {
        let cpus = cpus(root).map_err(|reason| Missing::new(reason, None))?;
        let folder = |cpu: &String| format!("/sys/devices/system/cpu/{cpu}/thermal_throttle");
        let mut folders: Vec<String> = cpus.iter().map(folder).collect();
        folders.retain(|folder| root.exists(&format!("{folder}/{}", COUNTS[0])));
        match folders.is_empty() {
            false => Ok(Throttle { root: root.clone(), folders, first: None, last: None }),
            true if is_virtual(root) => Err(Missing::new(
                "no CPU has thermal_throttle counters: this is a virtual machine",
                Some("measure on the host, or on a machine that is not virtual"),
            )),
            true => Err(Missing::new(
                "no CPU has thermal_throttle counters; only the kernel's Intel driver keeps them",
                None,
            )),
        }
    }

    /// Events since boot, of the CPU with the most.
    pub(super) fn events(&self) -> Learnt<u64> {
        Ok(self.read(COUNTS)?.into_iter().max().unwrap_or_default())
    }

    fn read(&self, files: [&str; 2]) -> Learnt<Vec<u64>> {
        let paths =
            self.folders.iter().flat_map(|folder| files.map(|file| format!("{folder}/{file}")));
        paths.map(|path| self.root.number(&path)).collect()
    }
}

/// The CPU with the most: a package's count shows on each of its CPUs.
fn most(first: &Learnt<Vec<u64>>, last: &Learnt<Vec<u64>>) -> Learnt<f64> {
    let (first, last) = (first.as_ref()?, last.as_ref()?);
    let mut most = 0;
    for (before, after) in first.iter().zip(last) {
        most = most.max(moved("the throttle count", *before, *after)?);
    }
    Ok(most as f64)
}

impl Sensor for Throttle {
    fn begin(&mut self, _pid: u32) {
        (self.first, self.last) = (None, None);
    }

    /// Only the ends count; reads in between would cost without telling more.
    fn sample(&mut self, at: Duration) {
        if at.is_zero() || self.first.is_none() {
            self.first = Some(Reads { counts: self.read(COUNTS), times: self.read(TIMES) });
        }
    }

    fn finish(&mut self) -> Vec<Reading> {
        self.last = Some(Reads { counts: self.read(COUNTS), times: self.read(TIMES) });
        let (Some(first), Some(last)) = (&self.first, &self.last) else {
            return vec![ABOUT.reading(EVENTS, Err("was never read".to_owned()))];
        };
        let mut readings = vec![ABOUT.reading(EVENTS, most(&first.counts, &last.counts))];
        // Older kernels count events only.
        if first.times.is_ok() {
            let about = About { unit: "ms", ..ABOUT };
            readings.push(about.reading("cpu_throttle_ms", most(&first.times, &last.times)));
        }
        readings
    }

    fn health(&mut self) -> Health {
        match self.read(COUNTS) {
            Err(reason) => Health { status: Err(Missing::new(reason, None)), provides: vec![] },
            Ok(counts) => {
                let most = counts.iter().max().copied().unwrap_or_default();
                let status =
                    format!("{} CPUs, at most {most} events since boot", self.folders.len());
                Health { status: Ok(status), provides: vec![Quantity::Throttling] }
            }
        }
    }
}
