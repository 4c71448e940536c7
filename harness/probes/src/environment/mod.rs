//! The environment block: the machine and its state before a run, each field a value or the reason it is missing.
//!
//! One table line a field. Nothing here names the machine, its user, its serial numbers, its addresses or its paths:
//! files that hold those are not read, and free text that repeats the host's name is withheld.

mod cgroup;
mod clock;
mod cpu;
mod frequency;
mod memory;
mod os;
mod state;

use std::time::Duration;

use serde_json::Value;
use yardstick_record::Environment;

use crate::probe::Learnt;
use crate::root::labelled;
use crate::{Root, portable};

pub(crate) use cpu::list as cpus;

/// How the environment is looked at.
#[derive(Clone, Debug)]
pub struct EnvironmentOptions {
    /// Where `/proc`, `/sys` and `/etc` are.
    pub root: Root,
    /// How long other processes are watched for their CPU share; zero leaves that out, with the reason.
    pub watch: Duration,
}

impl Default for EnvironmentOptions {
    fn default() -> EnvironmentOptions {
        EnvironmentOptions { root: Root::default(), watch: Duration::from_millis(250) }
    }
}

/// The environment now. Takes `options.watch` and a few milliseconds.
pub fn environment(options: &EnvironmentOptions) -> Environment {
    let machine = Machine::read(options);
    let mut environment = Environment::default();
    for &(name, read) in TABLES.iter().copied().flatten() {
        match read(&machine) {
            Ok(value) => environment.set(name, value),
            Err(reason) => environment.missing(name, reason),
        }
    }
    if !cfg!(any(target_os = "linux", target_os = "android")) {
        for (name, value) in portable::fields() {
            environment.set(name, value);
        }
    }
    environment
}

/// A field's name and how it is read.
type Field = (&'static str, fn(&Machine) -> Learnt<Value>);

const TABLES: &[&[Field]] = &[
    cpu::FIELDS,
    frequency::FIELDS,
    memory::FIELDS,
    cgroup::FIELDS,
    os::FIELDS,
    clock::FIELDS,
    state::FIELDS,
];

/// Files that several fields read, read once.
struct Machine {
    root: Root,
    /// `/proc/cpuinfo`.
    cpuinfo: Learnt<String>,
    /// `/proc/meminfo`.
    meminfo: Learnt<String>,
    /// Directories `cpuN` of `/sys/devices/system/cpu`.
    cpus: Learnt<Vec<String>>,
    /// Other processes' use of the CPU.
    others: Learnt<state::Others>,
}

impl Machine {
    fn read(options: &EnvironmentOptions) -> Machine {
        let root = options.root.clone();
        Machine {
            cpuinfo: root.read("/proc/cpuinfo"),
            meminfo: root.read("/proc/meminfo"),
            cpus: cpu::list(&root),
            others: state::watch(&root, options.watch),
            root,
        }
    }

    /// A line of `/proc/cpuinfo`, of its first processor.
    fn cpuinfo(&self, name: &str) -> Learnt<&str> {
        labelled("/proc/cpuinfo", self.cpuinfo.as_ref()?, name)
    }

    /// A one-line file as text.
    fn line(&self, path: &str) -> Learnt<Value> {
        self.root.line(path).map(Value::from)
    }

    /// Free text that someone may have typed: withheld when it repeats the host's name.
    fn free_text(&self, path: &str) -> Learnt<Value> {
        let text = self.root.line(path)?;
        let host = self.root.line("/proc/sys/kernel/hostname").unwrap_or_default();
        if host.len() >= 3 && text.to_lowercase().contains(&host.to_lowercase()) {
            return Err(format!("{path} repeats the machine's name and is withheld"));
        }
        Ok(Value::from(text))
    }

    /// The distinct values of one file of every CPU: one value where all agree, else a list.
    fn every_cpu<T: Ord + Into<Value>>(
        &self,
        file: &str,
        read: impl Fn(&Root, &str) -> Learnt<T>,
    ) -> Learnt<Value> {
        let mut values = Vec::new();
        for cpu in self.cpus.as_ref()? {
            values.push(read(&self.root, &format!("/sys/devices/system/cpu/{cpu}/{file}"))?);
        }
        values.sort();
        values.dedup();
        let mut values: Vec<Value> = values.into_iter().map(Into::into).collect();
        match values.len() {
            0 => Err("no CPU is listed in /sys/devices/system/cpu".into()),
            1 => Ok(values.remove(0)),
            _ => Ok(Value::from(values)),
        }
    }
}

#[cfg(test)]
mod tests;
