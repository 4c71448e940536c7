//! Packed panels in plain Rust: the definition that the vector kernels are tested against, and the path of `cpu:scalar`.

use super::{
    COLUMNS, GROUPS, LINE, Packed, Run, STACK, Scales, Step, chunk_bytes, high_line, low_line,
};
use crate::kernels::activations::Row;
use crate::kernels::integer::{ROWS, Unpacked};
use crate::kernels::quant::half_at;

/// Values of 16 rows, one array a group.
pub(crate) type ByGroup = [[f32; ROWS]; GROUPS];

/// f32 of the 16 f16 at the start of `bytes`.
#[inline(always)]
fn halves(bytes: &[u8]) -> [f32; ROWS] {
    std::array::from_fn(|r| half_at(&bytes[2 * r..]))
}

/// Scales of a chunk, and its minima where the format has some.
#[inline(always)]
pub(crate) fn scales<F: Packed>(chunk: &[u8], to: &mut ByGroup, mins: &mut ByGroup) {
    scales_with::<F>(chunk, halves, to, mins);
}

/// As [`scales`], with another way to widen 16 f16.
#[inline(always)]
pub(crate) fn scales_with<F: Packed>(
    chunk: &[u8],
    halves: impl Fn(&[u8]) -> [f32; ROWS],
    scales: &mut ByGroup,
    mins: &mut ByGroup,
) {
    #[inline(always)]
    fn times(d: &[f32; ROWS], codes: &[u8], of: impl Fn(u8) -> f32) -> [f32; ROWS] {
        let codes = &codes[..ROWS];
        std::array::from_fn(|r| d[r] * of(codes[r]))
    }
    let d = halves(chunk);
    match F::SCALES {
        Scales::Half => scales[0] = d,
        Scales::HalfMin => {
            scales[0] = d;
            mins[0] = halves(&chunk[32..]).map(|m| -m);
        }
        Scales::SixBit => {
            let (m, codes) = (halves(&chunk[32..]), six_bits(&chunk[64..64 + 192]));
            for g in 0..8 {
                scales[g] = times(&d, &codes[g * ROWS..], f32::from);
                mins[g] = times(&m, &codes[(g + 8) * ROWS..], f32::from);
            }
        }
        Scales::SixBitSigned => {
            let codes = six_bits(&chunk[32..32 + 192]);
            for g in 0..GROUPS {
                scales[g] = times(&d, &codes[g * ROWS..], |code| f32::from(code) - 32.0);
            }
        }
        Scales::Byte => {
            for g in 0..GROUPS {
                scales[g] = times(&d, &chunk[32 + g * ROWS..], |code| f32::from(code as i8));
            }
        }
        Scales::Nibble => {
            let m = halves(&chunk[32..]);
            for g in 0..GROUPS {
                let codes = &chunk[64 + g * ROWS..];
                scales[g] = times(&d, codes, |code| f32::from(code & 15));
                mins[g] = times(&m, codes, |code| f32::from(code >> 4));
            }
        }
    }
}

/// Codes (16, 16 rows) of three lines.
#[inline(always)]
fn six_bits(lines: &[u8]) -> [u8; GROUPS * ROWS] {
    let mut codes = [0; GROUPS * ROWS];
    for i in 0..LINE {
        let (a, b, top) = (lines[i], lines[LINE + i], lines[2 * LINE + i]);
        codes[i] = (a & 15) | ((top & 3) << 4);
        codes[LINE + i] = (a >> 4) | (((top >> 2) & 3) << 4);
        codes[2 * LINE + i] = (b & 15) | (((top >> 4) & 3) << 4);
        codes[3 * LINE + i] = (b >> 4) | ((top >> 6) << 4);
    }
    codes
}

/// The weights of a chunk as bytes: (lines, 16 rows, 4).
#[inline(always)]
pub(crate) fn lines<F: Packed>(chunk: &[u8], out: &mut [[u8; LINE]]) {
    let out = &mut out[..F::BLOCK / 4];
    out.fill([0; LINE]);
    plane(chunk, low_line::<F>, F::LOW, 0, out);
    if F::HIGH > 0 {
        plane(chunk, high_line::<F>, F::HIGH, F::LOW, out);
    }
    if let Some(table) = F::TABLE {
        for line in out {
            *line = line.map(|code| table[usize::from(code & 15)]);
        }
    }
}

/// Adds `bits` bits at bit `to` of each weight.
#[inline(always)]
fn plane(chunk: &[u8], place: impl Fn(usize) -> usize, bits: u32, to: u32, out: &mut [[u8; LINE]]) {
    let (together, mask) = ((8 / bits) as usize, 0xFF_u8 >> (8 - bits));
    for (n, lines) in out.chunks_exact_mut(together).enumerate() {
        let packed = &chunk[place(n)..][..LINE];
        for (i, line) in lines.iter_mut().enumerate() {
            for k in 0..LINE {
                line[k] |= ((packed[k] >> (i as u32 * bits)) & mask) << to;
            }
        }
    }
}

