//! The processor: what it is, its instruction sets, topology, caches and mitigations.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Field, Machine};
use crate::Root;
use crate::probe::Learnt;
use crate::root::{clean, number};

pub(super) const FIELDS: &[Field] = &[
    ("cpu.model", |m| text(m, "model name")),
    ("cpu.vendor", |m| text(m, "vendor_id")),
    ("cpu.part", part),
    ("cpu.family", |m| whole(m, "cpu family")),
    ("cpu.model_number", |m| whole(m, "model")),
    ("cpu.stepping", |m| whole(m, "stepping")),
    ("cpu.microcode", microcode),
    ("cpu.architecture", |_| Ok(Value::from(std::env::consts::ARCH))),
    ("cpu.isa", isa),
    ("cpu.threads", threads),
    ("cpu.cores", cores),
    ("cpu.smt", |m| m.line("/sys/devices/system/cpu/smt/control")),
    ("cpu.numa_nodes", numa_nodes),
    ("cpu.cache_l1d_bytes", |m| cache(m, 1, "Data").map(|c| c.bytes.into())),
    ("cpu.cache_l1i_bytes", |m| cache(m, 1, "Instruction").map(|c| c.bytes.into())),
    ("cpu.cache_l2_bytes", |m| cache(m, 2, "Unified").map(|c| c.bytes.into())),
    ("cpu.cache_l3_bytes", |m| cache(m, 3, "Unified").map(|c| c.bytes.into())),
    ("cpu.cache_l3_instances", |m| cache(m, 3, "Unified").map(|c| c.instances.into())),
    ("cpu.hypervisor", hypervisor),
    ("cpu.mitigations", mitigations),
    ("cpu.affinity", affinity),
];

/// Instruction sets that a kernel of quantised inference may be chosen by, as `/proc/cpuinfo` spells them.
const ISA: &[&str] = &[
    "ssse3",
    "sse4_1",
    "sse4_2",
    "popcnt",
    "avx",
    "f16c",
    "fma",
    "bmi1",
    "bmi2",
    "avx2",
    "avx_vnni",
    "avx_vnni_int8",
    "avx_ifma",
    "avx512f",
    "avx512bw",
    "avx512cd",
    "avx512dq",
    "avx512vl",
    "avx512vbmi",
    "avx512_vbmi2",
    "avx512_vnni",
    "avx512_bf16",
    "avx512_fp16",
    "avx512_bitalg",
    "amx_tile",
    "amx_int8",
    "amx_bf16",
    "asimd",
    "asimdhp",
    "asimddp",
    "i8mm",
    "bf16",
    "sve",
    "sve2",
    "svei8mm",
    "svebf16",
    "sme",
    "sme2",
];

fn text(machine: &Machine, name: &str) -> Learnt<Value> {
    match clean(machine.cpuinfo(name)?) {
        empty if empty.is_empty() => Err(format!("{name} in /proc/cpuinfo is empty")),
        text => Ok(Value::from(text)),
    }
}

fn whole(machine: &Machine, name: &str) -> Learnt<Value> {
    number(&format!("{name} in /proc/cpuinfo"), machine.cpuinfo(name)?).map(Value::from)
}

/// Arm names its cores by numbers.
fn part(machine: &Machine) -> Learnt<Value> {
    let implementer = clean(machine.cpuinfo("CPU implementer")?);
    let part = clean(machine.cpuinfo("CPU part")?);
    Ok(Value::from(format!("implementer {implementer} part {part}")))
}

fn microcode(machine: &Machine) -> Learnt<Value> {
    let listed = text(machine, "microcode");
    listed.or_else(|_| machine.line("/sys/devices/system/cpu/cpu0/microcode/version"))
}

fn isa(machine: &Machine) -> Learnt<Value> {
    let flags = machine.cpuinfo("flags").or_else(|_| machine.cpuinfo("Features"))?;
    let has: BTreeSet<&str> = flags.split_whitespace().collect();
    let found: Vec<&str> = ISA.iter().copied().filter(|flag| has.contains(flag)).collect();
    Ok(Value::from(found))
}

fn threads(machine: &Machine) -> Learnt<Value> {
    let listed = machine.cpuinfo.as_ref()?.lines().filter(|line| line.starts_with("processor"));
    match listed.count() {
        0 => Err("/proc/cpuinfo lists no processor".into()),
        count => Ok(Value::from(count)),
    }
}

