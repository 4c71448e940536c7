//! Readings: what the meters beside the clock read, and the ceiling a result is held against.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use yardstick_api::Known;

use crate::Direction;

/// What a probe read over a test.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reading {
    /// What was read, with the unit as suffix: `peak_rss_bytes`.
    pub name: String,
    /// The value or the reason there is none.
    pub value: Known<f64>,
    /// Its unit.
    pub unit: String,
    /// Which way is better; `None` where neither is.
    pub better: Option<Direction>,
    /// Where it comes from: a file, a call.
    pub source: String,
    /// What it covers: `test` (the timed samples), `load`, `worker` (the whole process), `machine`.
    pub scope: String,
}

/// The measured read bandwidth a decode speed is held against.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ceiling {
    /// Best over access patterns.
    pub bytes_per_second: f64,
    /// Size of the buffer read: the bytes one token of the test streams.
    pub working_set_bytes: u64,
    /// Threads that read.
    pub threads: Known<usize>,
}
