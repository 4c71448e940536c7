//! Kernel, operating system, C library, clock source, machine model and GPU driver.

use serde_json::Value;

use super::{Field, Machine};
use crate::probe::Learnt;
use crate::root::clean;

pub(super) const FIELDS: &[Field] = &[
    ("os.name", |m| release(m, "NAME")),
    ("os.version", |m| release(m, "VERSION_ID")),
    ("os.kernel", |m| m.free_text("/proc/sys/kernel/osrelease")),
    ("os.libc", libc),
    ("os.clock_source", |m| {
        m.line("/sys/devices/system/clocksource/clocksource0/current_clocksource")
    }),
    ("machine.vendor", |m| m.free_text("/sys/class/dmi/id/sys_vendor")),
    ("machine.product", product),
    ("gpu.nvidia_driver", nvidia),
];

fn release(machine: &Machine, name: &str) -> Learnt<Value> {
    let path = "/etc/os-release";
    let text = machine.root.read(path).or_else(|_| machine.root.read("/usr/lib/os-release"))?;
    text.lines()
        .filter_map(|line| line.split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| Value::from(clean(value.trim().trim_matches(['"', '\'']))))
        .ok_or_else(|| format!("{path} has no {name}"))
}

/// The library mapped into this process names itself in its own text.
fn libc(machine: &Machine) -> Learnt<Value> {
    let maps = machine.root.read("/proc/self/maps")?;
    let file = maps
        .lines()
        .filter_map(|line| line.find('/').map(|at| &line[at..]))
        .find(|path| is_libc(path))
        .ok_or("no C library is mapped into this process: it is linked statically")?;
    if file.contains("musl") {
        return Ok(Value::from("musl"));
    }
    let text = machine.root.read(file).map_err(|_| "the C library's file cannot be read")?;
    let at = text.find("GNU C Library").ok_or("the C library does not name itself")?;
    Ok(Value::from(clean(text[at..].lines().next().unwrap_or_default().trim_end_matches('.'))))
}

fn is_libc(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    name.starts_with("libc.so") || name.starts_with("libc-2") || name.contains("musl")
}

/// The board's name: from the firmware, or on Arm boards from the device tree.
fn product(machine: &Machine) -> Learnt<Value> {
    let firmware = machine.free_text("/sys/class/dmi/id/product_name");
    firmware.or_else(|reason| {
        machine.free_text("/proc/device-tree/model").map_err(|other| format!("{reason}; {other}"))
    })
}

/// `NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.1.2  date`: the first word that is a version.
fn nvidia(machine: &Machine) -> Learnt<Value> {
    let path = "/proc/driver/nvidia/version";
    let line = machine
        .root
        .line(path)
        .map_err(|reason| format!("no NVIDIA driver is loaded: {reason}"))?;
    line.split_whitespace()
        .find(|word| word.contains('.') && word.bytes().all(|b| b.is_ascii_digit() || b == b'.'))
        .map(Value::from)
        .ok_or_else(|| format!("{path} names no version"))
}
