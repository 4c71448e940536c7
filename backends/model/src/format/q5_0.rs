//! Q5_0: 5 bits, one scale per 32, symmetric about code 16.
//!
//! Block of 32 weights, 22 bytes:
//! `0..2` f16 scale `d`; `2..6` fifth bits, a little-endian u32 whose bit `j` belongs to weight `j`;
//! `6..22` lower four bits, nibbles as in Q4_0. Weight: `(code - 16) * d`.

use super::{Format, Layout, blocks, f16, fit, search};

const LEN: usize = 32;
const BYTES: usize = 22;
const _: () = assert!(BYTES == 2 + LEN / 8 + LEN / 2);

pub(crate) const LAYOUT: Layout = Layout {
    format: Format::Q5_0,
    name: "Q5_0",
    ggml: 6,
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
    let high = u32::from_le_bytes(*blocks::field(block, 2));
    let codes: &[u8; 16] = blocks::field(block, 6);
    for (j, &byte) in codes.iter().enumerate() {
        let low = u32::from(byte & 15) | (high >> j << 4) & 16;
        let up = u32::from(byte >> 4) | (high >> (j + 16) << 4) & 16;
        y[j] = (low as i32 - 16) as f32 * d;
        y[j + 16] = (up as i32 - 16) as f32 * d;
    }
}

/// The extreme weight gets code 0, the end of the longer side.
#[inline(always)]
fn encode_block(x: &[f32; LEN], block: &mut [u8; BYTES]) {
    let x = fit::clean(x);
    let d = fit::store(fit::extreme(&x) / -16.0);
    let per_code = fit::inverse(f16::widen(d));
    let codes = x.map(|x| fit::code(x * per_code + 16.0, 0.0, 31.0));
    block[..2].copy_from_slice(&d.to_le_bytes());
    pack(&codes, &mut block[2..]);
}

/// Fifth bits (4 bytes), then lower four bits (16 bytes), of 32 codes.
#[inline(always)]
pub(super) fn pack(codes: &[u8; LEN], out: &mut [u8]) {
    let high = (0..LEN).fold(0, |bits, j| bits | u32::from(codes[j] >> 4) << j);
    out[..4].copy_from_slice(&high.to_le_bytes());
    for (j, byte) in out[4..].iter_mut().enumerate() {
        *byte = codes[j] & 15 | codes[j + 16] << 4;
    }
}

/// Where the extreme weight is put in each start of the search.
const ENDS: [f32; 10] = [-16.0, -15.5, -15.0, -14.5, -16.4, -17.0, 15.0, 15.4, 14.6, 16.0];

fn best(values: &[f32], importance: &[f32], out: &mut [u8]) {
    blocks::encode_best::<BYTES, LEN>(values, importance, out, best_block);
}

#[inline(always)]
fn best_block(x: &[f32; LEN], w: &[f32; LEN], block: &mut [u8; BYTES]) {
    let x = fit::clean(x);
    let d = fit::store(search::symmetric(&x, &search::clean(w), (-16.0, 15.0), &ENDS));
    let per_code = fit::inverse(f16::widen(d));
    block[..2].copy_from_slice(&d.to_le_bytes());
    pack(&x.map(|x| fit::code(x * per_code + 16.0, 0.0, 31.0)), &mut block[2..]);
}
