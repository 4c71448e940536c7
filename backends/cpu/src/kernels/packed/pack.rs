//! Rows of blocks into panels.

use yardstick_model::Format;

use super::{GROUPS, LINE, Order, Packed, Scales, chunk_bytes, high_line, low_line};
use crate::kernels::integer::ROWS;
use crate::kernels::q3_k::six_bit_signed;
use crate::kernels::quant::six_bit_scales;
use crate::kernels::table::PackFn;

/// Lines of the largest chunk.
const LINES: usize = 64;

/// Packs up to 16 consecutive rows of `cols` weights into a panel, which is zero before.
pub(crate) fn pack_rows<F: Packed>(rows: &[u8], cols: usize, panel: &mut [u8]) {
    let blocks = cols / F::BLOCK;
    let per_row = blocks * F::BYTES;
    let mut lines = [[0_u8; LINE]; LINES];
    let mut codes = [0_u8; 256];
    for (b, chunk) in panel.chunks_exact_mut(chunk_bytes::<F>()).take(blocks).enumerate() {
        for (r, row) in rows.chunks_exact(per_row.max(1)).take(ROWS).enumerate() {
            let block = &row[b * F::BYTES..(b + 1) * F::BYTES];
            F::codes(block, &mut codes);
            for (line, four) in lines.iter_mut().zip(codes[..F::BLOCK].as_chunks::<4>().0) {
                line[4 * r..4 * r + 4].copy_from_slice(four);
            }
            scales::<F>(block, r, &mut chunk[..F::SCALES.bytes()]);
        }
        let lines = &lines[..F::BLOCK / 4];
        plane(lines, 0, F::LOW, low_line::<F>, chunk);
        if F::HIGH > 0 {
            plane(lines, F::LOW, F::HIGH, high_line::<F>, chunk);
        }
    }
}

/// `bits` bits of each weight, from bit `from` on, of as many lines as share a byte.
#[inline(always)]
fn plane(
    lines: &[[u8; LINE]],
    from: u32,
    bits: u32,
    place: impl Fn(usize) -> usize,
    chunk: &mut [u8],
) {
    let (together, mask) = ((8 / bits) as usize, (0xFF_u8) >> (8 - bits));
    for (n, lines) in lines.chunks_exact(together).enumerate() {
        let out = &mut chunk[place(n)..][..LINE];
        out.fill(0);
        for (i, line) in lines.iter().enumerate() {
            for k in 0..LINE {
                out[k] |= ((line[k] >> from) & mask) << (i as u32 * bits);
            }
        }
    }
}

/// Packs rows of `cols` weights into whole panels, which are zero, and whole stacks unless they are the matrix's last.
pub(crate) fn pack_panels(
    pack: PackFn,
    rows: &[u8],
    (format, cols): (Format, usize),
    order: Order,
    panels: &mut [u8],
) {
    let bytes = |columns: usize| format.row_bytes(columns) * ROWS;
    let rows = rows.chunks(bytes(cols).max(1));
    if order == Order::plain(cols) {
        for (rows, panel) in rows.zip(panels.chunks_exact_mut(bytes(cols).max(1))) {
            pack(rows, cols, panel);
        }
        return;
    }
    let mut whole = vec![0; bytes(cols)];
    let count = panels.len() / bytes(cols).max(1);
    for (panel, rows) in rows.enumerate() {
        whole.fill(0);
        pack(rows, cols, &mut whole);
        for band in order.bands(cols) {
            let from = bytes(band.start)..bytes(band.end);
            panels[order.place(format, cols, count, panel, band)].copy_from_slice(&whole[from]);
        }
    }
}

/// The scales of row `r`'s block.
fn scales<F: Packed>(block: &[u8], r: usize, out: &mut [u8]) {
    let half = |out: &mut [u8], at: usize, from: usize| {
        out[at + 2 * r..at + 2 * r + 2].copy_from_slice(&block[from..from + 2]);
    };
    half(out, 0, F::D);
    if matches!(F::SCALES, Scales::HalfMin | Scales::SixBit | Scales::Nibble) {
        half(out, 32, F::D + 2);
    }
    let bytes = |out: &mut [u8]| {
        for g in 0..GROUPS {
            out[g * ROWS + r] = block[F::SMALL + g];
        }
    };
    match F::SCALES {
        Scales::Half | Scales::HalfMin => {}
        Scales::SixBit => {
            let (scales, mins) = six_bit_scales(&block[F::SMALL..F::SMALL + 12]);
            let mut codes = [0; GROUPS];
            codes[..8].copy_from_slice(&scales);
            codes[8..].copy_from_slice(&mins);
            six_bits(codes, r, &mut out[64..]);
        }
        Scales::SixBitSigned => {
            six_bits(six_bit_signed(&block[F::SMALL..F::SMALL + 12]), r, &mut out[32..]);
        }
        Scales::Byte => bytes(&mut out[32..]),
        Scales::Nibble => bytes(&mut out[64..]),
    }
}

/// Sixteen 6-bit codes of row `r` among three lines of (4, 16 rows): the first holds the low nibbles of codes 0 to 3 (low) and 4
/// to 7 (high), the second those of 8 to 11 and 12 to 15, the third the top bits of codes j, j + 4, j + 8 and j + 12.
fn six_bits(codes: [u8; GROUPS], r: usize, out: &mut [u8]) {
    for j in 0..4 {
        let at = j * ROWS + r;
        out[at] = (codes[j] & 15) | ((codes[j + 4] & 15) << 4);
        out[LINE + at] = (codes[j + 8] & 15) | ((codes[j + 12] & 15) << 4);
        out[2 * LINE + at] = (codes[j] >> 4)
            | ((codes[j + 4] >> 4) << 2)
            | ((codes[j + 8] >> 4) << 4)
            | ((codes[j + 12] >> 4) << 6);
    }
}
