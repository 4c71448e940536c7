//! Models by name: `ollama:NAME[:TAG]` and `hf:OWNER/REPO/FILE[@REVISION]`, found where those programs keep them.
//!
//! Only what Hugging Face's cache lacks is downloaded, into that cache, so that other programs find it too: resumed where
//! an earlier download ended, compared with its SHA-256 before it gets its name. Without a network that is said at once.
#![forbid(unsafe_code)]

mod download;
mod error;
mod http;
mod hub;
mod sources;

pub use error::Error;
pub use hub::Hub;
pub use sources::Sources;

/// Bytes done and in all; `Break` stops, and what was downloaded is kept for the next time.
pub type Tell<'a> = dyn FnMut(u64, u64) -> std::ops::ControlFlow<()> + 'a;
