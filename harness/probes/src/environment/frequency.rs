//! Clock speed and what governs it.

use serde_json::Value;

use super::{Field, Machine};
use crate::Root;
use crate::probe::Learnt;

pub(super) const FIELDS: &[Field] = &[
    ("cpu.governor", |m| m.every_cpu("cpufreq/scaling_governor", Root::line)),
    ("cpu.frequency_driver", |m| m.every_cpu("cpufreq/scaling_driver", Root::line)),
    ("cpu.frequency_min_khz", |m| m.every_cpu("cpufreq/scaling_min_freq", Root::number)),
    ("cpu.frequency_max_khz", |m| m.every_cpu("cpufreq/scaling_max_freq", Root::number)),
    ("cpu.frequency_now_khz", |m| m.every_cpu("cpufreq/scaling_cur_freq", Root::number)),
    ("cpu.frequency_stated_mhz", stated),
    ("cpu.energy_preference", |m| m.every_cpu("cpufreq/energy_performance_preference", Root::line)),
    ("cpu.turbo", turbo),
];

/// What `/proc/cpuinfo` says; in a virtual machine usually the nominal speed.
fn stated(machine: &Machine) -> Learnt<Value> {
    let text = machine.cpuinfo("cpu MHz")?;
    match text.parse::<f64>() {
        Ok(mhz) if mhz.is_finite() && mhz > 0.0 => Ok(Value::from(mhz)),
        _ => Err(format!("cpu MHz in /proc/cpuinfo is no speed: {:?}", crate::root::clean(text))),
    }
}

/// Intel's driver says whether turbo is forbidden, the others whether boost is allowed.
fn turbo(machine: &Machine) -> Learnt<Value> {
    let forbidden = machine.root.number("/sys/devices/system/cpu/intel_pstate/no_turbo");
    let allowed = machine.root.number("/sys/devices/system/cpu/cpufreq/boost");
    match (forbidden, allowed) {
        (Ok(forbidden), _) => Ok(Value::from(forbidden == 0)),
        (_, Ok(allowed)) => Ok(Value::from(allowed != 0)),
        (Err(a), Err(b)) => Err(format!("{a}; {b}")),
    }
}
