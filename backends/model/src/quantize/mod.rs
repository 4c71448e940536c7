//! Model to model: which tensor gets which format, and the streaming quantiser.

mod error;
mod file;
pub(crate) mod hash;
mod importance;
mod legacy;
mod mix;
mod output;
mod stream;
mod sums;

pub use crate::format::Effort;
pub use error::Error;
pub use file::{Quality, Quantised, Quantising, network, quantize};
pub use importance::Importance;
pub use mix::{Mix, Network};
pub use stream::{Progress, Tell};
pub use sums::Sums;

pub(crate) use file::{Decoded, seventy, write, write_and_sum, write_to};
pub(crate) use output::Output;
pub(crate) use stream::{CHUNK_WEIGHTS, Errors, Rows, Stretch, encode};
