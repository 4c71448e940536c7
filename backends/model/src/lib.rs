//! Models: GGUF reading and writing, quantisation formats, architectures, tokenizers and presets. Runs nothing.

pub mod arch;
pub mod convert;
pub mod format;
pub mod gguf;
mod model;
pub mod preset;
pub mod prune;
pub mod quantize;
pub mod safetensors;
pub mod scheme;
pub mod source;
pub mod tokenizer;

pub use arch::Architecture;
pub use format::Format;
pub use gguf::Gguf;
pub use model::{Error, Layout, Model, ModelInfo, Streamed, Tensor};
pub use tokenizer::Tokenizer;