/// A run times each of `x`, up to [`COLUMNS`] columns: `out[column][row]`.
pub(crate) fn rows<F: Packed>(run: &Run<'_>, x: &[Row<'_>], out: &mut [&mut [f32]]) {
    assert!(x.len() <= COLUMNS && x.len() <= out.len());
    let (mut weights, mut scale, mut min) =
        ([[0; LINE]; 64], [[0.0; ROWS]; GROUPS], [[0.0; ROWS]; GROUPS]);
    let mut totals = [[[0.0; ROWS]; COLUMNS]; STACK];
    let mut chunks = run.bytes.chunks_exact(chunk_bytes::<F>());
    for Step { panel, place, columns } in run.steps() {
        let totals = &mut totals[place];
        if columns.start == 0 {
            totals.fill([0.0; ROWS]);
        }
        let blocks = columns.start / F::BLOCK..columns.end / F::BLOCK;
        for (b, chunk) in blocks.zip(&mut chunks) {
            lines::<F>(chunk, &mut weights);
            scales::<F>(chunk, &mut scale, &mut min);
            for g in 0..F::BLOCK / F::GROUP {
                let at = b * F::BLOCK + g * F::GROUP;
                let weights = &weights[g * F::GROUP / 4..][..F::GROUP / 4];
                for (x, total) in x.iter().zip(&mut *totals) {
                    group::<F>(weights, (&scale[g], &min[g]), x, at, total);
                }
            }
        }
        if columns.end == run.cols {
            for (to, total) in out.iter_mut().zip(&*totals).take(x.len()) {
                Run::put(to, panel, total);
            }
        }
    }
}

/// Adds the products of a group of 16 rows, from value `at` of a column on.
fn group<F: Packed>(
    weights: &[[u8; LINE]],
    (scale, min): (&[f32; ROWS], &[f32; ROWS]),
    x: &Row<'_>,
    at: usize,
    total: &mut [f32; ROWS],
) {
    let which = at / 32 * 3 + if F::GROUP == 32 { 2 } else { at / F::GROUP % 2 };
    let mut sums = [0_i32; ROWS];
    for (line, v) in weights.iter().zip(x.q[at..].as_chunks::<4>().0) {
        for r in 0..ROWS {
            for i in 0..4 {
                sums[r] += i32::from(i16::from(line[4 * r + i])) * i32::from(i16::from(v[i]));
            }
        }
    }
    let less = if F::SHIFT > 0 { x.less[which] << F::SHIFT } else { 0 };
    for r in 0..ROWS {
        total[r] += scale[r] * x.scale[at / 32] * (sums[r] + less) as f32;
        if F::MINS {
            total[r] -= min[r] * x.more[which];
        }
    }
}

/// Chunks of a panel into an unpacked one, as bytes.
#[inline(always)]
pub(crate) fn unpack_bytes<F: Packed>(chunks: &[u8], panel: &mut Unpacked) {
    let groups = F::BLOCK / F::GROUP;
    let (q, _) = panel.q.all_mut().as_chunks_mut::<LINE>();
    let (scales_of, _) = panel.scales.all_mut().as_chunks_mut::<ROWS>();
    let (mins_of, _) = panel.mins.all_mut().as_chunks_mut::<ROWS>();
    let (mut scale, mut min) = ([[0.0; ROWS]; GROUPS], [[0.0; ROWS]; GROUPS]);
    for (b, chunk) in chunks.chunks_exact(chunk_bytes::<F>()).enumerate() {
        lines::<F>(chunk, &mut q[b * F::BLOCK / 4..]);
        scales::<F>(chunk, &mut scale, &mut min);
        scales_of[b * groups..][..groups].copy_from_slice(&scale[..groups]);
        if F::MINS {
            mins_of[b * groups..][..groups].copy_from_slice(&min[..groups]);
        }
    }
}

/// Chunks of a panel into an unpacked one, as f32 lines of 16 rows.
pub(crate) fn unpack<F: Packed>(chunks: &[u8], panel: &mut Unpacked) {
    let groups = F::BLOCK / F::GROUP;
    let (mut weights, mut scale, mut min) =
        ([[0; LINE]; 64], [[0.0; ROWS]; GROUPS], [[0.0; ROWS]; GROUPS]);
    let (float, _) = panel.float.all_mut().as_chunks_mut::<ROWS>();
    let (scales_of, _) = panel.scales.all_mut().as_chunks_mut::<ROWS>();
    let (mins_of, _) = panel.mins.all_mut().as_chunks_mut::<ROWS>();
    for (b, chunk) in chunks.chunks_exact(chunk_bytes::<F>()).enumerate() {
        lines::<F>(chunk, &mut weights);
        scales::<F>(chunk, &mut scale, &mut min);
        for (k, line) in float[b * F::BLOCK..][..F::BLOCK].iter_mut().enumerate() {
            for r in 0..ROWS {
                line[r] = f32::from(weights[k / 4][4 * r + k % 4]);
            }
        }
        scales_of[b * groups..][..groups].copy_from_slice(&scale[..groups]);
        mins_of[b * groups..][..groups].copy_from_slice(&min[..groups]);
    }
}
