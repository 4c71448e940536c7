//! Products of panels requantised to 8 bits, under one scale per row and 256, with columns that have one scale per 256 values.
//! The kernels take smaller groups and minima too, as K-quants have: tested, 14 % faster on Q4_K_M than a scale per 32, and
//! not used, since single rows of golden models then stray up to 4e-3 where `a8` allows 3e-3.
//!
//! Here weights are signed and columns unsigned, 128 too large. What that adds to a group's sum is the panel's own, 128 times
//! the sum of the group's weights, so one load per panel corrects the sums of all columns.

#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx512_vnni;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx_vnni;
mod columns;
mod prepare;
pub(crate) mod scalar;
#[cfg(test)]
mod tests;

pub(crate) use columns::{Wide, WideMut, quantise_column};
pub(crate) use prepare::requantise;

use super::integer::{ROWS, TILE, Unpacked};

/// Values under one scale.
pub(crate) const BLOCK: usize = 256;

/// Sums of products under one scale need no more than 32 bits: 256 * 255 * 128 < 2^23.
const _: () = assert!(BLOCK * 255 * 128 < 1 << 31);

/// Where the sums of a group of 16 or 32 columns begin that starts at `from`.
fn summed(from: usize, group: usize) -> usize {
    let which = if group == 32 { 2 } else { from / 16 % 2 };
    (from / 32 * 3 + which) * TILE
}

/// Checks that panels and columns hold `deep` values in groups of `group`.
fn check(panels: &[Unpacked], deep: usize, group: usize, x: &Wide<'_>) {
    let groups = deep.div_ceil(group);
    for panel in panels {
        assert!(panel.q.len() >= deep * ROWS && panel.scales.len() >= groups * ROWS);
        assert!(panel.mins.len() >= groups * ROWS && panel.excess.len() >= groups * ROWS);
    }
    assert!(deep.is_multiple_of(32) && x.q.len() >= deep * TILE);
    assert!(x.scale.len() >= deep.div_ceil(BLOCK) * TILE && x.sums.len() >= deep / 32 * 3 * TILE);
}
