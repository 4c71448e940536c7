//! What measuring a cell with and without its profile gave: rounds, and the roofs of the same minutes.

use serde::Serialize;
use yardstick_api::{Known, OperationTime};
use yardstick_record::Test;

use super::counted::Counted;

/// One cell, measured by turns: each round a repetition without the profile and one with it.
#[derive(Clone, Debug, Serialize)]
pub struct Profiled {
    /// What it is called among others.
    pub label: String,
    /// Model's name.
    pub model: String,
    /// Device that ran.
    pub device: String,
    /// The test.
    pub test: Test,
    /// Threads that computed.
    pub threads: Known<usize>,
    /// Forward calls of a repetition: tokens of a `tg`, 1 for a `pp`.
    pub passes: usize,
    /// In the order of time; rounds of cells measured together belong together by their place.
    pub rounds: Vec<Round>,
    /// What the device reached.
    pub roofs: Roofs,
    /// What the model's description says a pass takes.
    pub counted: Known<Counted>,
    /// Hardware counters over the profiled repetitions, or why there are none.
    pub counters: Vec<Counter>,
}

/// A round of one cell, whole repetitions.
#[derive(Clone, Debug, Serialize)]
pub struct Round {
    /// Time of the repetition without the profile, nanoseconds: the headline.
    pub headline_ns: f64,
    /// Time of the repetition with it, nanoseconds.
    pub wall_ns: f64,
    /// Operations of the latter, summed over its passes.
    pub operations: Vec<OperationTime>,
}

/// A limit as measured, per second.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Roof {
    /// Bytes or operations per second, of the best round.
    pub per_second: f64,
    /// What all rounds of it together kept up; `None` where the device keeps none.
    pub sustained: Option<Sustained>,
    /// Short name: `int8 VNNI`, `L3`.
    pub label: String,
}

/// A mean rate.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Sustained {
    /// Bytes or operations per second.
    pub per_second: f64,
    /// Over how long.
    pub seconds: f64,
}

impl Sustained {
    /// Over both times.
    pub fn and(self, other: Sustained) -> Sustained {
        let seconds = self.seconds + other.seconds;
        let done = self.per_second * self.seconds + other.per_second * other.seconds;
        Sustained { per_second: done / seconds, seconds }
    }
}

/// What operations are held against.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Roofs {
    /// Reading the bytes of a pass.
    pub read: Known<Roof>,
    /// The arithmetic that products ran in.
    pub products: Known<Roof>,
    /// The arithmetic of attention.
    pub attention: Known<Roof>,
    /// A meeting of all threads, nanoseconds.
    pub barrier_ns: Known<f64>,
}

/// A counter's value over a pass.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Counter {
    /// `cycles`, `instructions`.
    pub name: String,
    /// Mean of a pass, or why there is none.
    pub value: Known<f64>,
}

/// The operation whose arithmetic is not that of products.
const ATTENTION: &str = "attention";

impl Roofs {
    /// The arithmetic roof of an operation.
    pub fn arithmetic(&self, operation: &str) -> &Known<Roof> {
        if operation == ATTENTION { &self.attention } else { &self.products }
    }
}
