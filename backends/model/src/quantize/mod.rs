//! Model to model: which tensor gets which format, and the streaming quantiser.

mod mix;

pub use mix::{Mix, Network};
