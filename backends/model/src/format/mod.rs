//! Quantisation formats: one file per format, one table of them all.

mod f16;

use serde::{Deserialize, Serialize};

/// A tensor's storage format. The names are GGUF's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[allow(non_camel_case_types, reason = "the field writes the names this way")]
#[allow(missing_docs, reason = "each format is documented in its own file")]
pub enum Format {
    F32,
    F16,
    BF16,
    Q4_0,
    Q4_1,
    Q5_0,
    Q5_1,
    Q8_0,
    Q2_K,
    Q3_K,
    Q4_K,
    Q5_K,
    Q6_K,
    IQ4_NL,
}

/// What one format's file exports: its block layout and its codecs.
pub struct Layout {
    /// The format described.
    pub format: Format,
    /// GGUF's name, `"Q4_K"`.
    pub name: &'static str,
    /// GGUF's (ggml's) type number.
    pub ggml: u32,
    /// Weights per block.
    pub block_len: usize,
    /// Bytes per block.
    pub block_bytes: usize,
    /// Decodes whole blocks: `bytes.len() / block_bytes * block_len == out.len()`.
    pub decode: fn(bytes: &[u8], out: &mut [f32]),
    /// Encodes whole blocks, the inverse shape of `decode`; `None` where the format is read-only.
    pub encode: Option<fn(values: &[f32], out: &mut [u8])>,
}

impl Format {
    /// Every format, in the order of the table.
    pub const ALL: [Format; 14] = [
        Format::F32, Format::F16, Format::BF16, Format::Q4_0, Format::Q4_1, Format::Q5_0, Format::Q5_1,
        Format::Q8_0, Format::Q2_K, Format::Q3_K, Format::Q4_K, Format::Q5_K, Format::Q6_K, Format::IQ4_NL,
    ];
    /// This format's row of the table.
    pub fn layout(self) -> &'static Layout { todo!() }
    /// The format of a ggml type number, if it is one of ours.
    pub fn from_ggml(number: u32) -> Option<Format> { let _ = number; todo!() }
    /// GGUF's name.
    pub fn name(self) -> &'static str { self.layout().name }
    /// Weights per block.
    pub fn block_len(self) -> usize { self.layout().block_len }
    /// Bytes per block.
    pub fn block_bytes(self) -> usize { self.layout().block_bytes }
    /// Bytes of a row of `len` weights; `len` must be a multiple of [`Format::block_len`].
    pub fn row_bytes(self, len: usize) -> usize { len / self.block_len() * self.block_bytes() }
    /// Decodes whole blocks into `out`, whose length says how many weights.
    pub fn decode(self, bytes: &[u8], out: &mut [f32]) { (self.layout().decode)(bytes, out) }
}
