//! The integer kernels in plain Rust: the definition the others are tested against.

use super::{Blocks, PAIR, Product, ROWS, TILE, Unpacked, unpack_panel};
use crate::kernels::activations::{Row, Tile};
use crate::kernels::quant::Quant;
use crate::kernels::quantise::BLOCK;

/// Four rows times one column.
pub(crate) fn dot<F: Quant>(rows: [&[u8]; 4], cols: usize, x: &Row<'_>) -> [f32; 4] {
    rows.map(|row| dot_one::<F>(row, cols, x))
}

fn dot_one<F: Quant>(row: &[u8], cols: usize, x: &Row<'_>) -> f32 {
    let (mut q, mut scales, mut mins) = ([0_u8; 256], [0.0_f32; 16], [0.0_f32; 16]);
    let mut total = 0.0;
    for (b, block) in row.chunks_exact(F::BYTES).take(cols / F::BLOCK).enumerate() {
        F::unpack(block, &mut q, &mut scales, &mut mins);
        for g in 0..F::BLOCK / F::GROUP {
            let at = b * F::BLOCK + g * F::GROUP;
            let mut sums = [0_i32; 8];
            let (w, _) = q[g * F::GROUP..][..F::GROUP].as_chunks::<8>();
            let (v, _) = x.q[at..at + F::GROUP].as_chunks::<8>();
            for (w, v) in w.iter().zip(v) {
                for i in 0..8 {
                    // Widened to 16 bits first: there is an instruction for that product everywhere.
                    sums[i] += i32::from(i16::from(w[i])) * i32::from(i16::from(v[i]));
                }
            }
            let mut sum = sums.iter().sum::<i32>();
            if F::SHIFT > 0 {
                sum += x.fours[at / 4..][..F::GROUP / 4].iter().sum::<i32>() << F::SHIFT;
            }
            total += scales[g] * x.lanes[at / 4] * sum as f32;
            if F::MINS {
                total -= mins[g] * x.sums[at / 16..][..F::GROUP / 16].iter().sum::<f32>();
            }
        }
    }
    total
}

/// Unpacks rows as f32 lines, (cols, 16): sums of 32 products of bytes are exact in f32, and any compiler vectorises them.
pub(crate) fn unpack<F: Quant>(blocks: Blocks<'_>, to: &mut Unpacked) {
    let groups = F::BLOCK / F::GROUP;
    let (lines, scales_all) = (to.float.all_mut(), to.scales.all_mut());
    let mins_all = to.mins.all_mut();
    let (mut q, mut scales, mut mins) = ([0_u8; 256], [0.0_f32; 16], [0.0_f32; 16]);
    for b in 0..blocks.count {
        for r in 0..ROWS {
            match blocks.get(r, b, F::BYTES) {
                Some(block) => F::unpack(block, &mut q, &mut scales, &mut mins),
                None => (q, scales, mins) = ([0; 256], [0.0; 16], [0.0; 16]),
            }
            let lines = lines[b * F::BLOCK * ROWS..].chunks_exact_mut(ROWS);
            for (line, &q) in lines.zip(&q[..F::BLOCK]) {
                line[r] = f32::from(q);
            }
            for g in 0..groups {
                scales_all[(b * groups + g) * ROWS + r] = scales[g];
                mins_all[(b * groups + g) * ROWS + r] = if F::MINS { mins[g] } else { 0.0 };
            }
        }
    }
}

/// Unpacks rows as bytes.
pub(crate) fn unpack_bytes<F: Quant>(blocks: Blocks<'_>, to: &mut Unpacked) {
    unpack_panel::<F>(blocks, to);
}

/// Adds a pair of panels times a tile.
pub(crate) fn product<F: Quant>(
    pair: &mut [Unpacked; PAIR],
    cols: usize,
    x: &Tile<'_>,
    out: &mut [Product; PAIR],
) {
    pair.iter_mut().zip(out).for_each(|(panel, out)| one::<F>(panel, cols, x, out));
}

fn one<F: Quant>(panel: &mut Unpacked, cols: usize, x: &Tile<'_>, out: &mut Product) {
    let (scales, mins) = (&*panel.scales.all_mut(), &*panel.mins.all_mut());
    let lines = &*panel.float.all_mut();
    let groups = BLOCK / F::GROUP;
    for b in 0..cols / BLOCK {
        for g in 0..groups {
            // Sums of 16 are stored first and second, those of 32 third.
            let which = b * 3 + if groups == 1 { 2 } else { g };
            let scale = &scales[(b * groups + g) * ROWS..][..ROWS];
            let min = &mins[(b * groups + g) * ROWS..][..ROWS];
            let first = b * BLOCK + g * F::GROUP;
            let lines = lines[first * ROWS..][..F::GROUP * ROWS].as_chunks::<ROWS>().0;
            for (column, out) in out.iter_mut().enumerate() {
                let mut sums = [0.0_f32; ROWS];
                for (i, line) in lines.iter().enumerate() {
                    let k = first + i;
                    let x = f32::from(x.q[k / 4 * 4 * TILE + 4 * column + k % 4]);
                    for r in 0..ROWS {
                        sums[r] += line[r] * x;
                    }
                }
                let less = if F::SHIFT > 0 { x.less[which * TILE + column] << F::SHIFT } else { 0 };
                for r in 0..ROWS {
                    out[r] += scale[r] * x.scale[b * TILE + column] * (sums[r] + less as f32);
                    if F::MINS {
                        out[r] -= min[r] * x.sums[which * TILE + column];
                    }
                }
            }
        }
    }
}
