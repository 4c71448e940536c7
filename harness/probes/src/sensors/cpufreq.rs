//! Clock speeds of the processor's CPUs while a test runs. Idle CPUs clock down, so the slowest says little where not all
//! were busy; the fastest at each read says what a busy one got.

use std::time::Duration;

use yardstick_record::Reading;

use super::gauge::Gauge;
use super::sensor::{About, Entry, Health, Missing, Quantity, Sensor, is_virtual};
use crate::Root;
use crate::environment::cpus;
use crate::probe::Learnt;

pub(super) const ENTRY: Entry = Entry {
    name: "cpufreq",
    measures: "clock speed of the CPUs",
    could: &[Quantity::Clock],
    absent: (
        "cpu_clock_mean_mhz",
        About { unit: "MHz", source: "cpufreq/scaling_cur_freq", scope: "machine", better: None },
    ),
    open: |root| Ok(Box::new(Cpufreq::open(root)?)),
};

/// CPUs read at most.
const MOST_CPUS: usize = 256;
/// Nothing that runs this program clocks outside, MHz.
const PLAUSIBLE: std::ops::RangeInclusive<f64> = 10.0..=10_000.0;

/// See the file's head.
pub(super) struct Cpufreq {
    root: Root,
    /// `/sys/devices/system/cpu/cpu0/cpufreq`.
    folders: Vec<String>,
    cpus: Vec<Gauge>,
    fastest: Gauge,
    /// Governors of the first CPU at the start of the test.
    governor: String,
}

impl Cpufreq {
    pub(super) fn open(root: &Root) -> Result<Cpufreq, Missing> {
        let cpus = cpus(root).map_err(|reason| Missing::new(reason, None))?;
        let folder = |cpu: &String| format!("/sys/devices/system/cpu/{cpu}/cpufreq");
        let mut folders: Vec<String> = cpus.iter().map(folder).collect();
        folders.retain(|folder| root.exists(&format!("{folder}/scaling_cur_freq")));
        folders.truncate(MOST_CPUS);
        if folders.is_empty() {
            let reason = "no CPU has cpufreq/scaling_cur_freq";
            return Err(match is_virtual(root) {
                true => Missing::new(
                    format!("{reason}: the hypervisor sets the clock of this virtual machine"),
                    Some("measure on the host, or on a machine that is not virtual"),
                ),
                false => Missing::new(format!("{reason}: no cpufreq driver is loaded"), None),
            });
        }
        let gauges = folders.iter().map(|_| Gauge::new(PLAUSIBLE)).collect();
        let fastest = Gauge::new(PLAUSIBLE);
        Ok(Cpufreq { root: root.clone(), folders, cpus: gauges, fastest, governor: String::new() })
    }

    fn megahertz(&self, cpu: usize) -> Learnt<f64> {
        Ok(self.root.number(&format!("{}/scaling_cur_freq", self.folders[cpu]))? as f64 / 1000.0)
    }

    /// The clock of the fastest CPU now, MHz.
    pub(super) fn fastest(&self) -> Learnt<f64> {
        let reads = (0..self.folders.len()).filter_map(|cpu| self.megahertz(cpu).ok());
        let fastest = reads.filter(|mhz| PLAUSIBLE.contains(mhz)).reduce(f64::max);
        fastest.ok_or_else(|| "no CPU told its clock".to_owned())
    }

    fn governor(&self) -> String {
        let file = format!("{}/scaling_governor", self.folders[0]);
        self.root.line(&file).unwrap_or_else(|_| "not known".to_owned())
    }
}

impl Sensor for Cpufreq {
    fn begin(&mut self, _pid: u32) {
        self.cpus.iter_mut().for_each(Gauge::begin);
        self.fastest.begin();
        self.governor = self.governor();
    }

    fn sample(&mut self, at: Duration) {
        let reads: Vec<Learnt<f64>> =
            (0..self.folders.len()).map(|cpu| self.megahertz(cpu)).collect();
        let fastest = reads.iter().flatten().copied().reduce(f64::max);
        self.fastest.take(at, fastest.ok_or_else(|| "no CPU told its clock".to_owned()));
        for (gauge, read) in self.cpus.iter_mut().zip(reads) {
            gauge.take(at, read);
        }
    }

    fn finish(&mut self) -> Vec<Reading> {
        let governor = match self.governor() {
            same if same == self.governor => same,
            other => format!("{}, then {other}", self.governor),
        };
        let n = self.folders.len();
        let source = format!("cpufreq/scaling_cur_freq of {n} CPUs, governor {governor}");
        let about = About { source: &source, ..ENTRY.absent.1 };
        let courses: Learnt<Vec<_>> = self.cpus.iter().map(Gauge::course).collect();
        let over =
            |pick: &dyn Fn(&[super::gauge::Course]) -> f64| courses.clone().map(|c| pick(&c));
        let fastest = self.fastest.course().map(|course| course.least);
        vec![
            about.reading(
                "cpu_clock_mean_mhz",
                over(&|c| c.iter().map(|c| c.mean).sum::<f64>() / c.len() as f64),
            ),
            about.reading(
                "cpu_clock_min_mhz",
                over(&|c| c.iter().map(|c| c.least).fold(f64::INFINITY, f64::min)),
            ),
            about.reading(
                "cpu_clock_max_mhz",
                over(&|c| c.iter().map(|c| c.most).fold(0.0, f64::max)),
            ),
            about.reading("cpu_clock_fastest_min_mhz", fastest),
        ]
    }

    fn health(&mut self) -> Health {
        let reads: Learnt<Vec<f64>> =
            (0..self.folders.len()).map(|cpu| self.megahertz(cpu)).collect();
        match reads {
            Err(reason) => Health { status: Err(Missing::new(reason, None)), provides: vec![] },
            Ok(reads) => {
                let low = reads.iter().copied().fold(f64::INFINITY, f64::min);
                let high = reads.iter().copied().fold(0.0, f64::max);
                let (n, governor) = (reads.len(), self.governor());
                let status = format!("{n} CPUs at {low:.0} to {high:.0} MHz, governor {governor}");
                Health { status: Ok(status), provides: vec![Quantity::Clock] }
            }
        }
    }
}
