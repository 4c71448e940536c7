//! One pass over the weights, as the medians of rounds say it: times a pass, bytes and operations a pass.

use serde::Serialize;
use yardstick_api::{Known, OperationTime};

use super::measured::{Profiled, Round};
use crate::estimate::sorted;
use crate::median;

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
    /// Medians over all rounds; `layers`: an entry a layer.
    pub fn of(profiled: &Profiled, layers: bool) -> Option<Pass> {
        let all: Vec<usize> = (0..profiled.rounds.len()).collect();
        Pass::of_rounds(profiled, &all, layers)
    }

    /// Medians over some rounds, which may come more than once.
    pub(super) fn of_rounds(profiled: &Profiled, rounds: &[usize], layers: bool) -> Option<Pass> {
        let chosen: Vec<&Round> = rounds.iter().filter_map(|&i| profiled.rounds.get(i)).collect();
        let passes = profiled.passes.max(1) as f64;
        let middle = |values: Vec<f64>| median(&sorted(&values)).map(|value| value / passes);
        let mut operations: Vec<Operation> = Vec::new();
        let summed: Vec<Vec<OperationTime>> =
            chosen.iter().map(|round| sums(&round.operations, layers)).collect();
        for first in summed.first()? {
            let same =
                |other: &&OperationTime| (&other.name, other.layer) == (&first.name, first.layer);
            let each: Vec<&OperationTime> =
                summed.iter().filter_map(|round| round.iter().find(same)).collect();
            let of = |known: &Known<u64>| known.clone().map(|value| value as f64 / passes);
            operations.push(Operation {
                name: first.name.clone(),
                layer: first.layer,
                calls: first.calls as f64 / passes,
                ns: middle(each.iter().map(|one| one.nanoseconds as f64).collect())?,
                bytes: of(&first.bytes),
                operations: of(&first.operations),
            });
        }
        Some(Pass {
            headline_ns: middle(chosen.iter().map(|round| round.headline_ns).collect())?,
            wall_ns: middle(chosen.iter().map(|round| round.wall_ns).collect())?,
            operations,
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
