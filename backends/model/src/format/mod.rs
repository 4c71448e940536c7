//! Quantisation formats: one file per format, one table of them all.

pub mod bf16;
mod blocks;
mod effort;
pub mod f16;
mod f32;
mod fit;
pub mod iq4_nl;
pub mod k_scales;
mod q2_k;
mod q3_k;
mod q4_0;
mod q4_1;
mod q4_k;
mod q5_0;
mod q5_1;
mod q5_k;
mod q6_k;
mod q8_0;
mod search;
mod super_block;

pub use effort::Effort;

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

/// Turns whole blocks of weights into bytes.
pub type Encode = fn(values: &[f32], out: &mut [u8]);

/// Turns whole blocks of weights into bytes; `importance`, of the same length, says how much the squared error
/// of each weight counts.
pub type EncodeBest = fn(values: &[f32], importance: &[f32], out: &mut [u8]);

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
    /// Encodes whole blocks quickly, the inverse shape of `decode`; `None` where the format is read-only.
    pub encode: Option<Encode>,
    /// Encodes whole blocks with the least weighted squared error that a search finds; `None` where there is
    /// nothing to search.
    pub best: Option<EncodeBest>,
}

/// The one table, in the order of [`Format::ALL`].
static TABLE: [Layout; 14] = [
    f32::LAYOUT,
    f16::LAYOUT,
    bf16::LAYOUT,
    q4_0::LAYOUT,
    q4_1::LAYOUT,
    q5_0::LAYOUT,
    q5_1::LAYOUT,
    q8_0::LAYOUT,
    q2_k::LAYOUT,
    q3_k::LAYOUT,
    q4_k::LAYOUT,
    q5_k::LAYOUT,
    q6_k::LAYOUT,
    iq4_nl::LAYOUT,
];

impl Format {
    /// Every format, in the order of the table.
    pub const ALL: [Format; 14] = [
        Format::F32,
        Format::F16,
        Format::BF16,
        Format::Q4_0,
        Format::Q4_1,
        Format::Q5_0,
        Format::Q5_1,
        Format::Q8_0,
        Format::Q2_K,
        Format::Q3_K,
        Format::Q4_K,
        Format::Q5_K,
        Format::Q6_K,
        Format::IQ4_NL,
    ];
    /// This format's row of the table.
    pub fn layout(self) -> &'static Layout {
        &TABLE[self as usize]
    }
    /// The format of a ggml type number, if it is one of ours.
    pub fn from_ggml(number: u32) -> Option<Format> {
        TABLE.iter().find(|row| row.ggml == number).map(|row| row.format)
    }
    /// The format of a GGUF name, `"Q4_K"`.
    pub fn from_name(name: &str) -> Option<Format> {
        TABLE.iter().find(|row| row.name == name).map(|row| row.format)
    }
    /// GGUF's name.
    pub fn name(self) -> &'static str {
        self.layout().name
    }
    /// Weights per block.
    pub fn block_len(self) -> usize {
        self.layout().block_len
    }
    /// Bytes per block.
    pub fn block_bytes(self) -> usize {
        self.layout().block_bytes
    }
    /// Bytes of a row of `len` weights; `len` must be a multiple of [`Format::block_len`].
    pub fn row_bytes(self, len: usize) -> usize {
        len / self.block_len() * self.block_bytes()
    }
    /// Decodes whole blocks into `out`, whose length says how many weights; where the two disagree
    /// the shorter one ends it.
    pub fn decode(self, bytes: &[u8], out: &mut [f32]) {
        (self.layout().decode)(bytes, out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_enum_and_numbers_and_names_find_their_row() {
        for (index, format) in Format::ALL.into_iter().enumerate() {
            assert_eq!(format as usize, index);
            assert_eq!(format.layout().format, format);
            assert_eq!(format!("{format:?}"), format.name());
            assert_eq!(Format::from_ggml(format.layout().ggml), Some(format));
            assert_eq!(Format::from_name(format.name()), Some(format));
        }
        assert_eq!(Format::from_ggml(4), None);
        assert_eq!(Format::from_name("Q9_9"), None);
    }
}
