//! The soak: decode without a pause for minutes, then a rest, then a little more; and what the sensors read beside it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What makes a record's samples a soak.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Soak {
    /// Seconds of decode that were asked for.
    pub asked_seconds: f64,
    /// How the device cooled down before the first sample.
    pub cool_down: String,
    /// Seconds it rested before its recovery was measured.
    pub rest_seconds: f64,
    /// Samples made after the rest: the last ones of the record. None where it was interrupted before.
    pub after_rest: usize,
    /// What the sensors read, window by window.
    pub tracks: Vec<Track>,
}

/// A reading over time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Track {
    /// The reading's name.
    pub name: String,
    /// Its unit.
    pub unit: String,
    /// Seconds since the start (of a soak: since its first sample), and the value; windows without a value are left out.
    pub points: Vec<(f64, f64)>,
}
