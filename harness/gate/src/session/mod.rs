//! One comparison from its list of tests to its verdicts: agreement first, then launches until every test is decided.

mod batch;
mod confirm;
mod run;
mod settings;
mod source;
#[cfg(test)]
mod tests;

pub use run::run;
pub use settings::{Progress, Settings};
pub(crate) use source::launch_of;
pub use source::{Common, Cost, Measured, Source};
