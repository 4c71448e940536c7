//! Why a named model is not here.

use std::io;
use std::path::Path;

/// Why a named model is not here. Messages say what would change that.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A store's file is not what the store says.
    #[error(transparent)]
    Model(#[from] yardstick_model::Error),
    /// It would have to be downloaded, and that was switched off.
    #[error("{name}: not in {looked}, and HF_HUB_OFFLINE is set; unset it, or name a file")]
    Offline {
        /// As written.
        name: String,
        /// The cache, and what of the repository is there.
        looked: String,
    },
    /// Nobody answers.
    #[error(
        "{name}: not in {looked}, and {url} cannot be reached ({reason}); \
         are you offline? fetch it where there is a network, or name a file"
    )]
    Unreachable {
        /// As written.
        name: String,
        /// The cache, and what of the repository is there.
        looked: String,
        /// Who was asked.
        url: String,
        /// What the network said.
        reason: String,
    },
    /// The server refuses.
    #[error("{name}: {url} answered {status}: {fix}")]
    Refused {
        /// As written.
        name: String,
        /// What was asked for.
        url: String,
        /// The status of HTTP.
        status: u16,
        /// What it means and what would change it.
        fix: String,
    },
    /// The server answers something that cannot be used.
    #[error("{what}: {field}: found {found}, expected {expected}")]
    Answer {
        /// The model, and the address that was asked.
        what: String,
        /// Part of the answer.
        field: String,
        /// What stands there.
        found: String,
        /// What may stand there.
        expected: String,
    },
    /// The download ended too often.
    #[error(
        "{name}: the download ended at {done} of {total} bytes ({reason}); run the command again to go on from there"
    )]
    Interrupted {
        /// As written.
        name: String,
        /// Bytes kept.
        done: u64,
        /// Bytes in all.
        total: u64,
        /// What the network said.
        reason: String,
    },
    /// The bytes are not those that were promised.
    #[error(
        "{name}: downloaded bytes have SHA-256 {found}, the server promised {expected}; they were removed, run the command again"
    )]
    Checksum {
        /// As written.
        name: String,
        /// Hash of what came.
        found: String,
        /// Hash that was promised.
        expected: String,
    },
    /// The operating system refused.
    #[error("{path}: {source}")]
    Io {
        /// File concerned.
        path: String,
        /// The system's own error.
        source: io::Error,
    },
    /// Another process downloads the same file.
    #[error("{path}: another process is downloading it; wait for it to end")]
    Busy {
        /// The unfinished file.
        path: String,
    },
    /// Whoever was told of the progress asked to stop.
    #[error(
        "stopped on request; what was downloaded is kept, and the next time goes on from there"
    )]
    Stopped,
}

impl Error {
    pub(crate) fn io(path: &Path, source: io::Error) -> Error {
        Error::Io { path: path.display().to_string(), source }
    }
}
