//! Why a model could not be pruned.

use crate::quantize;

/// Why a model could not be pruned. Whatever happens, the final path holds a whole file or what it held before.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Reading the source or writing the result.
    #[error(transparent)]
    File(#[from] quantize::Error),
    /// What was asked for cannot be.
    #[error("{what}: found {found}, expected {expected}")]
    Asked {
        /// Which of the wishes.
        what: &'static str,
        /// As written.
        found: String,
        /// What it may be.
        expected: String,
    },
    /// The model's description cannot say what would be left.
    #[error("{path}: {problem}")]
    Inexpressible {
        /// The source.
        path: String,
        /// Why.
        problem: String,
    },
}

impl From<crate::Error> for Error {
    fn from(error: crate::Error) -> Error {
        Error::File(error.into())
    }
}
