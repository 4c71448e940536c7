//! Wide products in plain Rust: the definition the others are tested against.

use super::{BLOCK, Wide, check, summed};
use crate::kernels::integer::{PAIR, Product, ROWS, TILE, Unpacked};
use crate::kernels::packed::LINE;

/// Adds a pair of panels, in groups of `GROUP` with minima or not, times a tile.
pub(crate) fn product<const GROUP: usize, const MINS: bool>(
    pair: &mut [Unpacked; PAIR],
    deep: usize,
    x: &Wide<'_>,
    out: &mut [Product; PAIR],
) {
    check(pair, deep, GROUP, x);
    for (panel, out) in pair.iter_mut().zip(out) {
        for start in (0..deep).step_by(BLOCK) {
            let end = (start + BLOCK).min(deep);
            for (column, out) in out.iter_mut().enumerate() {
                let total = block::<GROUP, MINS>(panel, start, end, x, column);
                for r in 0..ROWS {
                    out[r] += total[r] * x.scale[start / BLOCK * TILE + column];
                }
            }
        }
    }
}

/// Values `start .. end` of a column, without its scale.
fn block<const GROUP: usize, const MINS: bool>(
    panel: &mut Unpacked,
    start: usize,
    end: usize,
    x: &Wide<'_>,
    column: usize,
) -> [f32; ROWS] {
    let lines = panel.q.all_mut().as_chunks::<LINE>().0;
    let scales = panel.scales.all_mut().as_chunks::<ROWS>().0;
    let mins = panel.mins.all_mut().as_chunks::<ROWS>().0;
    let excess = panel.excess.all_mut().as_chunks::<ROWS>().0;
    let mut total = [0.0; ROWS];
    for from in (start..end).step_by(GROUP) {
        let (group, to) = (from / GROUP, (from + GROUP).min(end));
        let mut sums = excess[group];
        for line in from / 4..to / 4 {
            let v = &x.q[(line * TILE + column) * 4..][..4];
            for r in 0..ROWS {
                for i in 0..4 {
                    let w = i16::from(lines[line][4 * r + i] as i8);
                    sums[r] += i32::from(w) * i32::from(i16::from(v[i]));
                }
            }
        }
        for r in 0..ROWS {
            total[r] += scales[group][r] * sums[r] as f32;
        }
        if MINS {
            let sum = x.sums[summed(from, GROUP) + column];
            for r in 0..ROWS {
                total[r] -= mins[group][r] * sum;
            }
        }
    }
    total
}
