//! IQ4_NL: 4 bits into a fixed table of uneven steps, one scale per 32. Read-only.
//!
//! Block of 32 weights, 18 bytes: `0..2` f16 scale `d`; `2..18` codes, nibbles as in Q4_0.
//! Weight: `d * VALUES[code]`.

use super::{Format, Layout, blocks, f16};

const LEN: usize = 32;
const BYTES: usize = 18;
const _: () = assert!(BYTES == 2 + LEN / 2);

pub(crate) const LAYOUT: Layout = Layout {
    format: Format::IQ4_NL,
    name: "IQ4_NL",
    ggml: 20,
    block_len: LEN,
    block_bytes: BYTES,
    decode,
    encode: None,
};

fn decode(bytes: &[u8], out: &mut [f32]) {
    blocks::decode::<BYTES, LEN>(bytes, out, decode_block);
}

/// What each code stands for, in units of the scale; denser near zero, as weights are.
pub const VALUES: [i8; 16] =
    [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];

#[inline(always)]
fn decode_block(block: &[u8; BYTES], y: &mut [f32; LEN]) {
    let d = f16::scale(block, 0);
    // Scaling the table first leaves one load per weight.
    let table = VALUES.map(|v| d * f32::from(v));
    let codes: &[u8; 16] = blocks::field(block, 2);
    for (j, &byte) in codes.iter().enumerate() {
        y[j] = table[usize::from(byte & 15)];
        y[j + 16] = table[usize::from(byte >> 4)];
    }
}
