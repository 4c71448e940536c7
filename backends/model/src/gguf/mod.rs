//! GGUF v2 and v3 files: a reader over a read-only map, and a writer. Files are untrusted.

use std::path::{Path, PathBuf};

use crate::Format;

/// A GGUF file, mapped read-only and checked whole.
pub struct Gguf {
    path: PathBuf,
}

/// One tensor's entry in a GGUF file.
#[derive(Clone, Debug)]
pub struct TensorInfo {
    /// GGUF name, `blk.0.attn_q.weight`.
    pub name: String,
    /// Storage format.
    pub format: Format,
    /// GGUF order: `shape[0]` is the row length (fastest). 1 to 4 dimensions.
    pub shape: Vec<usize>,
    /// Byte offset of the data in the file.
    pub offset: usize,
    /// Byte length of the data.
    pub bytes: usize,
}

impl Gguf {
    /// Maps and checks a file.
    pub fn open(path: &Path) -> Result<Gguf, crate::Error> { let _ = path; todo!() }
    /// Where it was opened.
    pub fn path(&self) -> &Path { &self.path }
    /// Every tensor, in file order.
    pub fn tensors(&self) -> &[TensorInfo] { todo!() }
    /// One tensor by name.
    pub fn tensor(&self, name: &str) -> Option<&TensorInfo> { let _ = name; todo!() }
    /// A tensor's bytes in the map.
    pub fn bytes(&self, tensor: &TensorInfo) -> &[u8] { let _ = tensor; todo!() }
    /// A metadata value as text, whatever its type, for display.
    pub fn display(&self, key: &str) -> Option<String> { let _ = key; todo!() }
}
