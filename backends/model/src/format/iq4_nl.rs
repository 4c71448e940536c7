//! IQ4_NL: 4 bits into a fixed table of uneven steps, one scale per 32.
//!
//! Block of 32 weights, 18 bytes: `0..2` f16 scale `d`; `2..18` codes, nibbles as in Q4_0.
//! Weight: `d * VALUES[code]`.

use super::{Format, Layout, blocks, f16, fit, q4_0, search};

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
    encode: Some(encode),
    best: Some(best),
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

/// Where the extreme weight is put in each start of the search.
const ENDS: [f32; 14] = [
    -127.0, -122.0, -117.0, -112.0, -107.0, -132.0, -138.0, 113.0, 108.0, 103.0, 98.0, 118.0,
    123.0, 130.0,
];

fn encode(values: &[f32], out: &mut [u8]) {
    blocks::encode::<BYTES, LEN>(values, out, |x, block| best_block(x, &[1.0; LEN], block));
}

fn best(values: &[f32], importance: &[f32], out: &mut [u8]) {
    blocks::encode_best::<BYTES, LEN>(values, importance, out, best_block);
}

#[inline(always)]
fn best_block(x: &[f32; LEN], w: &[f32; LEN], block: &mut [u8; BYTES]) {
    let x = fit::clean(x);
    let d = fit::store(search::scale_of(&x, &search::clean(w), &ENDS, value));
    let per_code = fit::inverse(f16::widen(d));
    block[..2].copy_from_slice(&d.to_le_bytes());
    q4_0::pack(&x.map(|x| code(x * per_code)), &mut block[2..]);
}

/// Halfway from every value to the next.
const BETWEEN: [f32; 15] = {
    let mut between = [0.0; 15];
    let mut i = 0;
    while i < 15 {
        between[i] = (VALUES[i] as f32 + VALUES[i + 1] as f32) / 2.0;
        i += 1;
    }
    between
};

/// The nearest of the values: by counting up, which vectorises, where a search would branch.
#[inline(always)]
fn value(x: f32) -> f32 {
    let mut value = f32::from(VALUES[0]);
    for (i, &between) in BETWEEN.iter().enumerate() {
        let step = f32::from(VALUES[i + 1]) - f32::from(VALUES[i]);
        value += if x > between { step } else { 0.0 };
    }
    value
}

/// The code of the nearest of the values.
#[inline(always)]
fn code(x: f32) -> u8 {
    BETWEEN.iter().map(|&between| u8::from(x > between)).sum()
}
