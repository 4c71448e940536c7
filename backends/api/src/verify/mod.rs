//! Proof that a device computed the right thing: a fixed script of calls ([`observe`]), the same
//! tokens through the reference ([`expect`]), and the comparison ([`compare`]). Runs inside workers;
//! observations and answers travel between them as files.

mod check;
mod compare;
mod divergence;
mod expect;
mod file;
mod observe;
mod script;

pub use check::{Check, nmse, shortfall, shortfall_limit};
pub use compare::compare;
pub use divergence::{divergence, mean_divergence};
pub use expect::{Expected, expect};
pub use file::ReadError;
pub use observe::{Generated, Group, Observation, Path, observe};
pub use script::{CONTEXT, VERSION, prompt, reference_options};
