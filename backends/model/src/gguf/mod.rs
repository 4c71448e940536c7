//! GGUF v2 and v3 files: a reader over a read-only map, and a writer. Files are untrusted.
//!
//! [`Gguf::open`] checks the whole header before anything else sees it: every count and length is
//! compared with what remains of the file and with a cap before memory is sized by it. Metadata
//! stays in the map; what is kept beside it is a few dozen bytes an entry.

mod backing;
mod cursor;
mod encode;
mod file;
mod flaw;
mod index;
mod inspect;
mod metadata;
mod tensors;
mod text;
mod value;
mod write;

pub use encode::Encode;
pub use file::Gguf;
pub use inspect::{ArraySummary, FileSummary, MetadataSummary, Scan, TensorSummary, scan};
pub use metadata::{MAX_KV, MAX_METADATA_BYTES, MAX_STRING_BYTES};
pub use tensors::{MAX_ALIGNMENT, MAX_TENSORS, TensorInfo};
pub use text::escape;
pub use value::{Array, Type, Value};
pub use write::{DataWriter, Header};

pub(crate) use backing::Backing;
pub(crate) use flaw::Flaw;
pub(crate) use index::Index;
pub(crate) use text::{quote, quote_bytes};
