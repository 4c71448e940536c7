//! What became of a cell on both sides in a first, short launch: comparable, or else a row that says why not.

use yardstick_record::{FailureKind, Outcome as Ended, Record, Test};

use super::cells::Group;
use crate::{Arm, Outcome, Sides};

/// Records of one launch of a group.
pub(super) type Records = Sides<Vec<Record>>;

/// Why a side has no figure of a cell.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Why {
    pub(super) reason: String,
    /// It was never going to run there.
    skipped: bool,
    /// It ran, and its answers are wrong.
    wrong: bool,
}

/// A cell on both sides.
pub(super) enum Found {
    /// Both measured it.
    Both,
    /// One did not, or neither: how that is reported.
    Not(Outcome, String),
}

/// A side's record of a test, or why there is no figure.
pub(super) fn record<'r>(
    group: &Group,
    arm: Arm,
    test: Test,
    records: &'r Records,
) -> Result<&'r Record, Why> {
    let not = |reason: &str, skipped, wrong| Err(Why { reason: reason.to_owned(), skipped, wrong });
    if let Some(record) = records.get(arm).iter().find(|record| record.cell.test == test) {
        return match &record.outcome {
            Ended::Ok => Ok(record),
            Ended::Skipped { reason, .. } => not(reason, true, false),
            Ended::Invalid { reason } => not(reason, false, false),
            Ended::Failed { kind, message } => not(message, false, *kind == FailureKind::Verify),
        };
    }
    match group.lacks.get(arm).iter().find(|(lacking, _)| *lacking == test) {
        Some((_, reason)) => not(reason, true, false),
        None => not(&format!("it has no device {}", group.device), true, false),
    }
}

/// Whether a cell can be compared.
pub(super) fn found(group: &Group, test: Test, records: &Records) -> Found {
    let of = |arm| record(group, arm, test, records).map(|_| ());
    match (of(Arm::Base), of(Arm::Candidate)) {
        (Ok(()), Ok(())) => Found::Both,
        (Ok(()), Err(why)) if why.wrong => {
            Found::Not(Outcome::Drifted, format!("the candidate: {}", why.reason))
        }
        (Ok(()), Err(why)) => {
            let reason = format!("the candidate does not run it: {}", why.reason);
            Found::Not(Outcome::OnlyBase, reason)
        }
        (Err(why), Ok(())) => {
            let reason = format!("the base does not run it: {}", why.reason);
            Found::Not(Outcome::OnlyCandidate, reason)
        }
        (Err(base), Err(candidate)) => {
            let reason = match base.reason == candidate.reason {
                true => format!("on neither side: {}", base.reason),
                false => format!("base: {}; candidate: {}", base.reason, candidate.reason),
            };
            let skipped = base.skipped && candidate.skipped;
            Found::Not(if skipped { Outcome::Skipped } else { Outcome::Missing }, reason)
        }
    }
}
