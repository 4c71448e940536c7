//! Q8_0: 8 bits, one scale per 32, symmetric.
//!
//! Block of 32 weights, 34 bytes: `0..2` f16 scale `d`; `2..34` signed codes. Weight: `code * d`.

use super::{Format, Layout, blocks, f16, fit, search};

const LEN: usize = 32;
const BYTES: usize = 34;
const _: () = assert!(BYTES == 2 + LEN);

pub(crate) const LAYOUT: Layout = Layout {
    format: Format::Q8_0,
    name: "Q8_0",
    ggml: 8,
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
    let codes: &[u8; LEN] = blocks::field(block, 2);
    for (y, &code) in y.iter_mut().zip(codes) {
        *y = f32::from(code as i8) * d;
    }
}

/// The extreme weight gets code 127 or -127.
#[inline(always)]
fn encode_block(x: &[f32; LEN], block: &mut [u8; BYTES]) {
    let x = fit::clean(x);
    let d = fit::store(fit::extreme(&x).abs() / 127.0);
    let per_code = fit::inverse(f16::widen(d));
    block[..2].copy_from_slice(&d.to_le_bytes());
    for (byte, x) in block[2..].iter_mut().zip(x) {
        *byte = fit::code(x * per_code, -127.0, 127.0);
    }
}

/// Where the extreme weight is put in each start of the search.
const ENDS: [f32; 5] = [-127.0, -126.6, -126.2, -127.3, -125.5];

fn best(values: &[f32], importance: &[f32], out: &mut [u8]) {
    blocks::encode_best::<BYTES, LEN>(values, importance, out, best_block);
}

#[inline(always)]
fn best_block(x: &[f32; LEN], w: &[f32; LEN], block: &mut [u8; BYTES]) {
    let x = fit::clean(x);
    let d = fit::store(search::symmetric(&x, &search::clean(w), (-127.0, 127.0), &ENDS));
    let per_code = fit::inverse(f16::widen(d));
    block[..2].copy_from_slice(&d.to_le_bytes());
    for (byte, x) in block[2..].iter_mut().zip(x) {
        *byte = fit::code(x * per_code, -127.0, 127.0);
    }
}
