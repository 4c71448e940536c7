//! A suite's cells as what the gate measures: workers of both sides by turns, by the harness's own runner, and how far the
//! candidate's predictions are from the base's.

mod cells;
mod drift;
mod found;
mod launches;
mod limits;
mod meters;
mod recipe;
mod round;
mod source;

pub use recipe::yardstick_recipe;
pub use source::{Lent, Suites};
