//! How a cell ended.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a cell ended in one launch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "status", rename_all = "lowercase")]
pub enum Outcome {
    /// Measured.
    Ok,
    /// It should have run and did not.
    Failed {
        /// The class of failure.
        kind: FailureKind,
        /// What happened, for a person.
        message: String,
    },
    /// It was never going to run here.
    Skipped {
        /// Why.
        reason: String,
        /// One line that would change that.
        fix: Option<String>,
    },
    /// It ran, but not where or what was asked.
    Invalid {
        /// Why the numbers must not be used.
        reason: String,
    },
}

impl Outcome {
    /// Measured.
    pub fn is_ok(&self) -> bool {
        matches!(self, Outcome::Ok)
    }
}

/// The class of a failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "class", rename_all = "snake_case")]
pub enum FailureKind {
    /// The backend returned an error.
    Backend,
    /// The answers are wrong.
    Verify,
    /// A deadline passed.
    Timeout {
        /// What it was doing.
        phase: Phase,
    },
    /// The worker died of a signal.
    Crash {
        /// Signal number.
        signal: i32,
        /// What it was doing.
        phase: Phase,
    },
    /// The worker left by itself.
    Exit {
        /// Exit code.
        code: i32,
        /// What it was doing.
        phase: Phase,
    },
    /// Memory ran out.
    OutOfMemory,
    /// The device went away.
    DeviceLost,
    /// The worker broke the protocol.
    Protocol,
    /// The run was interrupted while this cell was measured.
    Interrupted,
}

/// What a worker was doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Starting.
    Hello,
    /// Listing devices.
    Devices,
    /// Planning.
    Plan,
    /// Loading a model.
    Load,
    /// Being verified.
    Verify,
    /// Filling the context to a test's depth.
    Prepare,
    /// Warming up.
    WarmUp,
    /// Being timed.
    Sample,
    /// Measuring the ceiling.
    Ceiling,
    /// Stopping.
    Stop,
}
