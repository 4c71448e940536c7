//! What sysinfo knows on systems without `/proc`.

use serde_json::Value;
use sysinfo::{Pid, ProcessesToUpdate, System};

use crate::probe::Learnt;

/// Memory a process holds now.
pub(crate) fn resident_bytes(pid: u32) -> Learnt<u64> {
    let mut system = System::new().map_err(|error| format!("sysinfo: {error}"))?;
    let pid = Pid::from_u32(pid);
    system.refresh_processes(ProcessesToUpdate::Some(&[pid]), true);
    system
        .process(pid)
        .map(|process| process.memory())
        .ok_or_else(|| "the process has ended".into())
}

/// Fields of the environment that sysinfo answers, by their names there; only those that have a value.
pub(crate) fn fields() -> Vec<(&'static str, Value)> {
    let mut fields = Vec::new();
    let mut set = |name, value: Option<Value>| fields.extend(value.map(|value| (name, value)));
    set("os.name", System::name().ok().map(Value::from));
    set("os.version", System::os_version().ok().map(Value::from));
    set("os.kernel", System::kernel_version().ok().map(Value::from));
    if let Ok(load) = System::load_average() {
        set("load.average_1_min", Some(Value::from(load.one)));
        set("load.average_5_min", Some(Value::from(load.five)));
        set("load.average_15_min", Some(Value::from(load.fifteen)));
    }
    if let Ok(mut system) = System::new() {
        system.refresh_memory();
        system.refresh_cpu_list(sysinfo::CpuRefreshKind::nothing());
        let cpus = system.cpus();
        set("memory.total_bytes", positive(system.total_memory()));
        set("memory.available_bytes", positive(system.available_memory()));
        set("memory.swap_total_bytes", Some(Value::from(system.total_swap())));
        set("cpu.threads", positive(cpus.len() as u64));
        set("cpu.cores", System::physical_core_count().ok().map(Value::from));
        set("cpu.model", cpus.first().and_then(|cpu| text(cpu.brand())));
        set("cpu.vendor", cpus.first().and_then(|cpu| text(cpu.vendor_id())));
    }
    fields
}

/// sysinfo says 0 where it does not know.
fn positive(value: u64) -> Option<Value> {
    (value > 0).then(|| Value::from(value))
}

fn text(value: &str) -> Option<Value> {
    let value = crate::root::clean(value);
    (!value.is_empty()).then(|| Value::from(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sysinfo_knows_this_machine() {
        let names: Vec<_> = fields().into_iter().map(|(name, _)| name).collect();
        for name in ["os.name", "memory.total_bytes", "cpu.threads", "load.average_1_min"] {
            assert!(names.contains(&name), "{name} is missing from {names:?}");
        }
        assert!(resident_bytes(std::process::id()).unwrap() > 100_000);
        assert!(resident_bytes(u32::MAX - 7).is_err());
    }
}
