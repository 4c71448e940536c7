//! Why a model could not be written.

use std::io;
use std::path::Path;

use crate::Format;

/// Why a model could not be written. Whatever happens, the final path holds a whole file or what it held before.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The disk has no room, before or while writing.
    #[error(
        "{path}: no room: {needed} bytes needed, {available} available; free some space or name another folder"
    )]
    NoSpace {
        /// File concerned.
        path: String,
        /// Bytes of the whole file.
        needed: u64,
        /// Bytes available, or why that is not known.
        available: String,
    },
    /// The operating system refused.
    #[error("{path}: {source}")]
    Io {
        /// File concerned.
        path: String,
        /// The system's own error.
        source: io::Error,
    },
    /// The source or the header is not a model we can read or write.
    #[error(transparent)]
    Model(#[from] crate::Error),
    /// A format that can be read but not written.
    #[error("{name} can be read but not written; choose another quantisation", name = format.name())]
    ReadOnlyFormat {
        /// The format.
        format: Format,
    },
    /// Quantising what is quantised loses quality twice.
    #[error(
        "{path}: tensor {tensor} is {format} already, and quantising twice loses quality twice; \
         start from an F32, F16 or BF16 file, or allow requantising", format = format.name()
    )]
    Requantising {
        /// The source.
        path: String,
        /// The first quantised tensor.
        tensor: String,
        /// Its format.
        format: Format,
    },
    /// Source and destination are the same file.
    #[error("{path}: source and destination are the same file; name another destination")]
    SameFile {
        /// The file.
        path: String,
    },
    /// An importance matrix that is none, or of another model.
    #[error("{path}: {problem}")]
    Importance {
        /// File concerned.
        path: String,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// Whoever was told of the progress asked to stop.
    #[error("stopped on request; no unfinished file is left")]
    Stopped,
}

impl Error {
    pub(crate) fn io(path: &Path, source: io::Error) -> Error {
        Error::Io { path: path.display().to_string(), source }
    }
}
