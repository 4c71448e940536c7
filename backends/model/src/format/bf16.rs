//! BF16: the upper half of an f32.
//!
//! Block: 1 weight, 2 bytes, little-endian. Rounds to nearest even. NaN and infinities are kept;
//! finite values that would round to infinity become the largest finite value.

use super::{Format, Layout, blocks};

pub(crate) const LAYOUT: Layout = Layout {
    format: Format::BF16,
    name: "BF16",
    ggml: 30,
    block_len: 1,
    block_bytes: 2,
    decode,
    encode: Some(encode),
    best: None,
};

/// bf16 bits to f32, exactly.
#[inline(always)]
pub fn widen(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

/// f32 to bf16 bits, to nearest even.
#[inline(always)]
pub fn narrow(value: f32) -> u16 {
    let bits = value.to_bits();
    let sign = bits & 0x8000_0000;
    let magnitude = bits & 0x7fff_ffff;
    let rounded = ((magnitude + 0x7fff + ((magnitude >> 16) & 1)) >> 16).min(0x7f7f);
    let quiet = if magnitude > 0x7f80_0000 { 0x40 } else { 0 };
    let rest = (magnitude >> 16) | quiet;
    ((sign >> 16) | if magnitude >= 0x7f80_0000 { rest } else { rounded }) as u16
}

fn decode(bytes: &[u8], out: &mut [f32]) {
    blocks::decode::<2, 1>(bytes, out, |b, y| y[0] = widen(u16::from_le_bytes(*b)));
}

fn encode(values: &[f32], out: &mut [u8]) {
    blocks::encode::<2, 1>(values, out, |x, b| *b = narrow(x[0]).to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn narrows_around_every_bf16_as_the_half_crate_does() {
        for high in 0..0x7f7fu32 {
            for low in [0, 1, 0x7fff, 0x8000, 0x8001, 0xffff] {
                let value = f32::from_bits(high << 16 | low);
                for value in [value, -value] {
                    assert_eq!(narrow(value), half::bf16::from_f32(value).to_bits(), "{value:e}");
                }
            }
        }
    }

    #[test]
    fn the_largest_f32_stays_finite_and_the_rest_is_kept() {
        assert_eq!(widen(narrow(f32::MAX)), f32::from_bits(0x7f7f_0000));
        assert_eq!(widen(narrow(f32::NEG_INFINITY)), f32::NEG_INFINITY);
        assert!(widen(narrow(f32::NAN)).is_nan());
        assert!(widen(narrow(f32::from_bits(0x7f80_0001))).is_nan());
    }
}
