//! Models by names that other programs keep them under: Ollama's store and Hugging Face's cache. Local files only:
//! nothing here opens a connection, and what a store says of its files is checked against them.

mod hub;
mod name;
mod ollama;

use std::path::{Path, PathBuf};

use crate::Error;
use crate::gguf::Flaw;
use crate::quantize::hash;

pub use hub::{HubCache, HubFile};
pub use name::{Name, NameError};
pub use ollama::Ollama;

/// A file a store has, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    /// Where it is.
    pub path: PathBuf,
    /// The SHA-256 its store promises and it has; `None` where the store promises none.
    pub sha256: Option<String>,
}

/// Bytes hashed so far, and in all; `Break` stops.
pub type Tell<'a> = dyn FnMut(u64, u64) -> std::ops::ControlFlow<()> + 'a;

/// An error of a file of a store.
fn invalid(
    path: &Path,
    field: impl Into<String>,
    found: impl ToString,
    expected: impl Into<String>,
) -> Error {
    Flaw::invalid(field, found, expected).of(&path.display().to_string())
}

/// Compares a file's hash with what its store promises. `Ok(false)`: stopped.
pub fn verify(path: &Path, sha256: &str, tell: &mut Tell<'_>) -> Result<bool, Error> {
    let io = |source| Error::Io { path: path.display().to_string(), source };
    let total = std::fs::metadata(path).map_err(io)?.len();
    let found = hash::hex_of_file_telling(path, &mut |done| tell(done, total)).map_err(io)?;
    match found {
        None => Ok(false),
        Some(found) if found == sha256 => Ok(true),
        Some(found) => {
            let expected =
                format!("{sha256}, as its store says; remove the file and fetch it again");
            Err(invalid(path, "SHA-256", found, expected))
        }
    }
}

/// Lower-case hex of a SHA-256.
fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}
