//! Q6_K: 6 bits, symmetric about code 32, 8-bit scale per 16, super-block of 256.
//!
//! Block of 256 weights, 210 bytes; per half `h` of 128 weights:
//! `0..128` lower four bits: byte `64 h + l` holds weight `128 h + l` (low nibble) and
//! `128 h + 64 + l` (high), `l` 0 to 63;
//! `128..192` upper two bits: byte `32 h + l` holds weights `128 h + 32 k + l` in bits `2k..2k+2`;
//! `192..208` 16 signed scales; `208..210` f16 `d`.
//! Weight: `(d * scale) * (code - 32)`.

use super::{Format, Layout, blocks, f16};

const LEN: usize = 256;
const BYTES: usize = 210;
const _: () = assert!(BYTES == LEN / 2 + LEN / 4 + LEN / 16 + 2);

pub(crate) const LAYOUT: Layout = Layout {
    format: Format::Q6_K,
    name: "Q6_K",
    ggml: 14,
    block_len: LEN,
    block_bytes: BYTES,
    decode,
    encode: None,
};

fn decode(bytes: &[u8], out: &mut [f32]) {
    blocks::decode::<BYTES, LEN>(bytes, out, decode_block);
}

#[inline(always)]
fn decode_block(block: &[u8; BYTES], y: &mut [f32; LEN]) {
    let low: &[u8; 128] = blocks::field(block, 0);
    let high: &[u8; 64] = blocks::field(block, 128);
    let scales: &[u8; 16] = blocks::field(block, 192);
    let d = f16::scale(block, 208);
    let (low, _) = low.as_chunks::<16>();
    let (high, _) = high.as_chunks::<16>();
    let (groups, _) = y.as_chunks_mut::<16>();
    for (i, (y, &scale)) in groups.iter_mut().zip(scales).enumerate() {
        // Group i: half i / 8, then 16 weights at 16 (i % 8) within it.
        let (half, part) = (i / 8, i % 8);
        let (low, low_shift) = (&low[half * 4 + part % 4], part / 4 * 4);
        let (high, high_shift) = (&high[half * 2 + part % 2], part / 2 * 2);
        let d = d * f32::from(scale as i8);
        for ((y, &low), &high) in y.iter_mut().zip(low).zip(high) {
            let code = low >> low_shift & 15 | (high >> high_shift & 3) << 4;
            *y = d * (i32::from(code) - 32) as f32;
        }
    }
}
