//! Q4_0: 4 bits, one scale per 32, symmetric about code 8.
//!
//! Block of 32 weights, 18 bytes:
//! `0..2` f16 scale `d`; `2..18` codes: byte `j` holds weight `j` (low nibble) and `j + 16` (high).
//! Weight: `(code - 8) * d`.

use super::{Format, Layout, blocks, f16, fit, search};

const LEN: usize = 32;
const BYTES: usize = 18;
const _: () = assert!(BYTES == 2 + LEN / 2);

pub(crate) const LAYOUT: Layout = Layout {
    format: Format::Q4_0,
    name: "Q4_0",
    ggml: 2,
    block_len: LEN,
    block_bytes: BYTES,
    decode,
    encode: Some(encode),
    best: Some(best),
};

fn decode(bytes: &[u8], out: &mut [f32]) {
    blocks::decode::<BYTES, LEN>(bytes, out, decode_block);
}

fn encode(values: &[f32], out: &mut [u8]) {
    blocks::encode::<BYTES, LEN>(values, out, encode_block);
}

#[inline(always)]
fn decode_block(block: &[u8; BYTES], y: &mut [f32; LEN]) {
    let d = f16::scale(block, 0);
    let codes: &[u8; 16] = blocks::field(block, 2);
    for (j, &byte) in codes.iter().enumerate() {
        y[j] = (i32::from(byte & 15) - 8) as f32 * d;
        y[j + 16] = (i32::from(byte >> 4) - 8) as f32 * d;
    }
}

/// The extreme weight gets code 0, the end of the longer side.
#[inline(always)]
fn encode_block(x: &[f32; LEN], block: &mut [u8; BYTES]) {
    let x = fit::clean(x);
    let d = fit::store(fit::extreme(&x) / -8.0);
    let per_code = fit::inverse(f16::widen(d));
    block[..2].copy_from_slice(&d.to_le_bytes());
    for (j, byte) in block[2..].iter_mut().enumerate() {
        let code = |x: f32| fit::code(x * per_code + 8.0, 0.0, 15.0);
        *byte = code(x[j]) | code(x[j + 16]) << 4;
    }
}

/// Where the extreme weight is put in each start of the search.
const ENDS: [f32; 12] = [-8.0, -7.5, -7.0, -6.6, -8.3, -8.6, -9.0, -9.5, 7.0, 7.4, 8.0, 6.6];

fn best(values: &[f32], importance: &[f32], out: &mut [u8]) {
    blocks::encode_best::<BYTES, LEN>(values, importance, out, best_block);
}

#[inline(always)]
fn best_block(x: &[f32; LEN], w: &[f32; LEN], block: &mut [u8; BYTES]) {
    let x = fit::clean(x);
    let d = fit::store(search::symmetric(&x, &search::clean(w), (-8.0, 7.0), &ENDS));
    let per_code = fit::inverse(f16::widen(d));
    block[..2].copy_from_slice(&d.to_le_bytes());
    pack(&x.map(|x| fit::code(x * per_code + 8.0, 0.0, 15.0)), &mut block[2..]);
}

/// Codes two a byte.
#[inline(always)]
pub(super) fn pack(codes: &[u8; LEN], out: &mut [u8]) {
    for (j, byte) in out.iter_mut().enumerate() {
        *byte = codes[j] | codes[j + 16] << 4;
    }
}
