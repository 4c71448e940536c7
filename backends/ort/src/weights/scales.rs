//! Scale and minimum of every sub-block of a format's blocks: a weight is `code * scale - minimum` for a whole code.

use yardstick_model::Format;
use yardstick_model::format::{f16, k_scales};

/// Weights that share a scale and a minimum.
pub(super) fn group_len(format: Format) -> usize {
    match format {
        Format::Q2_K | Format::Q3_K | Format::Q6_K => 16,
        _ => 32,
    }
}

/// Scale and minimum of each group of one block, in the arithmetic of the format's own decoder.
pub(super) fn of_block(format: Format, block: &[u8], out: &mut Vec<(f32, f32)>) {
    let half = |at: usize| {
        f16::widen(u16::from_le_bytes([
            block.get(at).copied().unwrap_or(0),
            block.get(at + 1).copied().unwrap_or(0),
        ]))
    };
    match format {
        Format::Q4_1 | Format::Q5_1 => out.push((half(0), -half(2))),
        Format::Q4_K | Format::Q5_K => {
            let (d, dmin) = (half(0), half(2));
            let packed: &[u8; 12] = block[4..16].try_into().expect("12 bytes are an array of 12");
            let (scales, mins) = k_scales::unpack(packed);
            let pair = |(&s, &m): (&u8, &u8)| (d * f32::from(s), dmin * f32::from(m));
            out.extend(scales.iter().zip(&mins).map(pair));
        }
        Format::Q2_K => {
            let (d, dmin) = (half(80), half(82));
            let pair = |&s: &u8| (d * f32::from(s & 15), dmin * f32::from(s >> 4));
            out.extend(block[..16].iter().map(pair));
        }
        Format::Q3_K => {
            let (d, packed) = (half(108), &block[96..108]);
            out.extend((0..16).map(|i| {
                let low = packed[i % 8] >> (i / 8 * 4) & 15;
                let high = packed[8 + i % 4] >> (2 * (i / 4)) & 3;
                (d * (i32::from(low | high << 4) - 32) as f32, 0.0)
            }));
        }
        Format::Q6_K => {
            let d = half(208);
            out.extend(block[192..208].iter().map(|&s| (d * f32::from(s as i8), 0.0)));
        }
        _ => out.push((half(0), 0.0)),
    }
}
