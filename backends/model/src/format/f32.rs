//! F32: IEEE 754 single precision.
//!
//! Block: 1 weight, 4 bytes, little-endian. Kept bit for bit, NaN and infinities included.

use super::{Format, Layout, blocks};

pub(crate) const LAYOUT: Layout = Layout {
    format: Format::F32,
    name: "F32",
    ggml: 0,
    block_len: 1,
    block_bytes: 4,
    decode,
    encode: Some(encode),
    best: None,
};

fn decode(bytes: &[u8], out: &mut [f32]) {
    blocks::decode::<4, 1>(bytes, out, |b, y| y[0] = f32::from_le_bytes(*b));
}

fn encode(values: &[f32], out: &mut [u8]) {
    blocks::encode::<4, 1>(values, out, |x, b| *b = x[0].to_le_bytes());
}
