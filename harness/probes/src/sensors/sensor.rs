//! What a sensor is: something of the machine that is read again and again while a test runs.

use std::time::Duration;

use yardstick_api::Known;
use yardstick_record::{Direction, Precision, Reading};

use super::{battery, cpufreq, hwmon, nvml, perf_rapl, pmic, rapl, thermal, throttle};
use crate::Root;
use crate::probe::{Learnt, known};

/// A sensor that is there. `begin`, `sample` at least twice, `finish`; then again for the next test.
pub(crate) trait Sensor: Send {
    /// Forgets the last test; `pid` is the worker of the next.
    fn begin(&mut self, pid: u32);
    /// Reads everything once, `at` after the start of the test.
    fn sample(&mut self, at: Duration);
    /// What was read, each a value or a reason.
    fn finish(&mut self) -> Vec<Reading>;
    /// Whether it answers now.
    fn health(&mut self) -> Health;
}

/// What a sensor that is there can do.
pub(crate) struct Health {
    /// What answers, in a few words, or why nothing does.
    pub(crate) status: Result<String, Missing>,
    /// What is known thanks to it.
    pub(crate) provides: Vec<Quantity>,
}

/// Why something is not read, and the one line that would change that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Missing {
    pub(crate) reason: String,
    pub(crate) fix: Option<String>,
}

impl Missing {
    pub(crate) fn new(reason: impl Into<String>, fix: Option<&str>) -> Missing {
        Missing { reason: reason.into(), fix: fix.map(str::to_owned) }
    }

    /// Reason and fix in one, as a reading holds them.
    pub(crate) fn words(&self) -> String {
        match &self.fix {
            Some(fix) => format!("{}; fix: {fix}", self.reason),
            None => self.reason.clone(),
        }
    }
}

/// What people ask a machine for; several sensors may answer one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quantity {
    ProcessorEnergy,
    GraphicsEnergy,
    MachinePower,
    Temperature,
    Clock,
    Throttling,
}

/// A line of the table of sensors.
pub(crate) struct Entry {
    /// Short name.
    pub(crate) name: &'static str,
    /// What it measures, for people.
    pub(crate) measures: &'static str,
    /// What it could tell; a machine without it lacks these unless another sensor answers.
    pub(crate) could: &'static [Quantity],
    /// The reading that carries the reason where the sensor is missing.
    pub(crate) absent: (&'static str, About<'static>),
    /// Finds it.
    pub(crate) open: fn(&Root) -> Result<Box<dyn Sensor>, Missing>,
}

/// Every sensor: adding one is a file and a line here.
pub(crate) const TABLE: &[Entry] = &[
    rapl::ENTRY,
    perf_rapl::ENTRY,
    nvml::ENTRY,
    hwmon::ENTRY,
    pmic::ENTRY,
    battery::ENTRY,
    thermal::ENTRY,
    cpufreq::ENTRY,
    throttle::ENTRY,
];

/// What the readings of one channel have in common.
#[derive(Clone, Copy)]
pub(crate) struct About<'a> {
    pub(crate) unit: &'static str,
    pub(crate) source: &'a str,
    /// The part of the machine it covers; the time is always that of the timed samples.
    pub(crate) scope: &'a str,
    pub(crate) better: Option<Direction>,
}

impl About<'_> {
    pub(crate) fn reading(&self, name: impl Into<String>, value: Learnt<f64>) -> Reading {
        Reading {
            name: name.into(),
            value: known(value),
            unit: self.unit.to_owned(),
            better: self.better,
            source: self.source.to_owned(),
            scope: self.scope.to_owned(),
            precision: None,
        }
    }

    /// With how well it was observed.
    pub(crate) fn observed(
        &self,
        name: impl Into<String>,
        value: Learnt<(f64, Precision)>,
    ) -> Reading {
        let precision = value.as_ref().ok().map(|(_, precision)| *precision);
        Reading { precision, ..self.reading(name, value.map(|(value, _)| value)) }
    }

    pub(crate) fn missing(&self, name: &str, missing: &Missing) -> Reading {
        Reading { value: Known::unavailable(missing.words()), ..self.reading(name, Ok(0.0)) }
    }
}

/// A label of the machine's as a part of a name: `Package id 0` is `package_id_0`.
pub(crate) fn word(label: &str) -> String {
    let mut word = String::new();
    for c in label.chars().take(48) {
        match c {
            c if c.is_ascii_alphanumeric() => word.push(c.to_ascii_lowercase()),
            _ if word.ends_with('_') || word.is_empty() => {}
            _ => word.push('_'),
        }
    }
    let trimmed = word.trim_end_matches('_');
    if trimmed.is_empty() { "unnamed".to_owned() } else { trimmed.to_owned() }
}

/// A name that no other of `taken` has: the second `amdgpu` is `amdgpu_2`.
pub(crate) fn unique(name: String, taken: &[String]) -> String {
    if !taken.contains(&name) {
        return name;
    }
    let numbered = (2..).map(|n| format!("{name}_{n}"));
    numbered.into_iter().find(|other| !taken.contains(other)).unwrap_or(name)
}

/// Whether a hypervisor runs this machine, as far as it lets that be seen.
pub(crate) fn is_virtual(root: &Root) -> bool {
    let cpuinfo = root.read("/proc/cpuinfo").unwrap_or_default();
    let flags = cpuinfo.lines().find(|line| line.starts_with("flags")).unwrap_or_default();
    flags.split_whitespace().any(|flag| flag == "hypervisor")
        || root.exists("/sys/hypervisor/type")
        || root.exists("/proc/device-tree/hypervisor")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_become_words_of_names() {
        for (label, expected) in [
            ("Package id 0", "package_id_0"),
            ("VDD_CPU_GPU_CV", "vdd_cpu_gpu_cv"),
            ("  \u{202E}é-1 ", "1"),
            ("§§", "unnamed"),
            ("", "unnamed"),
        ] {
            assert_eq!(word(label), expected);
        }
        assert!(word(&"x".repeat(1000)).len() <= 48);
    }

    #[test]
    fn names_are_told_apart() {
        let taken = ["a".to_owned(), "a_2".to_owned()];
        assert_eq!(unique("a".into(), &taken), "a_3");
        assert_eq!(unique("b".into(), &taken), "b");
    }
}
