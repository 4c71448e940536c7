//! Q5_K: 5 bits, 6-bit scale and minimum per 32, super-block of 256.
//!
//! Block of 256 weights, 176 bytes:
//! `0..2` f16 `d`, scale of the scales; `2..4` f16 `dmin`, scale of the minima;
//! `4..16` scales and minima of 8 sub-blocks (`k_scales`);
//! `16..48` fifth bits: bit `i` of byte `l` belongs to weight `32 i + l`;
//! `48..176` lower four bits, arranged as in Q4_K.
//! Weight: `(d * scale) * code - dmin * minimum`.

use super::super_block::{self, AffineKind};
use super::{Format, Layout, blocks, f16, fit, k_scales};

const LEN: usize = 256;
const BYTES: usize = 176;
const _: () = assert!(BYTES == 2 + 2 + 12 + LEN / 8 + LEN / 2);

pub(crate) const LAYOUT: Layout = Layout {
    format: Format::Q5_K,
    name: "Q5_K",
    ggml: 13,
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
    let (d, dmin) = (f16::scale(block, 0), f16::scale(block, 2));
    let (scales, mins) = k_scales::unpack(blocks::field(block, 4));
    let high: &[u8; 32] = blocks::field(block, 16);
    let codes: &[u8; 128] = blocks::field(block, 48);
    let (codes, _) = codes.as_chunks::<32>();
    let (groups, _) = y.as_chunks_mut::<32>();
    for (i, y) in groups.iter_mut().enumerate() {
        let (d, m) = (d * f32::from(scales[i]), dmin * f32::from(mins[i]));
        for ((y, &low), &high) in y.iter_mut().zip(&codes[i / 2]).zip(high) {
            let code = low >> (i % 2 * 4) & 15 | (high >> i & 1) << 4;
            *y = d * i32::from(code) as f32 - m;
        }
    }
}

/// How far the codes are stretched in each attempt of the fit (`fit::affine`).
const STRETCH: [f32; 8] = [-1.2, -0.9, -0.6, -0.3, 0.0, 0.3, 0.6, 0.9];

#[inline(always)]
fn encode_block(x: &[f32; LEN], block: &mut [u8; BYTES]) {
    let x = fit::clean(x);
    let groups = k_scales::fit(&x, 31.0, &STRETCH);
    block[..16].copy_from_slice(&groups.packed);
    let mut codes = [0; LEN];
    groups.codes(&x, &mut codes);
    pack(&codes, &mut block[16..]);
}

/// Fifth bits, then lower four bits.
#[inline(always)]
fn pack(codes: &[u8; LEN], out: &mut [u8]) {
    let (high, low) = out.split_at_mut(32);
    for (l, byte) in high.iter_mut().enumerate() {
        *byte = (0..8).fold(0, |bits, i| bits | codes[32 * i + l] >> 4 << i);
    }
    let (codes, _) = codes.as_chunks::<64>();
    let (low, _) = low.as_chunks_mut::<32>();
    for (codes, bytes) in codes.iter().zip(low) {
        for (l, byte) in bytes.iter_mut().enumerate() {
            *byte = codes[l] & 15 | codes[l + 32] << 4;
        }
    }
}

/// As [`STRETCH`], for the search.
const BEST_STRETCH: [f32; 12] = [-1.8, -1.5, -1.2, -0.9, -0.6, -0.4, -0.2, 0.0, 0.2, 0.4, 0.7, 1.0];
const KIND: AffineKind = AffineKind { top: 31.0, scale_top: 63.0, stretch: &BEST_STRETCH };

fn best(values: &[f32], importance: &[f32], out: &mut [u8]) {
    blocks::encode_best::<BYTES, LEN>(values, importance, out, best_block);
}

#[inline(always)]
fn best_block(x: &[f32; LEN], w: &[f32; LEN], block: &mut [u8; BYTES]) {
    let found = super_block::affine::<32, 8>(x, w, KIND);
    block[..2].copy_from_slice(&found.d.to_le_bytes());
    block[2..4].copy_from_slice(&found.dmin.to_le_bytes());
    block[4..16].copy_from_slice(&k_scales::pack(&found.scales, &found.mins));
    pack(&found.codes, &mut block[16..]);
}
