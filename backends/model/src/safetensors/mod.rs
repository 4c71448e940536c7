//! Safetensors files, alone or in shards: a reader over read-only maps. Files are untrusted.
//!
//! [`Safetensors::open`] checks one file's header whole; [`Checkpoint::open`] a folder as Hugging Face lays it out,
//! with `model.safetensors` or `model.safetensors.index.json` and its shards. Bytes stay in the maps.
//!
//! The `safetensors` crate is not used: of two tensors of one name it silently keeps the last, it takes tensors of no
//! weights at any offset, and its errors name neither file nor field.

mod checkpoint;
mod dtype;
mod file;
mod header;
mod shards;
mod write;

pub use checkpoint::Checkpoint;
pub use dtype::Dtype;
pub use file::{Safetensors, View};
pub use header::{Entry, MAX_HEADER_BYTES, MAX_TENSORS};
pub use write::encode;

pub(crate) use checkpoint::read_limited;
