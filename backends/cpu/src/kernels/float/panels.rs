//! Panels of float weights: rows turned into lines of 16, and a pair of panels times a tile.

use super::{Columns, Lines, accumulate};
use crate::kernels::integer::{PAIR, Product, ROWS, TILE, Unpacked};
use crate::kernels::isa::{Avx512Bf16, Isa};

/// Sixteen rows of `deep` values, one after the other, as lines of 16.
pub(crate) fn turn(isa: Isa, rows: &[f32], deep: usize, lines: &mut [f32]) {
    assert!(rows.len() >= deep * ROWS && lines.len() >= deep * ROWS);
    #[cfg(target_arch = "x86_64")]
    let done = match isa {
        Isa::Avx512Vnni(_) => {
            let whole = deep / 16 * 16;
            for k in (0..whole).step_by(16) {
                let (rows, lines) = (rows[k..].as_ptr(), lines[k * 16..].as_mut_ptr());
                // SAFETY: the value proves the features, and 16 values of each row and 16 lines from k are there (checked).
                unsafe { super::panels_x86::turn16(rows, deep, lines) };
            }
            whole
        }
        _ => 0,
    };
    #[cfg(not(target_arch = "x86_64"))]
    let done = {
        let _ = isa;
        0
    };
    for k in done..deep {
        for r in 0..ROWS {
            lines[k * ROWS + r] = rows[r * deep + k];
        }
    }
}

/// Adds a pair of panels of `deep` lines, rounded to bf16 here, times a tile of bf16, (deep / 2, 8 columns).
pub(crate) fn brain_product(
    _: Avx512Bf16,
    pair: &[Unpacked; PAIR],
    deep: usize,
    x: &[u32],
    out: &mut [Product; PAIR],
) {
    let words = deep.div_ceil(2);
    assert!(x.len() >= words * TILE && pair.iter().all(|panel| panel.float.len() >= words * ROWS));
    #[cfg(target_arch = "x86_64")]
    {
        let lines = [0, 1].map(|p: usize| pair[p].float.pointer().cast_const());
        // SAFETY: the value proves the features; panels and tile hold the words (checked).
        unsafe { super::panels_x86::brain_product(lines, words, x.as_ptr(), out) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = out;
}

/// Adds a pair of panels of `deep` lines times a tile, (deep, 8 columns).
pub(crate) fn product(
    isa: Isa,
    pair: &mut [Unpacked; PAIR],
    deep: usize,
    x: &[f32],
    out: &mut [Product; PAIR],
) {
    assert!(x.len() >= deep * TILE);
    #[cfg(target_arch = "x86_64")]
    if let Isa::Avx512Vnni(_) = isa {
        assert!(pair.iter().all(|panel| panel.float.len() >= deep * ROWS));
        let lines = [0, 1].map(|p: usize| pair[p].float.pointer().cast_const());
        // SAFETY: the value proves the features; panels and tile hold `deep` lines (checked).
        unsafe { super::panels_x86::product(lines, deep, x.as_ptr(), out) };
        return;
    }
    for (panel, out) in pair.iter_mut().zip(out) {
        let lines = Lines { data: &panel.float.all_mut()[..deep * ROWS], stride: ROWS };
        let columns = Columns { data: x, column: 1, step: TILE };
        accumulate(isa, deep, TILE, lines, columns, out.as_flattened_mut(), ROWS);
    }
}
