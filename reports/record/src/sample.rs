//! Samples: one repetition of a test each, raw.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One timed repetition of a test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    /// Start of the repetition on the worker's clock, nanoseconds since its hello. 0 in every
    /// imported sample and every round of a limit: nobody tells.
    pub started_ns: u64,
    /// Length of the timed region, nanoseconds.
    pub nanoseconds: u64,
    /// Tokens processed over all sequences; bytes, operations or meetings where the test is a limit; for a foreign test the repetitions that `nanoseconds` covers.
    pub tokens: u64,
    /// Process CPU time within the timed region, nanoseconds; absent where the platform has none.
    pub cpu_ns: Option<u64>,
    /// When ids reached the host, nanoseconds since the start of the repetition, one stamp an emit.
    pub emits_ns: Vec<u64>,
    /// Outside evidence against this sample: `throttled`, `starved: steal 7 %`. Never a reason to drop it silently.
    pub marks: Vec<String>,
}

/// How the warm-up went.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WarmUp {
    /// Repetitions run.
    pub repetitions: u32,
    /// Time taken.
    pub nanoseconds: u64,
    /// Two consecutive blocks agreed within 5 %; false when the cap came first.
    pub steady: bool,
}
