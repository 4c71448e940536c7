//! Cells that cannot be held against the baseline, each with its reason; and what else differs between the sides.

use std::collections::{BTreeMap, BTreeSet};

use super::joined::{Cells, trouble};
use super::key::Key;
use super::{Lone, Name, Side};
use crate::Brief;

/// The cell, where the first side or all others lack numbers of it, or some side does.
pub(super) fn of(
    sides: &[Side],
    cells: &Cells<'_>,
    key: &Key,
    by_side: &[Vec<&Brief>],
    name: &Name,
) -> Option<Lone> {
    let mut lone = Lone { cell: name.clone(), on: Vec::new(), missing: BTreeMap::new() };
    for (at, (side, list)) in sides.iter().zip(by_side).enumerate() {
        match (list.is_empty(), trouble(list)) {
            (true, _) => drop(lone.missing.insert(side.name.clone(), absent(cells, key, at))),
            (false, Some(trouble)) => drop(lone.missing.insert(side.name.clone(), trouble)),
            (false, None) => lone.on.push(side.name.clone()),
        }
    }
    (!lone.missing.is_empty()).then_some(lone)
}

/// Why a side has no record of the cell: what of it is not there.
fn absent(cells: &Cells<'_>, key: &Key, at: usize) -> String {
    let there: Vec<&Key> =
        cells.iter().filter(|(_, lists)| !lists[at].is_empty()).map(|(key, _)| key).collect();
    let same = |f: fn(&Key) -> &Option<String>| there.iter().any(|other| f(other) == f(key));
    let beside = there.iter().filter(|other| key.is_beside(other));
    let nearest = beside.clone().filter(|other| other.test == key.test);
    let nearest = nearest.map(|other| key.apart(other)).min_by_key(Vec::len);
    if !same(|key| &key.machine) {
        return "measured on another machine".to_owned();
    }
    match (nearest, &key.model, &key.device, &key.build) {
        (Some(apart), ..) => format!("measured with other options: {}", apart.join("; ")),
        (None, Some(model), ..) if !same(|key| &key.model) => format!("no record of model {model}"),
        (None, _, Some(device), _) if !same(|key| &key.device) => {
            format!("no record of device {device}")
        }
        (None, .., Some(build)) if !same(|key| &key.build) => format!("no record of build {build}"),
        _ if beside.count() > 0 => format!("no record of {}", key.test),
        _ => "no record of this device and model together".to_owned(),
    }
}

impl Lone {
    /// `cpu:avx2 smollm tg32: not on b (no record of tg32)`
    pub fn words(&self) -> String {
        let missing = self.missing.iter().map(|(side, why)| format!("not on {side} ({why})"));
        format!("{}: {}", self.cell.words(), missing.collect::<Vec<_>>().join(", "))
    }
}

impl Name {
    /// `smollm-135m:Q4_0 tg32 cpu:avx2, threads 2`
    pub fn words(&self) -> String {
        let test = self.test.to_string();
        let parts = [self.model.as_ref(), Some(&test), self.device.as_ref(), self.build.as_ref()];
        let words: Vec<&str> = parts.into_iter().flatten().map(String::as_str).collect();
        let setting =
            if self.setting.is_empty() { String::new() } else { format!(", {}", self.setting) };
        format!("{}{setting}", words.join(" "))
    }
}

/// What may explain a difference beside what the sides were chosen by.
pub(super) fn remarks(sides: &[Side]) -> Vec<String> {
    let mut remarks = Vec::new();
    let of = |f: &dyn Fn(&Brief) -> Option<String>| -> Vec<BTreeSet<String>> {
        sides.iter().map(|side| side.briefs.iter().filter_map(f).collect()).collect()
    };
    let mut tell = |what: &str, values: Vec<BTreeSet<String>>| {
        if values.windows(2).any(|pair| pair[0] != pair[1]) {
            let side =
                |(side, set): (&Side, &BTreeSet<String>)| format!("{} {}", side.name, list(set));
            let words: Vec<String> = sides.iter().zip(&values).map(side).collect();
            remarks.push(format!("The {what} differs: {}.", words.join("; ")));
        } else if values.iter().any(|set| set.len() > 1) && what == "program" {
            remarks.push(format!(
                "Launches of several programs are taken together: {}.",
                list(&values[0])
            ));
        }
    };
    tell("machine", of(&|brief| Some(brief.machine.clone())));
    tell("program", of(&|brief| Some(brief.program.clone())));
    let names: BTreeSet<&str> = sides
        .iter()
        .flat_map(|side| &side.briefs)
        .flat_map(|brief| brief.surroundings.keys().copied())
        .collect();
    tell("source", of(&|brief| Some(brief.source())));
    for name in names {
        tell(name, of(&|brief| brief.surroundings.get(name).cloned()));
    }
    for side in sides {
        let shared = side.briefs.iter().filter(|brief| brief.shared.is_some()).count();
        if shared > 0 {
            remarks.push(format!(
                "{shared} of {} records of {} are self-reported: shared by whoever measured them, not measured here.",
                side.briefs.len(),
                side.name
            ));
        }
    }
    remarks
}

/// Values of a set told in a remark.
const FEW: usize = 3;

fn list(set: &BTreeSet<String>) -> String {
    let shown: Vec<&str> = set.iter().take(FEW).map(String::as_str).collect();
    match set.len() {
        0 => "(unknown)".to_owned(),
        n if n > FEW => format!("{} and {} more", shown.join(", "), n - FEW),
        _ => shown.join(", "),
    }
}
