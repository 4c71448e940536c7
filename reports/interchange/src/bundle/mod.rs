//! Bundles: records to be shared, one file. A manifest, then a record a line: read as a stream, nothing to unpack.
//!
//! ```text
//! {"yardstick_bundle":1,"profile":"public","tool":"yardstick 0.1.0","records":2,"bytes":8123,"sha256":"…"}
//! {"schema":4,"id":"…","shared":{"original":"…","profile":"public"}, …}
//! {"schema":4,"id":"…","shared":{"original":"…","profile":"public"}, …}
//! ```
//!
//! `bytes` and `sha256` are of everything after the manifest's line; each record's id is the hash of its content.

mod contents;
mod nesting;
mod read;
mod redact;
mod scrub;
mod write;

use serde::{Deserialize, Serialize};
use yardstick_record::Profile;

pub use contents::Contents;
pub use nesting::{MOST_NESTING, nesting};
pub use read::{Reader, read};
pub use redact::{Unfit, share};
pub use scrub::Scrub;
pub use write::{Writer, manifest_of};

/// The version written, and the newest that is read.
pub const VERSION: u64 = 1;
/// Records of a bundle.
pub const MOST_RECORDS: u64 = 1_000_000;
/// Bytes of a bundle.
pub const MOST_BUNDLE_BYTES: u64 = 16 << 30;

/// The first line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`VERSION`] when it was written.
    pub yardstick_bundle: u64,
    /// What was left in the records.
    pub profile: Profile,
    /// The program that wrote it.
    pub tool: String,
    /// Records that follow.
    pub records: u64,
    /// Their bytes, line ends included.
    pub bytes: u64,
    /// SHA-256 of those bytes, lower-case hex.
    pub sha256: String,
}
