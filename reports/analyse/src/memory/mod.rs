//! Memory: what backends say they hold against what the system saw, and whether requests leave some behind.

mod growth;
mod live;
mod reconciled;

pub use growth::{LEAST_REQUESTS, MemoryGrowth, memory_growth};
pub use live::{Account, FirstUseLine, FitCheck, FitLine, LiveMemory};
pub use reconciled::{Held, Reconciled, reconciled};
