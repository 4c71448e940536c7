//! A model: one GGUF file, its architecture, and its tensors as typed views of the map.

mod check;
mod error;
mod info;

use std::path::Path;

use sha2::{Digest, Sha256};

use crate::gguf::TensorInfo;
use crate::{Architecture, Format, Gguf};

pub use error::Error;
pub(crate) use info::Header;
pub use info::{Layout, ModelInfo, Streamed};

/// A model file, mapped and checked; shared between sessions by `Arc`.
pub struct Model {
    gguf: Gguf,
    info: ModelInfo,
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
    pub fn open(path: &Path) -> Result<Model, Error> {
        Model::from_gguf(Gguf::open(path)?)
    }

    /// Checks and describes an open file.
    pub fn from_gguf(gguf: Gguf) -> Result<Model, Error> {
        let mut architecture = Architecture::read(&gguf)?;
        let specs = architecture.tensors();
        check::tensors(&gguf, &architecture, &specs)?;
        check::vocabulary(&gguf, architecture.vocab)?;
        architecture.read_factors(&gguf)?;
        let info = ModelInfo::of(&gguf, architecture, &specs)?;
        Ok(Model { gguf, info })
    }

    /// The file underneath.
    pub fn gguf(&self) -> &Gguf {
        &self.gguf
    }

    /// What is known without touching weights.
    pub fn info(&self) -> &ModelInfo {
        &self.info
    }

    /// Shorthand for `info().architecture`.
    pub fn architecture(&self) -> &Architecture {
        &self.info.architecture
    }

    /// A tensor by GGUF name. `Model::open` proved that those the architecture needs are there with the right shape.
    pub fn tensor(&self, name: &str) -> Option<Tensor<'_>> {
        let info = self.gguf.tensor(name)?;
        let (cols, rows) = (info.shape[0], info.shape[1..].iter().product());
        let bytes = self.gguf.bytes(info);
        Some(Tensor { name: &info.name, format: info.format, cols, rows, bytes })
    }

    /// A one-dimensional tensor decoded to f32 (norms, biases), by name.
    pub fn vector(&self, name: &str) -> Option<Vec<f32>> {
        let info = self.gguf.tensor(name).filter(|t| t.shape.len() == 1)?;
        Some(decode(&self.gguf, info))
    }

    /// All weights of a small tensor decoded to f32, whatever its dimensions (norms with weights per head), by name.
    pub fn values(&self, name: &str) -> Option<Vec<f32>> {
        Some(decode(&self.gguf, self.gguf.tensor(name)?))
    }

    /// An error when the file changed on disk since it was opened; see [`Gguf::check_unchanged`].
    pub fn check_unchanged(&self) -> Result<(), Error> {
        self.gguf.check_unchanged()
    }

    /// SHA-256 of the file as lower-case hex; reads the whole file each time (the caller caches).
    pub fn sha256(&self) -> Result<String, Error> {
        let path = || self.gguf.path().display().to_string();
        let digest = hash(&self.gguf).map_err(|source| Error::Io { path: path(), source })?;
        self.check_unchanged()?;
        Ok(digest.iter().map(|b| format!("{b:02x}")).collect())
    }
}

/// All weights of a tensor; only for vectors, whose length the hyper-parameters bound.
pub(crate) fn decode(gguf: &Gguf, tensor: &TensorInfo) -> Vec<f32> {
    let mut values = vec![0.0; tensor.weights()];
    tensor.format.decode(gguf.bytes(tensor), &mut values);
    values
}

/// Reads rather than maps where it can: hashing a file should not make all of it resident.
fn hash(gguf: &Gguf) -> std::io::Result<[u8; 32]> {
    let mut hasher = Sha256::new();
    #[cfg(unix)]
    if let Some(file) = gguf.file() {
        use std::os::unix::fs::FileExt;
        let mut buffer = vec![0; 1 << 20];
        let mut at = 0;
        loop {
            match file.read_at(&mut buffer, at) {
                Ok(0) => return Ok(hasher.finalize().into()),
                Ok(n) => {
                    hasher.update(&buffer[..n]);
                    at += n as u64;
                }
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
    }
    #[cfg(not(unix))]
    let _ = gguf.file();
    hasher.update(gguf.all_bytes());
    Ok(hasher.finalize().into())
}
