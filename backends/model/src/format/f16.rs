//! F16: IEEE 754 half precision, and the conversions every block scale needs.
//!
//! Block: 1 weight, 2 bytes, little-endian. NaN and infinities are kept; finite values too large for
//! the format become its largest finite value, since one infinite weight ruins a whole model.

use super::{Format, Layout, blocks};

pub(crate) const LAYOUT: Layout = Layout {
    format: Format::F16,
    name: "F16",
    ggml: 1,
    block_len: 1,
    block_bytes: 2,
    decode,
    encode: Some(encode),
    best: None,
};

/// The largest finite half.
pub const MAX: f32 = 65504.0;

/// f16 bits to f32, exactly; a signalling NaN becomes quiet, as hardware does it.
///
/// No branch and no subnormal f32 arithmetic: scales of small weights often are subnormal halves.
#[inline(always)]
pub fn widen(bits: u16) -> f32 {
    let sign = u32::from(bits & 0x8000) << 16;
    let magnitude = u32::from(bits & 0x7fff);
    // Exponent bias 15 becomes 127; the all-ones exponent needs the same step again.
    let bias = if magnitude >= 0x7c00 { 224 << 23 } else { 112 << 23 };
    let quiet = if magnitude > 0x7c00 { 0x0040_0000 } else { 0 };
    let normal = ((magnitude << 13) + bias) | quiet;
    // The unit in the last place of 0.5 is 2^-24, the value of a subnormal half's lowest bit.
    let subnormal = (f32::from_bits(0x3f00_0000 + (magnitude & 0x3ff)) - 0.5).to_bits();
    f32::from_bits(sign | if magnitude < 0x400 { subnormal } else { normal })
}

/// f32 to f16 bits, to nearest even; finite values beyond [`MAX`] saturate, infinities and NaN stay.
#[inline(always)]
pub fn narrow(value: f32) -> u16 {
    let bits = value.to_bits();
    let sign = (bits >> 16) as u16 & 0x8000;
    let magnitude = bits & 0x7fff_ffff;
    // The addition rounds to nearest even at 2^-24: see `widen`.
    let subnormal = (f32::from_bits(magnitude) + 0.5).to_bits().wrapping_sub(0x3f00_0000);
    let odd = (magnitude >> 13) & 1;
    let normal = magnitude.wrapping_add(0xfff + odd).wrapping_sub(112 << 23) >> 13;
    let finite = if magnitude < 0x3880_0000 { subnormal } else { normal.min(0x7bff) };
    let rest = if magnitude > 0x7f80_0000 { 0x7e00 } else { 0x7c00 };
    sign | (if magnitude >= 0x7f80_0000 { rest } else { finite }) as u16
}

/// The scale stored little-endian at byte `at` of a block.
#[inline(always)]
pub(super) fn scale(block: &[u8], at: usize) -> f32 {
    widen(u16::from_le_bytes(*blocks::field(block, at)))
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
    fn widens_all_65536_halves_as_the_half_crate_does() {
        for bits in 0..=u16::MAX {
            let expected = half::f16::from_bits(bits).to_f32();
            assert_eq!(widen(bits).is_nan(), expected.is_nan(), "{bits:#06x}");
            if !expected.is_nan() {
                assert_eq!(widen(bits).to_bits(), expected.to_bits(), "{bits:#06x}");
            }
        }
    }

    #[test]
    fn narrows_around_every_half_and_every_midpoint_to_nearest_even() {
        for bits in 0..0x7bffu16 {
            let (low, high) = (widen(bits), widen(bits + 1));
            let middle = (low + high) / 2.0;
            let beside =
                [low, middle, f32::from_bits(middle.to_bits() - 1), middle.next_up(), high];
            for value in beside.into_iter().flat_map(|v| [v, -v]) {
                let expected = half::f16::from_f32(value).to_bits();
                assert_eq!(narrow(value), expected, "{value:e}");
            }
        }
    }

    #[test]
    fn finite_values_saturate_and_the_rest_is_kept() {
        for (value, expected) in [
            (65519.9, 0x7bff),
            (65520.0, 0x7bff),
            (f32::MAX, 0x7bff),
            (-1e30, 0xfbff),
            (f32::INFINITY, 0x7c00),
            (f32::NEG_INFINITY, 0xfc00),
            (f32::MIN_POSITIVE, 0),
            (-0.0, 0x8000),
        ] {
            assert_eq!(narrow(value), expected, "{value:e}");
        }
        assert!(widen(narrow(f32::NAN)).is_nan());
    }
}
