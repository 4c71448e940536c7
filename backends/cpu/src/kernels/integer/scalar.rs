//! The integer kernels in plain Rust: the definition the others are tested against.

use super::{Panel, Product, ROWS, TILE, unpack_panel};
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
            let mut sum = 0_i32;
            for (&w, &x) in q[g * F::GROUP..][..F::GROUP].iter().zip(&x.q[at..]) {
                sum += i32::from(w) * i32::from(x);
            }
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

/// Unpacks a panel.
pub(crate) fn unpack<F: Quant>(rows: &[u8], cols: usize, panel: &mut Panel) {
    unpack_panel::<F>(rows, cols, panel);
}

/// A panel times a tile.
pub(crate) fn product<F: Quant>(panel: &mut Panel, cols: usize, x: &Tile<'_>, out: &mut Product) {
    let (q, scales, mins) = (&*panel.q.all_mut(), &*panel.scales.all_mut(), &*panel.mins.all_mut());
    let groups = BLOCK / F::GROUP;
    let lines = F::GROUP / 4;
    *out = [[0.0; ROWS]; TILE];
    for b in 0..cols / BLOCK {
        for g in 0..groups {
            // Sums of 16 are stored first and second, those of 32 third.
            let which = b * 3 + if groups == 1 { 2 } else { g };
            let scale = &scales[(b * groups + g) * ROWS..][..ROWS];
            let min = &mins[(b * groups + g) * ROWS..][..ROWS];
            for (column, out) in out.iter_mut().enumerate() {
                let mut sums = [0_i32; ROWS];
                for line in g * lines..(g + 1) * lines {
                    let w = &q[(b * 8 + line) * 4 * ROWS..][..4 * ROWS];
                    let x = &x.q[(b * 8 + line) * 4 * TILE + 4 * column..][..4];
                    for (sum, w) in sums.iter_mut().zip(w.chunks_exact(4)) {
                        for i in 0..4 {
                            *sum += i32::from(w[i]) * i32::from(x[i]);
                        }
                    }
                }
                let less = if F::SHIFT > 0 { x.less[which * TILE + column] << F::SHIFT } else { 0 };
                for r in 0..ROWS {
                    out[r] += scale[r] * x.scale[b * TILE + column] * (sums[r] + less) as f32;
                    if F::MINS {
                        out[r] -= min[r] * x.sums[which * TILE + column];
                    }
                }
            }
        }
    }
}
