//! One pass over the weights: times a pass, bytes and operations a pass, means over the middle half of the rounds. Unlike medians these
//! add up: what operations took and what was between them is what the pass took, whichever of them a neighbour disturbed.

use serde::Serialize;
use yardstick_api::{Known, OperationTime};

use super::measured::{Profiled, Round};

/// An operation of a pass.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Operation {
    /// Name, GGUF's where there is one.
    pub name: String,
    /// The layer; `None`: all together, or outside of them.
    pub layer: Option<usize>,
    /// Times it ran in a pass.
    pub calls: f64,
    /// Nanoseconds a pass.
    pub ns: f64,
    /// Bytes read a pass.
    pub bytes: Known<f64>,
    /// Multiplications and additions a pass.
    pub operations: Known<f64>,
}

/// A pass.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Pass {
    /// Nanoseconds without the profile.
    pub headline_ns: f64,
    /// Nanoseconds with it.
    pub wall_ns: f64,
    /// In the order they first ran.
    pub operations: Vec<Operation>,
}

impl Pass {
    /// Over all rounds; `layers`: an entry a layer.
    pub fn of(profiled: &Profiled, layers: bool) -> Option<Pass> {
        let all: Vec<usize> = (0..profiled.rounds.len()).collect();
        Pass::of_rounds(profiled, &all, layers)
    }

    /// Over some rounds, which may come more than once.
    pub(super) fn of_rounds(profiled: &Profiled, rounds: &[usize], layers: bool) -> Option<Pass> {
        let chosen: Vec<&Round> = rounds.iter().filter_map(|&i| profiled.rounds.get(i)).collect();
        let passes = profiled.passes.max(1) as f64;
        let (plain, with) =
            (middle(&chosen, |round| round.headline_ns), middle(&chosen, |round| round.wall_ns));
        let a_pass = |rounds: &[&Round], of: fn(&Round) -> f64| {
            rounds.iter().map(|round| of(round)).sum::<f64>() / rounds.len() as f64 / passes
        };
        let summed: Vec<Vec<OperationTime>> =
            with.iter().map(|round| sums(&round.operations, layers)).collect();
        let operations = summed.first()?.iter().map(|first| {
            let same =
                |other: &&OperationTime| (&other.name, other.layer) == (&first.name, first.layer);
            let each = summed.iter().filter_map(|round| round.iter().find(same));
            let ns: f64 = each.map(|one| one.nanoseconds as f64).sum();
            let of = |known: &Known<u64>| known.clone().map(|value| value as f64 / passes);
            Operation {
                name: first.name.clone(),
                layer: first.layer,
                calls: first.calls as f64 / passes,
                ns: ns / summed.len() as f64 / passes,
                bytes: of(&first.bytes),
                operations: of(&first.operations),
            }
        });
        Some(Pass {
            operations: operations.collect(),
            headline_ns: a_pass(&plain, |round| round.headline_ns),
            wall_ns: a_pass(&with, |round| round.wall_ns),
        })
    }

    /// Nanoseconds of all operations.
    pub fn operations_ns(&self) -> f64 {
        self.operations.iter().map(|operation| operation.ns).sum()
    }

    /// Bytes of all operations that are counted; `None` where none is.
    pub fn bytes(&self) -> Option<f64> {
        let known: Vec<f64> =
            self.operations.iter().filter_map(|one| one.bytes.value().copied()).collect();
        (!known.is_empty()).then(|| known.iter().sum())
    }
}

/// The middle half of rounds by a time of theirs: without the fastest and the slowest quarter.
fn middle<'r>(rounds: &[&'r Round], of: fn(&Round) -> f64) -> Vec<&'r Round> {
    let mut ranked = rounds.to_vec();
    ranked.sort_by(|a, b| of(a).total_cmp(&of(b)));
    let quarter = ranked.len() / 4;
    ranked[quarter..ranked.len() - quarter].to_vec()
}

/// Operations by name, or by name and layer.
fn sums(operations: &[OperationTime], layers: bool) -> Vec<OperationTime> {
    let mut sums: Vec<OperationTime> = Vec::new();
    for operation in operations {
        let one = OperationTime { layer: operation.layer.filter(|_| layers), ..operation.clone() };
        let same = |sum: &&mut OperationTime| (&sum.name, sum.layer) == (&one.name, one.layer);
        match sums.iter_mut().find(same) {
            Some(sum) => sum.add(&one),
            None => sums.push(one),
        }
    }
    sums
}
