//! The machine's state now: load, other processes, temperatures, power supply.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::{Field, Machine};
use crate::Root;
use crate::machine_load::MachineStat;
use crate::probe::Learnt;
use crate::process_stat::{ProcessStat, ticks_per_second};
use crate::root::clean;

pub(super) const FIELDS: &[Field] = &[
    ("load.average_1_min", |m| load_average(m, 0)),
    ("load.average_5_min", |m| load_average(m, 1)),
    ("load.average_15_min", |m| load_average(m, 2)),
    ("load.steal_ticks", |m| MachineStat::read(&m.root).map(|stat| stat.steal.into())),
    ("load.other_cpu_percent", |m| Ok(m.others.as_ref()?.percent.into())),
    ("load.other_busy_processes", |m| Ok(m.others.as_ref()?.busy.into())),
    ("thermal.zones_celsius", zones),
    ("thermal.cpu_throttle_count", |m| {
        m.every_cpu("thermal_throttle/core_throttle_count", Root::number)
    }),
    ("power.source", power_source),
    ("power.battery_percent", battery_percent),
];

/// Entries watched at most; a machine with more processes is rare and the rest idle.
const MOST_PROCESSES: usize = 1 << 14;

/// What the other processes did while watched.
pub(super) struct Others {
    /// Share of all cores' time, percent.
    percent: f64,
    /// Processes that used more than 1 % of one core.
    busy: usize,
}

/// Watches for a while; how much is used, never by whom.
pub(super) fn watch(root: &Root, time: Duration) -> Learnt<Others> {
    if time.is_zero() {
        return Err("not watched: no time was given".into());
    }
    let before = (MachineStat::read(root)?, processes(root)?);
    std::thread::sleep(time);
    let after = (MachineStat::read(root)?, processes(root)?);
    let own = std::process::id();
    let spent = |pid: u32| -> u64 {
        let Some(later) = after.1.get(&pid) else { return 0 };
        later.saturating_sub(before.1.get(&pid).copied().unwrap_or(*later))
    };
    let threshold = time.as_secs_f64() * ticks_per_second() as f64 / 100.0;
    let passed = after.0.since(&before.0)?;
    let others = after.1.keys().filter(|pid| **pid != own);
    Ok(Others {
        percent: passed.foreign_percent(spent(own)),
        busy: others.filter(|pid| spent(**pid) as f64 > threshold).count(),
    })
}

/// Process id to its CPU time, clock ticks.
fn processes(root: &Root) -> Learnt<BTreeMap<u32, u64>> {
    let names = root.list("/proc")?;
    let pids = names.iter().filter_map(|name| name.parse::<u32>().ok());
    let times = pids.take(MOST_PROCESSES).filter_map(|pid| {
        let stat = ProcessStat::read(root, pid).ok()?;
        Some((pid, stat.user.saturating_add(stat.system)))
    });
    Ok(times.collect())
}

fn load_average(machine: &Machine, index: usize) -> Learnt<Value> {
    let text = machine.root.line("/proc/loadavg")?;
    let word = text.split_whitespace().nth(index).ok_or("/proc/loadavg is too short")?;
    match word.parse::<f64>() {
        Ok(load) if load.is_finite() && load >= 0.0 => Ok(Value::from(load)),
        _ => Err(format!("/proc/loadavg holds no load: {word:?}")),
    }
}

/// Zone type to degrees; zones that cannot be read are left out, none at all is a reason.
fn zones(machine: &Machine) -> Learnt<Value> {
    let folder = "/sys/class/thermal";
    let mut zones = serde_json::Map::new();
    for name in machine.root.list(folder)?.iter().filter(|name| name.starts_with("thermal_zone")) {
        let kind = machine.root.line(&format!("{folder}/{name}/type"));
        let millidegrees = machine.root.line(&format!("{folder}/{name}/temp"));
        let degrees = millidegrees.ok().and_then(|text| text.parse::<i32>().ok());
        if let (Ok(kind), Some(degrees)) = (kind, degrees) {
            zones.insert(
                format!("{}.{kind}", clean(name)),
                Value::from(f64::from(degrees) / 1000.0),
            );
        }
    }
    if zones.is_empty() {
        Err(format!("{folder} lists no readable zone"))
    } else {
        Ok(zones.into())
    }
}

/// `mains` when a supply of that type is on line, else `battery` when one is discharging.
fn power_source(machine: &Machine) -> Learnt<Value> {
    let folder = "/sys/class/power_supply";
    let mut discharging = false;
    for name in machine.root.list(folder)? {
        let is = |file: &str, wanted: &str| {
            machine.root.line(&format!("{folder}/{name}/{file}")).is_ok_and(|text| text == wanted)
        };
        if (is("type", "Mains") || is("type", "USB")) && is("online", "1") {
            return Ok(Value::from("mains"));
        }
        discharging |= is("type", "Battery") && is("status", "Discharging");
    }
    if discharging {
        Ok(Value::from("battery"))
    } else {
        Err(format!("{folder} lists no supply in use"))
    }
}

fn battery_percent(machine: &Machine) -> Learnt<Value> {
    let folder = "/sys/class/power_supply";
    let names = machine.root.list(folder)?;
    let battery = names.iter().find(|name| {
        let kind = machine.root.line(&format!("{folder}/{name}/type"));
        kind.is_ok_and(|kind| kind == "Battery")
    });
    let battery = battery.ok_or_else(|| format!("{folder} lists no battery"))?;
    let percent = machine.root.number(&format!("{folder}/{battery}/capacity"))?;
    if percent <= 100 { Ok(percent.into()) } else { Err(format!("capacity reads {percent} %")) }
}
