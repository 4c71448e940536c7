//! Limits of the control group this process is in, of version 2 or 1: the tightest on the way up to the root. The group's
//! name stays here.

use std::cmp::Ordering;

use serde_json::Value;

use super::{Field, Machine};
use crate::probe::Learnt;
use crate::root::number;

pub(super) const FIELDS: &[Field] = &[
    ("cgroup.cpu_limit_cores", |m| limit(m, "cpu", cpu_v2, cpu_v1)),
    ("cgroup.memory_limit_bytes", |m| limit(m, "memory", memory_v2, memory_v1)),
];

/// Version 1 says "no limit" with the largest multiple of the page size.
const V1_UNLIMITED: u64 = 1 << 62;
/// No real group is nested deeper.
const MOST_LEVELS: usize = 64;

/// A limit in a directory, `None` where the file says there is none.
type Read = fn(&Machine, &str) -> Learnt<Option<f64>>;

/// The limit, or the word `none`; unavailable where no file of the group's could be read.
fn limit(machine: &Machine, controller: &str, v2: Read, v1: Read) -> Learnt<Value> {
    let groups = machine.root.read("/proc/self/cgroup")?;
    let (folder, group, read) = match (group_of(&groups, controller), group_of(&groups, "")) {
        (Some(group), _) => (format!("/sys/fs/cgroup/{controller}"), group, v1),
        (None, Some(group)) => ("/sys/fs/cgroup".to_owned(), group, v2),
        (None, None) => return Err(format!("/proc/self/cgroup names no group for {controller}")),
    };
    let read_levels: Vec<Learnt<Option<f64>>> =
        ancestors(group).map(|group| read(machine, &format!("{folder}{group}"))).collect();
    if read_levels.iter().all(Result::is_err) {
        return Err(format!("{folder} holds no {controller} limit of this process's group"));
    }
    let limits = read_levels.into_iter().filter_map(|level| level.ok().flatten());
    let tightest = limits.min_by(|a, b| a.partial_cmp(b).unwrap_or(Ordering::Equal));
    Ok(tightest.map_or(Value::from("none"), Value::from))
}

/// The path in a line `4:memory:/a/b`; the empty controller is version 2.
fn group_of<'a>(groups: &'a str, controller: &str) -> Option<&'a str> {
    groups.lines().find_map(|line| {
        let (_, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        controllers.split(',').any(|name| name == controller).then_some(path.trim())
    })
}

/// `/a/b`, `/a`, and the empty path of the root; no step leaves the mount.
fn ancestors(group: &str) -> impl Iterator<Item = &str> {
    let clean = if group.split('/').any(|part| part == "..") { "" } else { group };
    let levels = std::iter::successors(Some(clean.trim_end_matches('/')), |path| {
        path.rsplit_once('/').map(|(parent, _)| parent)
    });
    levels.take(MOST_LEVELS)
}

/// `max 100000` or `200000 100000`: microseconds of CPU time per period.
fn cpu_v2(machine: &Machine, folder: &str) -> Learnt<Option<f64>> {
    let path = format!("{folder}/cpu.max");
    let text = machine.root.line(&path)?;
    let (quota, period) = text.split_once(' ').ok_or_else(|| format!("{path} has no period"))?;
    if quota == "max" {
        return Ok(None);
    }
    cores(&path, number(&path, quota)?, number(&path, period)?)
}

/// A quota of -1 is none.
fn cpu_v1(machine: &Machine, folder: &str) -> Learnt<Option<f64>> {
    let path = format!("{folder}/cpu.cfs_quota_us");
    let quota = machine.root.line(&path)?;
    if quota.starts_with('-') {
        return Ok(None);
    }
    let period = machine.root.number(&format!("{folder}/cpu.cfs_period_us"))?;
    cores(&path, number(&path, &quota)?, period)
}

fn cores(path: &str, quota: u64, period: u64) -> Learnt<Option<f64>> {
    if period == 0 || quota == 0 {
        return Err(format!("{path} says {quota} of {period}, which is no limit"));
    }
    Ok(Some(quota as f64 / period as f64))
}

fn memory_v2(machine: &Machine, folder: &str) -> Learnt<Option<f64>> {
    let path = format!("{folder}/memory.max");
    match machine.root.line(&path)?.as_str() {
        "max" => Ok(None),
        text => Ok(Some(number(&path, text)? as f64)),
    }
}

fn memory_v1(machine: &Machine, folder: &str) -> Learnt<Option<f64>> {
    let bytes = machine.root.number(&format!("{folder}/memory.limit_in_bytes"))?;
    Ok((bytes < V1_UNLIMITED).then_some(bytes as f64))
}
