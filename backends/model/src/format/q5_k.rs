//! Q5_K: 5 bits, 6-bit scale and minimum per 32, super-block of 256.
//!
//! Block of 256 weights, 176 bytes:
//! `0..2` f16 `d`, scale of the scales; `2..4` f16 `dmin`, scale of the minima;
//! `4..16` scales and minima of 8 sub-blocks (`k_scales`);
//! `16..48` fifth bits: bit `i` of byte `l` belongs to weight `32 i + l`;
//! `48..176` lower four bits, arranged as in Q4_K.
//! Weight: `(d * scale) * code - dmin * minimum`.

use super::{Format, Layout, blocks, f16, k_scales};

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
    encode: None,
};

fn decode(bytes: &[u8], out: &mut [f32]) {
    blocks::decode::<BYTES, LEN>(bytes, out, decode_block);
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
