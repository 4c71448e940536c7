//! A model: one GGUF file, its architecture, and its tensors as typed views of the map.

use std::path::Path;

use crate::{Architecture, Format, Gguf};

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

/// A model file, mapped and checked; shared between sessions by `Arc`.
pub struct Model {
    gguf: Gguf,
    info: ModelInfo,
}

/// What is known of a model without touching its weights.
#[derive(Clone, Debug)]
pub struct ModelInfo {
    /// Display name: `general.name`, else the file's stem.
    pub name: String,
    /// The description its forward pass reads.
    pub architecture: Architecture,
    /// Weights in all tensors.
    pub parameters: u64,
    /// Bytes of all tensor data.
    pub tensor_bytes: u64,
    /// Bytes read to produce one token at depth 0: every weight once, the embedding table only when it is the head too,
    /// and only the experts used.
    pub streamed_bytes: u64,
    /// Bytes of the file.
    pub file_bytes: u64,
    /// Formats of the matrices with their share of the tensor bytes, largest first.
    pub formats: Vec<(Format, u64)>,
    /// llama.cpp's name of the mix, `Q4_K - Medium` files are `Q4_K_M`, from `general.file_type`; else the largest format's name.
    pub quantisation: String,
}

/// A view of one tensor: `rows` rows of `cols` weights in `format`.
#[derive(Clone, Copy)]
pub struct Tensor<'a> {
    /// GGUF name.
    pub name: &'a str,
    /// Storage format.
    pub format: Format,
    /// Weights per row (GGUF's `shape[0]`).
    pub cols: usize,
    /// Product of the other dimensions.
    pub rows: usize,
    /// `rows * format.row_bytes(cols)` bytes in the map.
    pub bytes: &'a [u8],
}

impl<'a> Tensor<'a> {
    /// The bytes of one row.
    pub fn row(&self, row: usize) -> &'a [u8] {
        let stride = self.format.row_bytes(self.cols);
        &self.bytes[row * stride..(row + 1) * stride]
    }
}

impl Model {
    /// Maps, checks and describes a file: GGUF structure, architecture, and every tensor the architecture needs with its shape.
    pub fn open(path: &Path) -> Result<Model, Error> { let _ = path; todo!() }
    /// The file underneath.
    pub fn gguf(&self) -> &Gguf { &self.gguf }
    /// What is known without touching weights.
    pub fn info(&self) -> &ModelInfo { &self.info }
    /// Shorthand for `info().architecture`.
    pub fn architecture(&self) -> &Architecture { &self.info.architecture }
    /// A tensor by GGUF name. `Model::open` proved that those the architecture needs are there with the right shape.
    pub fn tensor(&self, name: &str) -> Option<Tensor<'_>> { let _ = name; todo!() }
    /// A one-dimensional tensor decoded to f32 (norms, biases), by name.
    pub fn vector(&self, name: &str) -> Option<Vec<f32>> { let _ = name; todo!() }
    /// SHA-256 of the file as lower-case hex; read once, then cached beside nothing (the caller caches).
    pub fn sha256(&self) -> Result<String, Error> { todo!() }
}
