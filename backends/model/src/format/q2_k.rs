//! Q2_K: 2 bits, scale and minimum per 16 in 4 bits each, super-block of 256.
//!
//! Block of 256 weights, 84 bytes:
//! `0..16` one byte per 16 weights: low nibble scale, high nibble minimum;
//! `16..80` codes: byte `32 h + l` holds weights `128 h + 32 k + l` in bits `2k..2k+2`, `k` 0 to 3;
//! `80..82` f16 `d`, scale of the scales; `82..84` f16 `dmin`, scale of the minima.
//! Weight: `(d * scale) * code - dmin * minimum`.

use super::super_block::{self, AffineKind};
use super::{Format, Layout, blocks, f16};

const LEN: usize = 256;
const BYTES: usize = 84;
const _: () = assert!(BYTES == LEN / 16 + LEN / 4 + 2 + 2);

pub(crate) const LAYOUT: Layout = Layout {
    format: Format::Q2_K,
    name: "Q2_K",
    ggml: 10,
    block_len: LEN,
    block_bytes: BYTES,
    decode,
    encode: Some(encode),
    best: Some(best),
};

fn decode(bytes: &[u8], out: &mut [f32]) {
    blocks::decode::<BYTES, LEN>(bytes, out, decode_block);
}

#[inline(always)]
fn decode_block(block: &[u8; BYTES], y: &mut [f32; LEN]) {
    let scales: &[u8; 16] = blocks::field(block, 0);
    let codes: &[u8; 64] = blocks::field(block, 16);
    let (d, dmin) = (f16::scale(block, 80), f16::scale(block, 82));
    let (codes, _) = codes.as_chunks::<16>();
    let (groups, _) = y.as_chunks_mut::<16>();
    for (i, (y, &scale)) in groups.iter_mut().zip(scales).enumerate() {
        // Group i: half i / 8, bit pair (i / 2) % 4, first or second 16 bytes of the half.
        let (bytes, shift) = (&codes[i / 8 * 2 + i % 2], i / 2 % 4 * 2);
        let (d, m) = (d * f32::from(scale & 15), dmin * f32::from(scale >> 4));
        for (y, &byte) in y.iter_mut().zip(bytes) {
            *y = d * i32::from(byte >> shift & 3) as f32 - m;
        }
    }
}

/// How far the codes are stretched in each start of the search.
const STRETCH: [f32; 14] =
    [-1.0, -0.8, -0.6, -0.45, -0.3, -0.15, 0.0, 0.15, 0.3, 0.45, 0.6, 0.8, 1.0, 1.3];
const KIND: AffineKind = AffineKind { top: 3.0, scale_top: 15.0, stretch: &STRETCH };

fn encode(values: &[f32], out: &mut [u8]) {
    blocks::encode::<BYTES, LEN>(values, out, |x, block| best_block(x, &[1.0; LEN], block));
}

fn best(values: &[f32], importance: &[f32], out: &mut [u8]) {
    blocks::encode_best::<BYTES, LEN>(values, importance, out, best_block);
}

#[inline(always)]
fn best_block(x: &[f32; LEN], w: &[f32; LEN], block: &mut [u8; BYTES]) {
    let found = super_block::affine::<16, 16>(x, w, KIND);
    for (g, byte) in block[..16].iter_mut().enumerate() {
        *byte = found.scales[g] | found.mins[g] << 4;
    }
    pack(&found.codes, &mut block[16..80]);
    block[80..82].copy_from_slice(&found.d.to_le_bytes());
    block[82..].copy_from_slice(&found.dmin.to_le_bytes());
}

/// Two-bit codes four a byte.
#[inline(always)]
pub(super) fn pack(codes: &[u8; LEN], out: &mut [u8]) {
    let (halves, _) = codes.as_chunks::<128>();
    let (bytes, _) = out.as_chunks_mut::<32>();
    for (codes, bytes) in halves.iter().zip(bytes) {
        for (l, byte) in bytes.iter_mut().enumerate() {
            *byte = (0..4).fold(0, |bits, k| bits | codes[32 * k + l] << (2 * k));
        }
    }
}
