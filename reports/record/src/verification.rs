//! Verification: whether the device computed the right answer.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use yardstick_api::verify::Check;
use yardstick_api::{Known, Numerics};

/// Whether the device computed the right answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Verification {
    /// The verdict.
    pub status: VerificationStatus,
    /// Numerics class that set the limits, when the device was reached.
    pub numerics: Option<Numerics>,
    /// What was compared.
    pub checks: Vec<Check>,
    /// What weights that were rounded anew cost: KL divergence from the file's own weights, nats a token. `None` for the file's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub divergence: Option<Box<Known<f64>>>,
}

/// The verdict of a verification.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum VerificationStatus {
    /// Every check is within its limit.
    Passed,
    /// At least one check is not.
    Failed,
    /// Not done: the device is the oracle itself, or the run never got there.
    Skipped {
        /// Why.
        reason: String,
    },
}

impl Verification {
    /// Not done, and why.
    pub fn skipped(reason: impl Into<String>) -> Verification {
        Verification {
            status: VerificationStatus::Skipped { reason: reason.into() },
            numerics: None,
            checks: Vec::new(),
            divergence: None,
        }
    }

    /// The verdict that follows from the checks; no checks is a failure, not a pass.
    pub fn judged(numerics: Numerics, checks: Vec<Check>) -> Verification {
        let passed = !checks.is_empty() && checks.iter().all(Check::passed);
        let status = if passed { VerificationStatus::Passed } else { VerificationStatus::Failed };
        Verification { status, numerics: Some(numerics), checks, divergence: None }
    }

    /// The check with the largest share of its limit.
    pub fn worst(&self) -> Option<&Check> {
        let share = |check: &Check| check.value.value().map_or(f64::INFINITY, |v| v / check.limit);
        self.checks.iter().max_by(|a, b| share(a).total_cmp(&share(b)))
    }
}
