//! What is not compared, and why.

use std::collections::BTreeSet;

use super::joined::Cells;
use super::key::{Rule, model};
use super::{By, Side};

/// Why sides are not compared.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A side without records.
    #[error("{side}: no records")]
    Empty {
        /// The side.
        side: String,
    },
    /// The same cell on unlike machines.
    #[error(
        "{first} was measured on {}, {other} on {}: unlike hosts are not compared; --insist compares them",
        words(.on), words(.there)
    )]
    Hosts {
        /// A side.
        first: String,
        /// Its machines.
        on: BTreeSet<String>,
        /// The other.
        other: String,
        /// Its machines.
        there: BTreeSet<String>,
    },
    /// The same name for different files.
    #[error(
        "model {name} is {hash} on side {first} and {there} on side {other}: unlike models are not compared; --insist compares them"
    )]
    Models {
        /// The name they share.
        name: String,
        /// A side.
        first: String,
        /// The head of its file's hash.
        hash: String,
        /// The other.
        other: String,
        /// The head of its file's hash.
        there: String,
    },
    /// No cell in common.
    #[error("no cell has numbers on the first side and on another: {}", few(.lone))]
    Nothing {
        /// Every cell and why.
        lone: Vec<String>,
    },
}

/// Reasons told in an error.
const FEW: usize = 4;

fn few(reasons: &[String]) -> String {
    let shown = reasons.iter().take(FEW).cloned().collect::<Vec<_>>().join("; ");
    match reasons.len().saturating_sub(FEW) {
        0 => shown,
        more => format!("{shown}; and {more} more"),
    }
}

fn words(machines: &BTreeSet<String>) -> String {
    machines.iter().cloned().collect::<Vec<_>>().join("; ")
}

pub(super) fn empty(sides: &[Side]) -> Result<(), Refusal> {
    match sides.iter().find(|side| side.briefs.is_empty()) {
        Some(side) => Err(Refusal::Empty { side: side.name.clone() }),
        None => Ok(()),
    }
}

/// Refuses where a cell of the first side would be held against another's but for the machine or the model's file.
pub(super) fn unlike(sides: &[Side], rule: &Rule, cells: &Cells<'_>) -> Result<(), Refusal> {
    let joined =
        |at: usize| cells.values().any(|lists| !lists[0].is_empty() && !lists[at].is_empty());
    let Some((first, others)) = sides.split_first() else { return Ok(()) };
    let loose = rule.insisting();
    let keys: BTreeSet<_> = first.briefs.iter().map(|brief| loose.key(brief)).collect();
    for (at, side) in others.iter().enumerate().map(|(i, side)| (i + 1, side)) {
        let Some(brief) = side.briefs.iter().find(|brief| keys.contains(&loose.key(brief))) else {
            continue;
        };
        if let Some(twin) = by_another_file(first, side).filter(|_| side.by != By::Model) {
            return Err(twin);
        }
        let machines =
            |side: &Side| side.briefs.iter().map(|b| b.machine.clone()).collect::<BTreeSet<_>>();
        if !joined(at) && !machines(first).contains(&brief.machine) {
            return Err(Refusal::Hosts {
                first: first.name.clone(),
                on: machines(first),
                other: side.name.clone(),
                there: machines(side),
            });
        }
    }
    Ok(())
}

/// A model of both sides that has one name and no file in common.
fn by_another_file(first: &Side, other: &Side) -> Option<Refusal> {
    let of = |side: &Side, name: &str| -> BTreeSet<String> {
        let named =
            side.briefs.iter().filter(|brief| brief.model == name && brief.sha256.is_some());
        named.map(model).collect()
    };
    let names: BTreeSet<&String> = first.briefs.iter().map(|brief| &brief.model).collect();
    names.into_iter().find_map(|name| {
        let (here, there) = (of(first, name), of(other, name));
        let apart = !here.is_empty() && !there.is_empty() && here.is_disjoint(&there);
        let head = |set: &BTreeSet<String>| {
            set.iter().next().map(|text| text[name.len()..].trim().to_owned())
        };
        apart.then(|| Refusal::Models {
            name: name.clone(),
            first: first.name.clone(),
            hash: head(&here).unwrap_or_default(),
            other: other.name.clone(),
            there: head(&there).unwrap_or_default(),
        })
    })
}
