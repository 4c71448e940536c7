//! Wide products in plain Rust: the definition the others are tested against.

use super::{BLOCK, Wide, check};
use crate::kernels::integer::{PAIR, Product, ROWS, TILE, Unpacked};
use crate::kernels::packed::LINE;

/// Adds a pair of panels times a tile.
pub(crate) fn product(
    pair: &mut [Unpacked; PAIR],
    deep: usize,
    x: &Wide<'_>,
    out: &mut [Product; PAIR],
) {
    check(pair, deep, x);
    for (panel, out) in pair.iter_mut().zip(out) {
        let scales = panel.scales.all_mut().as_chunks::<ROWS>().0;
        for start in (0..deep).step_by(BLOCK) {
            let block = start / BLOCK;
            for (column, out) in out.iter_mut().enumerate() {
                let excess = panel.excess.all_mut().as_chunks::<ROWS>().0[block];
                let lines = start / 4..(start + BLOCK).min(deep) / 4;
                let sums = sums(panel.q.all_mut(), lines, x, column, excess);
                for r in 0..ROWS {
                    out[r] += scales[block][r] * sums[r] as f32 * x.scale[block * TILE + column];
                }
            }
        }
    }
}

/// The products of some lines and a column, added to `sums`.
fn sums(
    q: &[u8],
    lines: std::ops::Range<usize>,
    x: &Wide<'_>,
    column: usize,
    mut sums: [i32; ROWS],
) -> [i32; ROWS] {
    for line in lines {
        let w = &q[line * LINE..][..LINE];
        let v = &x.q[(line * TILE + column) * 4..][..4];
        for r in 0..ROWS {
            for i in 0..4 {
                sums[r] += i32::from(w[4 * r + i] as i8) * i32::from(v[i]);
            }
        }
    }
    sums
}
