//! Q6_K: 6 bits, symmetric about code 32, 8-bit scale per 16, super-block of 256.
//!
//! Block of 256 weights, 210 bytes; per half `h` of 128 weights:
//! `0..128` lower four bits: byte `64 h + l` holds weight `128 h + l` (low nibble) and
//! `128 h + 64 + l` (high), `l` 0 to 63;
//! `128..192` upper two bits: byte `32 h + l` holds weights `128 h + 32 k + l` in bits `2k..2k+2`;
//! `192..208` 16 signed scales; `208..210` f16 `d`.
//! Weight: `(d * scale) * (code - 32)`.

use super::super_block::{self, SymmetricKind};
use super::{Format, Layout, blocks, f16, fit};

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

/// How far the codes are stretched in each attempt of the fit (`fit::symmetric`): with 64 codes, a few
/// left unused at the end cost little, so attempts may lie far apart.
const STRETCH: [f32; 6] = [-4.0, -3.0, -2.0, -1.0, 0.0, 0.6];

#[inline(always)]
fn encode_block(x: &[f32; LEN], block: &mut [u8; BYTES]) {
    let x = fit::clean(x);
    let (groups, _) = x.as_chunks::<16>();
    let mut wanted = [0.0; 16];
    for (wanted, x) in wanted.iter_mut().zip(groups) {
        *wanted = fit::symmetric(x, 32.0, &STRETCH);
    }
    let d = fit::store(fit::extreme(&wanted) / -128.0);
    let per_scale = fit::inverse(f16::widen(d));
    let scales = wanted.map(|scale| fit::code(scale * per_scale, -128.0, 127.0));
    let mut codes = [0; LEN];
    let (groups_of_codes, _) = codes.as_chunks_mut::<16>();
    for ((codes, x), scale) in groups_of_codes.iter_mut().zip(groups).zip(scales) {
        let per_code = fit::inverse(f16::widen(d) * f32::from(scale as i8));
        for (code, &x) in codes.iter_mut().zip(x) {
            *code = fit::code(x * per_code + 32.0, 0.0, 63.0);
        }
    }
    pack(&codes, block);
    block[192..208].copy_from_slice(&scales);
    block[208..].copy_from_slice(&d.to_le_bytes());
}

/// Writes the code fields.
#[inline(always)]
fn pack(codes: &[u8; LEN], block: &mut [u8; BYTES]) {
    let (low, high) = block[..192].split_at_mut(128);
    let (halves, _) = codes.as_chunks::<128>();
    for (h, codes) in halves.iter().enumerate() {
        for (l, byte) in low[64 * h..][..64].iter_mut().enumerate() {
            *byte = codes[l] & 15 | codes[l + 64] << 4;
        }
        for (l, byte) in high[32 * h..][..32].iter_mut().enumerate() {
            let pair = |k: usize| codes[l + 32 * k] >> 4 << (2 * k);
            *byte = pair(0) | pair(1) | pair(2) | pair(3);
        }
    }
}

/// Where the extreme weight is put in each start of the search.
const ENDS: [f32; 9] = [-32.0, -31.0, -30.2, -29.4, -28.6, -28.0, -32.6, 31.0, 30.0];
const KIND: SymmetricKind = SymmetricKind { half: 32.0, scale_half: 128.0, ends: &ENDS };

fn best(values: &[f32], importance: &[f32], out: &mut [u8]) {
    blocks::encode_best::<BYTES, LEN>(values, importance, out, best_block);
}

#[inline(always)]
fn best_block(x: &[f32; LEN], w: &[f32; LEN], block: &mut [u8; BYTES]) {
    let found = super_block::symmetric(x, w, KIND);
    pack(&found.codes, block);
    block[192..208].copy_from_slice(&found.scales.map(|scale| scale as u8));
    block[208..].copy_from_slice(&found.d.to_le_bytes());
}
