//! Q3_K: 3 bits, symmetric, 6-bit scale per 16, super-block of 256.
//!
//! Block of 256 weights, 110 bytes:
//! `0..32` third bits: bit `b` of byte `l` belongs to weight `32 b + l`; clear means minus 4;
//! `32..96` lower two bits, arranged as in Q2_K;
//! `96..108` 16 scales of 6 bits, stored plus 32: see `unpack`; `108..110` f16 `d`.
//! Weight: `(d * (scale - 32)) * (code - 4)`.

use super::super_block::{self, SymmetricKind};
use super::{Format, Layout, blocks, f16, q2_k};

const LEN: usize = 256;
const BYTES: usize = 110;
const _: () = assert!(BYTES == LEN / 8 + LEN / 4 + 12 + 2);

pub(crate) const LAYOUT: Layout = Layout {
    format: Format::Q3_K,
    name: "Q3_K",
    ggml: 11,
    block_len: LEN,
    block_bytes: BYTES,
    decode,
    encode: Some(encode),
    best: Some(best),
};

fn decode(bytes: &[u8], out: &mut [f32]) {
    blocks::decode::<BYTES, LEN>(bytes, out, decode_block);
}

/// The 16 scales: low nibbles in bytes 0 to 7 (first eight in the low, the rest in the high nibble),
/// upper bit pairs in bytes 8 to 11 (scale `i` in byte `8 + i % 4`, bits from `2 (i / 4)`).
#[inline(always)]
fn unpack(packed: &[u8; 12]) -> [i8; 16] {
    std::array::from_fn(|i| {
        let low = packed[i % 8] >> (i / 8 * 4) & 15;
        let high = packed[8 + i % 4] >> (i / 4 * 2) & 3;
        (low | high << 4) as i8 - 32
    })
}

#[inline(always)]
fn decode_block(block: &[u8; BYTES], y: &mut [f32; LEN]) {
    let high: &[u8; 32] = blocks::field(block, 0);
    let codes: &[u8; 64] = blocks::field(block, 32);
    let scales = unpack(blocks::field(block, 96));
    let d = f16::scale(block, 108);
    let (high, _) = high.as_chunks::<16>();
    let (codes, _) = codes.as_chunks::<16>();
    let (groups, _) = y.as_chunks_mut::<16>();
    for (i, (y, scale)) in groups.iter_mut().zip(scales).enumerate() {
        let (low, shift) = (&codes[i / 8 * 2 + i % 2], i / 2 % 4 * 2);
        let d = d * f32::from(scale);
        for ((y, &low), &high) in y.iter_mut().zip(low).zip(&high[i % 2]) {
            let code = i32::from(low >> shift & 3) + i32::from(high >> (i / 2) & 1) * 4;
            *y = d * (code - 4) as f32;
        }
    }
}

/// Where the extreme weight is put in each start of the search.
const ENDS: [f32; 13] = [-4.0, -3.7, -3.4, -3.1, -2.8, -4.3, -4.6, -5.0, 3.0, 3.3, 3.6, 2.7, 4.0];
const KIND: SymmetricKind = SymmetricKind { half: 4.0, scale_half: 32.0, ends: &ENDS };

fn encode(values: &[f32], out: &mut [u8]) {
    blocks::encode::<BYTES, LEN>(values, out, |x, block| best_block(x, &[1.0; LEN], block));
}

fn best(values: &[f32], importance: &[f32], out: &mut [u8]) {
    blocks::encode_best::<BYTES, LEN>(values, importance, out, best_block);
}

#[inline(always)]
fn best_block(x: &[f32; LEN], w: &[f32; LEN], block: &mut [u8; BYTES]) {
    let found = super_block::symmetric(x, w, KIND);
    let (high, low) = block[..96].split_at_mut(32);
    for (l, byte) in high.iter_mut().enumerate() {
        *byte = (0..8).fold(0, |bits, b| bits | found.codes[32 * b + l] >> 2 << b);
    }
    q2_k::pack(&found.codes.map(|code| code & 3), low);
    block[96..108].copy_from_slice(&pack(&found.scales));
    block[108..].copy_from_slice(&found.d.to_le_bytes());
}

/// The inverse of `unpack`.
#[inline(always)]
fn pack(scales: &[i8; 16]) -> [u8; 12] {
    let stored = scales.map(|scale| (scale + 32) as u8);
    let mut packed = [0; 12];
    for (i, &scale) in stored.iter().enumerate() {
        packed[i % 8] |= (scale & 15) << (i / 8 * 4);
        packed[8 + i % 4] |= scale >> 4 << (i / 4 * 2);
    }
    packed
}
