//! Model to model: which tensor gets which format, and the streaming quantiser.

mod error;
mod file;
pub(crate) mod hash;
mod mix;
mod output;
mod stream;

pub use error::Error;
pub use file::{Quantised, Quantising, network, quantize};
pub use mix::{Mix, Network};
pub use stream::{Progress, Tell};

pub(crate) use file::{seventy, write, write_to};
pub(crate) use output::Output;
pub(crate) use stream::{Rows, Stretch, encode};
