//! Limits of a device: what its speed is held against, measured by its backend like a result.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Known;

/// Something a device cannot exceed. Its unit is [`Limit::unit`].
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Limit {
    /// Reading a working set over and over: the ceiling of decode.
    Read {
        /// Size of the working set, over all threads.
        bytes: u64,
    },
    /// Multiplying and adding 8-bit integers into 32-bit sums.
    Int8,
    /// Multiplying and adding bf16 into f32 sums.
    Bf16,
    /// Multiplying and adding f16.
    F16,
    /// Multiplying and adding f32.
    F32,
    /// As `Int8`, by a unit that multiplies matrices (AMX, i8mm, tensor cores).
    Int8Matrix,
    /// As `Bf16`, by a unit that multiplies matrices.
    Bf16Matrix,
    /// Meeting of all threads of a session between two phases.
    Barrier,
    /// Waking a thread of a session that went to sleep.
    Wake,
}

impl Limit {
    /// What is counted per second; for latencies, what one costs.
    pub fn unit(self) -> &'static str {
        match self {
            Limit::Read { .. } => "bytes/s",
            Limit::Int8
            | Limit::Bf16
            | Limit::F16
            | Limit::F32
            | Limit::Int8Matrix
            | Limit::Bf16Matrix => "operations/s",
            Limit::Barrier | Limit::Wake => "ns",
        }
    }

    /// A latency: smaller is better.
    pub fn is_latency(self) -> bool {
        matches!(self, Limit::Barrier | Limit::Wake)
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Limit::Read { bytes } => write!(f, "reading {bytes} bytes"),
            Limit::Int8 => write!(f, "int8 arithmetic"),
            Limit::Bf16 => write!(f, "bf16 arithmetic"),
            Limit::F16 => write!(f, "f16 arithmetic"),
            Limit::F32 => write!(f, "f32 arithmetic"),
            Limit::Int8Matrix => write!(f, "int8 arithmetic by a matrix unit"),
            Limit::Bf16Matrix => write!(f, "bf16 arithmetic by a matrix unit"),
            Limit::Barrier => write!(f, "the barrier's latency"),
            Limit::Wake => write!(f, "the latency of waking"),
        }
    }
}

/// What a device reached at a limit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reached {
    /// The best, in [`Limit::unit`]: whatever disturbs a round makes it slower, never faster.
    pub value: f64,
    /// Threads that took part.
    pub threads: Known<usize>,
    /// Its short name in tables: the arithmetic (`int8 VNNI`), the memory level read from (`L3`); may be empty.
    #[serde(default)]
    pub label: String,
    /// By which instructions or access pattern, and where the data lay: `4 streams, no prefetch; 65536 KiB from memory`.
    pub how: String,
    /// The rounds of the way that was best, in order; empty where the backend keeps none.
    #[serde(default)]
    pub rounds: Vec<Round>,
}

impl Reached {
    /// What was kept up: all that the rounds did over all their time. `None` where no round is kept.
    pub fn sustained(&self) -> Option<f64> {
        let amount: f64 = self.rounds.iter().map(|round| round.amount as f64).sum();
        let nanoseconds: f64 = self.rounds.iter().map(|round| round.nanoseconds as f64).sum();
        (nanoseconds > 0.0).then(|| amount * 1e9 / nanoseconds)
    }
}

/// One timed round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Round {
    /// Bytes read, operations done, or meetings held.
    pub amount: u64,
    /// Time taken.
    pub nanoseconds: u64,
}
