//! The verbs, one file each. A verb returns the exit code; an error is printed and becomes [`USAGE`].

pub(crate) mod canary;
pub(crate) mod check;
pub(crate) mod claims;
pub(crate) mod compare;
pub(crate) mod devices;
pub(crate) mod export;
pub(crate) mod gate;
pub(crate) mod import;
pub(crate) mod memory;
pub(crate) mod model;
pub(crate) mod predict;
pub(crate) mod profile;
pub(crate) mod recommend;
pub(crate) mod report;
pub(crate) mod rerun;
pub(crate) mod route;
pub(crate) mod run;
pub(crate) mod serve;
pub(crate) mod soak;
pub(crate) mod tune;
pub(crate) mod worker;

/// Everything asked for was done.
pub(crate) const DONE: u8 = 0;
/// A cell failed, was invalid or computed wrong answers.
pub(crate) const FAILED: u8 = 1;
/// Nothing was done because of an error in the request or its surroundings.
pub(crate) const USAGE: u8 = 2;
/// Nothing is shown to be broken, but something could not be judged: it needs more.
pub(crate) const UNJUDGED: u8 = 3;
/// Ctrl-C; what was measured is kept.
pub(crate) const INTERRUPTED: u8 = 130;
