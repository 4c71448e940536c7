//! Pairing: what a result was measured side by side with, so that drift hits all alike.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a result was measured side by side with. Records of one run and one launch number with the same group belong together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pairing {
    /// The same for all that took turns: model, options and test.
    pub group: String,
    /// What alternated.
    pub unit: Turn,
    /// Devices (`cpu:avx512-vnni`, or `cpu:avx512-vnni base` where builds differ) that took turns, this one among them.
    pub members: Vec<String>,
}

/// What alternated between the members of a pairing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Turn {
    /// Single repetitions, in a random order each round, with every member resident.
    Samples,
    /// Whole launches, in a random order each round.
    Launches,
}
