//! The record: everything known about one measured cell in one launch. Immutable, versioned, self-describing.
#![forbid(unsafe_code)]

mod cell;
mod environment;
mod foreign;
mod limits;
mod metric;
mod origin;
mod outcome;
mod pairing;
mod quality;
mod reading;
mod record;
mod sample;
mod shared;
mod soak;
mod test_kind;
mod timeline;
mod verification;
mod workload;

pub use cell::{Cell, ModelRef, Subject};
pub use environment::Environment;
pub use foreign::ForeignTest;
pub use metric::{Direction, Metric};
pub use origin::Origin;
pub use outcome::{FailureKind, Outcome, Phase};
pub use pairing::{Pairing, Turn};
pub use quality::{Answered, Apart, Data, Quality, Reference, Score, Window, Word};
pub use reading::{Ceiling, Peak, Precision, Reading};
pub use record::{Error, Record, RunInfo, SCHEMA, Tool, json_schema};
pub use sample::{Sample, WarmUp};
pub use shared::{Profile, Shared};
pub use soak::{Soak, Track};
pub use test_kind::{DIVERGENCE_PROMPT, ParseTestError, TOGETHER_TOKENS, Test};
pub use timeline::Timeline;
pub use verification::{Verification, VerificationStatus};
pub use workload::{
    Arrivals, Chat, ChatTurn, Checked, Cold, Fate, Member, Objective, RequestRun, Robust, Serve,
    Start, Together, Trial, Workload, mean_gap_ms,
};
