//! Why the gate could not decide: each names the side and what it said.

use std::path::PathBuf;

use crate::Arm;

/// What ended a comparison before its verdict.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A revision, a program or a build command of one side.
    #[error("{side}: {what}")]
    Side {
        /// Base, control or candidate.
        side: Arm,
        /// What went wrong, with the tool's words.
        what: String,
    },
    /// Neither side's fault.
    #[error("{0}")]
    Request(String),
    /// A file or a program of ours.
    #[error("{path}: {source}")]
    File {
        /// Where.
        path: PathBuf,
        /// The system's words.
        source: std::io::Error,
    },
    /// The statistics refuse.
    #[error(transparent)]
    Statistics(#[from] yardstick_analyse::gate::Error),
    /// Ctrl-C.
    #[error("interrupted")]
    Interrupted,
}

impl Error {
    pub(crate) fn of(side: Arm, what: impl Into<String>) -> Error {
        Error::Side { side, what: what.into() }
    }

    pub(crate) fn file(path: &std::path::Path, source: std::io::Error) -> Error {
        Error::File { path: path.to_owned(), source }
    }
}
