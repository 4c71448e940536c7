//! Memory: how much there is, how much is free, and the size of its pages.

use serde_json::Value;

use super::{Field, Machine};
use crate::probe::Learnt;
use crate::root::kilobytes;

pub(super) const FIELDS: &[Field] = &[
    ("memory.total_bytes", |m| meminfo(m, "MemTotal")),
    ("memory.available_bytes", |m| meminfo(m, "MemAvailable")),
    ("memory.swap_total_bytes", |m| meminfo(m, "SwapTotal")),
    ("memory.swap_free_bytes", |m| meminfo(m, "SwapFree")),
    ("memory.transparent_huge_pages", |m| {
        let path = "/sys/kernel/mm/transparent_hugepage/enabled";
        chosen(path, &m.root.line(path)?)
    }),
];

fn meminfo(machine: &Machine, name: &str) -> Learnt<Value> {
    kilobytes("/proc/meminfo", machine.meminfo.as_ref()?, name).map(Value::from)
}

/// `always [madvise] never`: the word in brackets.
fn chosen(path: &str, text: &str) -> Learnt<Value> {
    text.split_once('[')
        .and_then(|(_, rest)| rest.split_once(']'))
        .map(|(word, _)| Value::from(word))
        .ok_or_else(|| format!("{path} marks no choice with brackets: {text:?}"))
}
