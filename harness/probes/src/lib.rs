//! Meters beside the clock, one file each, and the environment block. They only read: nothing here is timed, and a
//! meter that cannot answer says why instead of saying 0.
#![forbid(unsafe_code)]

mod context_switches;
mod cpu_time;
mod environment;
mod faults;
mod machine_load;
mod peak_rss;
mod portable;
mod probe;
mod process_stat;
mod pss;
mod root;

pub use environment::{EnvironmentOptions, environment};
pub use probe::{Error, Probe};
pub use root::Root;

/// Every probe, on this machine.
pub fn all() -> Vec<Box<dyn Probe>> {
    all_under(&Root::default())
}

/// Every probe, over a fixture tree.
pub fn all_under(root: &Root) -> Vec<Box<dyn Probe>> {
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
