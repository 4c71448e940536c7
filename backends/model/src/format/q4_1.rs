//! Q4_1: 4 bits, scale and minimum per 32.
//!
//! Block of 32 weights, 20 bytes:
//! `0..2` f16 scale `d`; `2..4` f16 minimum `m`; `4..20` codes, nibbles as in Q4_0.
//! Weight: `code * d + m`.

use super::{Format, Layout, blocks, f16, fit, q4_0, search};

const LEN: usize = 32;
const BYTES: usize = 20;
const _: () = assert!(BYTES == 2 + 2 + LEN / 2);

pub(crate) const LAYOUT: Layout = Layout {
    format: Format::Q4_1,
    name: "Q4_1",
    ggml: 3,
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
    let (d, m) = (f16::scale(block, 0), f16::scale(block, 2));
    let codes: &[u8; 16] = blocks::field(block, 4);
    for (j, &byte) in codes.iter().enumerate() {
        y[j] = i32::from(byte & 15) as f32 * d + m;
        y[j + 16] = i32::from(byte >> 4) as f32 * d + m;
    }
}

/// The smallest weight gets code 0 and the largest 15.
#[inline(always)]
fn encode_block(x: &[f32; LEN], block: &mut [u8; BYTES]) {
    let x = fit::clean(x);
    let (low, high) = fit::range(&x);
    let (d, m) = (fit::store((high - low) / 15.0), f16::narrow(low));
    let (per_code, low) = (fit::inverse(f16::widen(d)), f16::widen(m));
    block[..2].copy_from_slice(&d.to_le_bytes());
    block[2..4].copy_from_slice(&m.to_le_bytes());
    for (j, byte) in block[4..].iter_mut().enumerate() {
        let code = |x: f32| fit::code((x - low) * per_code, 0.0, 15.0);
        *byte = code(x[j]) | code(x[j + 16]) << 4;
    }
}

/// How far the codes are stretched in each start of the search.
const STRETCH: [f32; 11] = [-2.0, -1.6, -1.2, -0.9, -0.6, -0.3, 0.0, 0.3, 0.6, 0.9, 1.3];

fn best(values: &[f32], importance: &[f32], out: &mut [u8]) {
    blocks::encode_best::<BYTES, LEN>(values, importance, out, best_block);
}

#[inline(always)]
fn best_block(x: &[f32; LEN], w: &[f32; LEN], block: &mut [u8; BYTES]) {
    let x = fit::clean(x);
    let (scale, min) = search::affine(&x, &search::clean(w), 15.0, &STRETCH, true);
    let (d, m) = (fit::store(scale), f16::narrow(min));
    let (per_code, low) = (fit::inverse(f16::widen(d)), f16::widen(m));
    block[..2].copy_from_slice(&d.to_le_bytes());
    block[2..4].copy_from_slice(&m.to_le_bytes());
    q4_0::pack(&x.map(|x| fit::code((x - low) * per_code, 0.0, 15.0)), &mut block[4..]);
}
