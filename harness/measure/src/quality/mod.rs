//! Quality: what tests of quality are asked on, and how answers become scores. Runs nothing.

pub(crate) mod check;
pub(crate) mod data;
pub(crate) mod distribution;
mod drift;
mod material;
pub(crate) mod questions;
pub(crate) mod sums;

pub use data::BUILT_IN;
pub use drift::{OutputDrift, output_drift, prompt};
pub use material::{Asked, MADE_UP, Material, Text};
pub(crate) use questions::Set;

/// A file of questions or a text that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {message}")]
pub struct Error {
    /// The file, with the line where it has lines.
    place: String,
    message: String,
}

impl Error {
    pub(crate) fn new(place: &str, message: String) -> Error {
        Error { place: place.to_owned(), message }
    }
}
