//! ONNX Runtime itself: where it is, what it is, and the one that this process is bound to.

mod inspect;
mod process;
mod search;

pub(crate) use inspect::{Inspected, inspect};
pub(crate) use process::{Process, log_line, process};
pub use search::Search;
pub(crate) use search::{Plugin, RuntimeFile};
