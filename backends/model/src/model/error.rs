//! Why a file is not a model we can use.

/// Why a file is not a model we can use. Every message names the file, the field, what was found and what was expected.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused.
    #[error("{path}: {source}")]
    Io {
        /// File concerned.
        path: String,
        /// The system's own error.
        source: std::io::Error,
    },
    /// The file breaks the GGUF specification or our limits.
    #[error("{path}: {field}: found {found}, expected {expected}")]
    Invalid {
        /// File concerned.
        path: String,
        /// Field of the file, `kv[3].key length`.
        field: String,
        /// What stands there.
        found: String,
        /// What may stand there.
        expected: String,
    },
    /// A valid file that asks for something we do not have.
    #[error("{path}: {what} is not supported; supported: {supported}")]
    Unsupported {
        /// File concerned.
        path: String,
        /// What it asks for.
        what: String,
        /// What there is.
        supported: String,
    },
}
