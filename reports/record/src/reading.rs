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
    /// What it covers: of the worker `test` (over the timed samples), `load`, `worker` (its whole life); of the machine, always
    /// over the timed samples, `machine`, `package`, `core`, `dram`, `psys`, `gpu`, `board`, `rail`, `chip`, `zone`, `soc`;
    /// `wall`: all that an external meter's outlet supplies. Energies of different scopes may hold each other: they are neither
    /// added nor compared.
    pub scope: String,
    /// How well it was observed, where that can be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precision: Option<Precision>,
}

/// How well a quantity of a test was observed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Precision {
    /// The true value is within this of the reading in 95 of 100 tests, in the reading's unit. What the meter itself is out of
    /// calibration is not in it.
    pub uncertainty: f64,
    /// New values a second.
    pub rate_hz: f64,
    /// Share of the test's time during which the meter told anything, from 0 to 1.
    pub coverage: f64,
}

/// The measured read bandwidth a decode speed is held against.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ceiling {
    /// The best round of the best access pattern, of all moments it was measured in.
    pub bytes_per_second: f64,
    /// What reading kept up in those moments, right before the samples and right after them: bytes of all rounds over their time.
    /// Absent: the device keeps no rounds, or the record is older than this field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sustained_bytes_per_second: Option<f64>,
    /// Size of the buffer read: the bytes one token of the test streams.
    pub working_set_bytes: u64,
    /// Positions whose keys and values a token reads, on average over the test's tokens and over the layers: with sliding
    /// windows fewer than are held. Absent: all that are held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub positions_read: Option<f64>,
    /// Threads that read.
    pub threads: Known<usize>,
    /// The access pattern that was best and the memory level it read from: `4 streams, prefetch, L3`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub how: Option<String>,
}

/// The measured arithmetic peak a prefill speed is held against.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Peak {
    /// Multiplications and additions the device reaches per second.
    pub operations_per_second: f64,
    /// Multiplications and additions one token of the test takes, two per weight used and the attention's.
    pub operations_per_token: f64,
    /// The arithmetic: `int8 VNNI`, `bf16`, `f32 FMA`.
    pub class: String,
    /// Threads that computed.
    pub threads: Known<usize>,
    /// By which instructions, and by which device where it is not the record's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub how: Option<String>,
}
