//! One unit of a row, 64 weights, from GGUF's blocks into the words of a plane.

use yardstick_model::Format;
use yardstick_model::format::k_scales;

/// What the planes hold of 64 weights; how much of each array counts depends on the format.
pub(crate) struct Unit {
    pub(crate) codes: [u8; 256],
    pub(crate) high: [u8; 16],
    pub(crate) scales: [u8; 8],
    pub(crate) supers: [u8; 4],
}

/// Reads unit `unit` of a row; what lies beyond the row is zero.
pub(crate) fn read(format: Format, row: &[u8], unit: usize) -> Unit {
    let mut out = Unit { codes: [0; 256], high: [0; 16], scales: [0; 8], supers: [0; 4] };
    match format {
        Format::F32 | Format::F16 | Format::BF16 => plain(format, row, unit, &mut out),
        Format::Q4_K | Format::Q5_K => affine_super(format, row, unit, &mut out),
        Format::Q6_K => symmetric_super(row, unit, &mut out),
        _ => halves(format, row, unit, &mut out),
    }
    out
}

/// Weights as they are.
fn plain(format: Format, row: &[u8], unit: usize, out: &mut Unit) {
    let bytes = 64 * format.block_bytes();
    let from = (unit * bytes).min(row.len());
    let part = &row[from..(from + bytes).min(row.len())];
    out.codes[..part.len()].copy_from_slice(part);
}

/// Two blocks of 32 weights.
fn halves(format: Format, row: &[u8], unit: usize, out: &mut Unit) {
    let bytes = format.block_bytes();
    for half in 0..2 {
        let from = (unit * 2 + half) * bytes;
        let Some(block) = row.get(from..from + bytes) else { continue };
        let (scale, fifth, codes) = match format {
            Format::Q4_0 | Format::Q8_0 => (2, 0, &block[2..]),
            Format::Q4_1 => (4, 0, &block[4..]),
            Format::Q5_0 => (2, 4, &block[6..]),
            _ => (4, 4, &block[8..]),
        };
        out.scales[half * scale..][..scale].copy_from_slice(&block[..scale]);
        if format == Format::Q8_0 {
            out.codes[half * 32..][..32].copy_from_slice(codes);
            continue;
        }
        // Byte j holds the lower bits of weights j and j + 16, bit j of the word the fifth of weight j.
        let bits = if fifth == 4 {
            u32::from_le_bytes([block[scale], block[scale + 1], block[scale + 2], block[scale + 3]])
        } else {
            0
        };
        let mut all = [0; 32];
        for (j, code) in all.iter_mut().enumerate() {
            let low = codes[j % 16] >> (j / 16 * 4) & 15;
            *code = low | ((bits >> j & 1) as u8) << 4;
        }
        pack(&all, half, usize::from(fifth == 4), out);
    }
}

/// A quarter of a Q4_K or Q5_K super-block: two groups with a scale and a minimum each.
fn affine_super(format: Format, row: &[u8], unit: usize, out: &mut Unit) {
    let bytes = format.block_bytes();
    let Some(block) = row.get(unit / 4 * bytes..(unit / 4 + 1) * bytes) else { return };
    let mut packed = [0; 12];
    packed.copy_from_slice(&block[4..16]);
    let (scales, mins) = k_scales::unpack(&packed);
    let (high, codes) = match format {
        Format::Q5_K => (Some(&block[16..48]), &block[48..]),
        _ => (None, &block[16..]),
    };
    out.supers.copy_from_slice(&block[..4]);
    for half in 0..2 {
        let group = unit % 4 * 2 + half;
        out.scales[half * 2..][..2].copy_from_slice(&[scales[group], mins[group]]);
        let mut all = [0; 32];
        for (j, code) in all.iter_mut().enumerate() {
            let fifth = high.map_or(0, |high| high[j] >> group & 1);
            *code = codes[group / 2 * 32 + j] >> (group % 2 * 4) & 15 | fifth << 4;
        }
        pack(&all, half, usize::from(high.is_some()), out);
    }
}

/// A quarter of a Q6_K super-block: four groups of 16 with a signed scale each.
fn symmetric_super(row: &[u8], unit: usize, out: &mut Unit) {
    let bytes = Format::Q6_K.block_bytes();
    let Some(block) = row.get(unit / 4 * bytes..(unit / 4 + 1) * bytes) else { return };
    let (low, high) = (&block[..128], &block[128..192]);
    out.supers[..2].copy_from_slice(&block[208..210]);
    for half in 0..2 {
        let mut all = [0; 32];
        for (j, code) in all.iter_mut().enumerate() {
            // Weight l of the 128 of its half of the super-block.
            let weight = unit % 4 * 64 + half * 32 + j;
            let (part, l) = (weight / 128, weight % 128);
            let lower = low[part * 64 + l % 64] >> (l / 64 * 4) & 15;
            let upper = high[part * 32 + l % 32] >> (l / 32 * 2) & 3;
            *code = lower | upper << 4;
        }
        pack(&all, half, 2, out);
        let group = unit % 4 * 4 + half * 2;
        out.scales[half * 2..][..2].copy_from_slice(&block[192 + group..194 + group]);
    }
}

/// 32 codes of four bits and `upper` more: the lower four two a byte, the others beside them.
fn pack(codes: &[u8; 32], half: usize, upper: usize, out: &mut Unit) {
    for (word, eight) in codes.chunks_exact(8).enumerate() {
        for b in 0..4 {
            out.codes[half * 16 + word * 4 + b] = eight[b] & 15 | eight[4 + b] << 4;
        }
    }
    for (i, four) in codes.chunks_exact(4).enumerate() {
        // One bit each: word `half`, bit i of each byte. Two each: two words a half, bits 2i and 2i + 1.
        let (word, shift) = match upper {
            1 => (half, i),
            2 => (half * 2 + i / 4, i % 4 * 2),
            _ => return,
        };
        for (b, code) in four.iter().enumerate() {
            out.high[word * 4 + b] |= (code >> 4) << shift;
        }
    }
}