/// Cores are the distinct sets of threads that share one.
fn cores(machine: &Machine) -> Learnt<Value> {
    let mut sets = BTreeSet::new();
    for cpu in machine.cpus.as_ref()? {
        let path = format!("/sys/devices/system/cpu/{cpu}/topology/thread_siblings_list");
        sets.insert(machine.root.line(&path)?);
    }
    Ok(Value::from(sets.len()))
}

fn numa_nodes(machine: &Machine) -> Learnt<Value> {
    let names = machine.root.list("/sys/devices/system/node")?;
    match names.iter().filter(|name| is_numbered(name, "node")).count() {
        0 => Err("/sys/devices/system/node lists no node".into()),
        count => Ok(Value::from(count)),
    }
}

struct Cache {
    bytes: u64,
    /// How many of them the machine has.
    instances: usize,
}

fn cache(machine: &Machine, level: u64, kind: &str) -> Learnt<Cache> {
    let index = cache_index(machine, level, kind)?;
    let base = "/sys/devices/system/cpu";
    let bytes = cache_bytes(&machine.root, &format!("{base}/cpu0/cache/{index}/size"))?;
    let mut shared = BTreeSet::new();
    for cpu in machine.cpus.as_ref()? {
        shared.insert(machine.root.line(&format!("{base}/{cpu}/cache/{index}/shared_cpu_list"))?);
    }
    Ok(Cache { bytes, instances: shared.len() })
}

/// The directory of the first CPU's cache of this level and kind.
fn cache_index(machine: &Machine, level: u64, kind: &str) -> Learnt<String> {
    let folder = "/sys/devices/system/cpu/cpu0/cache";
    for index in machine.root.list(folder)? {
        let is = |file: &str, wanted: &str| {
            machine.root.line(&format!("{folder}/{index}/{file}")).is_ok_and(|text| text == wanted)
        };
        if is("level", &level.to_string()) && is("type", kind) {
            return Ok(index);
        }
    }
    Err(format!("{folder} lists no level {level} {} cache", kind.to_lowercase()))
}

/// `32K`, `1024K`, `16M`.
fn cache_bytes(root: &Root, path: &str) -> Learnt<u64> {
    let text = root.line(path)?;
    let (digits, unit) = match text.strip_suffix('M') {
        Some(digits) => (digits, 1 << 20),
        None => (text.strip_suffix('K').unwrap_or(&text), 1 << 10),
    };
    number(path, digits)?.checked_mul(unit).ok_or_else(|| format!("{path} is too large: {text}"))
}

fn hypervisor(machine: &Machine) -> Learnt<Value> {
    let flags = machine.cpuinfo("flags").map_err(|_| {
        "only x86 processors say whether a hypervisor runs them; /proc/cpuinfo has no flags"
            .to_owned()
    })?;
    Ok(Value::from(flags.split_whitespace().any(|flag| flag == "hypervisor")))
}

/// `spectre_v2` to what the kernel does about it.
fn mitigations(machine: &Machine) -> Learnt<Value> {
    let folder = "/sys/devices/system/cpu/vulnerabilities";
    let mut all = serde_json::Map::new();
    for name in machine.root.list(folder)? {
        let state = machine.root.line(&format!("{folder}/{name}"))?;
        all.insert(clean(&name), Value::from(state));
    }
    Ok(Value::from(all))
}

/// CPUs this process may run on, `0-3,8`.
fn affinity(machine: &Machine) -> Learnt<Value> {
    let path = "/proc/self/status";
    let status = machine.root.read(path)?;
    let list = crate::root::labelled(path, &status, "Cpus_allowed_list")?;
    Ok(Value::from(clean(list)))
}

/// `cpu0`, `cpu1`, ... in numeric order; CPUs that are off have no topology and are left out.
pub(crate) fn list(root: &Root) -> Learnt<Vec<String>> {
    let folder = "/sys/devices/system/cpu";
    let names = root.list(folder)?;
    let mut cpus: Vec<String> = names
        .into_iter()
        .filter(|name| is_numbered(name, "cpu"))
        .filter(|name| root.path(&format!("{folder}/{name}/topology")).exists())
        .collect();
    cpus.sort_by_key(|name| (name.len(), name.clone()));
    if cpus.is_empty() { Err(format!("{folder} lists no CPU")) } else { Ok(cpus) }
}

fn is_numbered(name: &str, prefix: &str) -> bool {
    name.strip_prefix(prefix)
        .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
}
