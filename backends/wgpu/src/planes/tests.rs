//! Every format: what the planes hold, read the way the shaders read it, is what the format decodes to.

use super::*;

/// The weights of a row as shaders/formats/*.wgsl and shaders/dequantise.wgsl read them.
fn decode(format: Format, shape: Shape, planes: &Planes, units: usize, row: usize) -> Vec<f32> {
    let (panel, lane) = (row / PANEL, row % PANEL);
    let unit = |unit| of_unit(format, shape, planes, panel * units + unit, lane);
    (0..units).flat_map(unit).collect()
}

fn of_unit(format: Format, shape: Shape, planes: &Planes, slot: usize, lane: usize) -> Vec<f32> {
    let codes: Vec<u8> = (0..shape.codes / 16)
        .flat_map(|piece| {
            let at = ((slot * shape.codes / 16 + piece) * PANEL + lane) * 16;
            planes.codes[at..at + 16].to_vec()
        })
        .collect();
    let size = format.block_bytes();
    let mut out = vec![0.0; UNIT];
    if format.block_len() == 1 {
        format.decode(&codes[..UNIT * size], &mut out);
        return out;
    }
    let at = slot * PANEL + lane;
    let high = &planes.high[at * shape.high..][..shape.high];
    let scales = &planes.scales[at * shape.scales..][..shape.scales];
    for (w, out) in out.iter_mut().enumerate() {
        let (half, j) = (w / 32, w % 32);
        let upper = |word: usize, shift: usize, mask: u8| high[word * 4 + j % 4] >> shift & mask;
        let upper = match shape.high {
            8 => upper(half, j / 4, 1),
            16 => upper(half * 2 + j / 16, j / 4 % 4 * 2, 3),
            _ => 0,
        };
        let code = match format {
            Format::Q8_0 => f32::from(codes[w] as i8),
            _ => {
                let byte = codes[half * 16 + j / 8 * 4 + j % 4];
                f32::from(byte >> (j / 4 % 2 * 4) & 15 | upper << 4)
            }
        };
        let f16 = |bytes: &[u8], at: usize| {
            yardstick_model::format::f16::widen(u16::from_le_bytes([bytes[at], bytes[at + 1]]))
        };
        let supers = |at: usize| {
            let from = (slot / 4 * PANEL + lane) * shape.supers;
            f16(&planes.supers[from..], at)
        };
        *out = match format {
            Format::Q4_0 => f16(scales, half * 2) * (code - 8.0),
            Format::Q5_0 => f16(scales, half * 2) * (code - 16.0),
            Format::Q8_0 => f16(scales, half * 2) * code,
            Format::Q4_1 | Format::Q5_1 => f16(scales, half * 4) * code + f16(scales, half * 4 + 2),
            Format::Q6_K => supers(0) * f32::from(scales[half * 2 + j / 16] as i8) * (code - 32.0),
            _ => {
                let (scale, min) = (scales[half * 2], scales[half * 2 + 1]);
                supers(0) * f32::from(scale) * code - supers(2) * f32::from(min)
            }
        };
    }
    out
}

#[test]
fn planes_hold_what_the_format_decodes_to_and_zeros_beyond() {
    let mut state = 1_u32;
    let mut random = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    for format in Format::ALL {
        let Some(shape) = shape(format) else { continue };
        // Rows that end in the middle of a unit, where the format allows it.
        let cols = match format.block_len() {
            256 => 512,
            32 => 96,
            _ => 70,
        };
        let encode = format.layout().encode.expect("formats with shaders can be written");
        let rows: Vec<Vec<u8>> = (0..11)
            .map(|_| {
                let values: Vec<f32> = (0..cols).map(|_| random()).collect();
                let mut bytes = vec![0; format.row_bytes(cols)];
                encode(&values, &mut bytes);
                bytes
            })
            .collect();
        let listed: Vec<Option<&[u8]>> = (0..16).map(|i| rows.get(i).map(Vec::as_slice)).collect();
        let planes = relay(format, shape, cols, &listed);
        let held =
            planes.codes.len() + planes.high.len() + planes.scales.len() + planes.supers.len();
        assert_eq!(held as u64, shape.bytes(2, units(cols) as u64), "{format:?}");
        for (i, row) in rows.iter().enumerate() {
            let mut expected = vec![0.0; cols];
            format.decode(row, &mut expected);
            let found = decode(format, shape, &planes, units(cols), i);
            for (j, (found, expected)) in found.iter().zip(&expected).enumerate() {
                let near = (found - expected).abs() <= 1e-5 * expected.abs().max(1e-3);
                assert!(near, "{format:?} row {i} weight {j}: {found} for {expected}");
            }
            assert!(found[cols..].iter().all(|&weight| weight == 0.0), "{format:?} row {i}");
        }
    }
}
