//! Meters beside the clock, one file each, and the environment block. They only read: nothing here is timed, and a
//! meter that cannot answer says why instead of saying 0.
#![forbid(unsafe_code)]

mod cap;
mod clock_check;
mod context_switches;
mod counters;
mod cpu_time;
mod environment;
mod faults;
mod machine_load;
mod meter;
mod own;
mod peak_rss;
mod portable;
mod probe;
mod process_stat;
mod pss;
mod root;
mod sensors;
mod timeline;

pub use cap::{Cap, CapKind};
pub use clock_check::{ClockCheck, clock_check};
pub use counters::{COUNTED, Counters};
pub use environment::{EnvironmentOptions, environment};
pub use meter::{MeterError, MeterSource, MeterSpec, Meters, Recording};
pub use own::{Own, own};
pub use probe::{Error, Probe};
pub use root::Root;
pub use sensors::{Checkup, Diagnosis, Gap, checkup};

/// Every probe, on this machine.
pub fn all() -> Vec<Box<dyn Probe>> {
    all_with(&Meters::default())
}

/// Every probe, on this machine and with external meters. The window starts first and stops last: meters are waited for.
pub fn all_with(meters: &Meters) -> Vec<Box<dyn Probe>> {
    let mut probes = vec![meters.probe()];
    probes.extend(all_under(&Root::default()));
    probes
}

/// Every probe, over a fixture tree. The sensors come last: what starts last and stops first is nearest to the test.
pub fn all_under(root: &Root) -> Vec<Box<dyn Probe>> {
    let mut probes = meters(root);
    probes.push(Box::new(timeline::Watch::new(root)));
    probes.push(Box::new(sensors::Sensors::new(root)));
    probes
}

/// The meters of the worker's process and what runs beside it.
fn meters(root: &Root) -> Vec<Box<dyn Probe>> {
    vec![
        Box::new(peak_rss::PeakRss::new(root)),
        Box::new(pss::Pss::new(root)),
        Box::new(cpu_time::CpuTime::new(root)),
        Box::new(context_switches::ContextSwitches::new(root)),
        Box::new(faults::Faults::new(root)),
        Box::new(machine_load::MachineLoad::new(root)),
    ]
}

#[cfg(test)]
mod tests;
