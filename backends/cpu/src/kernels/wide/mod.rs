//! Products of panels requantised to 8 bits, under one scale per row and 256, with columns that have one scale per 256 values.
//!
//! Here weights are signed and columns unsigned, 128 too large. What that adds to a block's sum is the panel's own, 128 times
//! the sum of the block's weights, so one load per panel corrects the sums of all columns.

#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx512_vnni;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx_vnni;
mod columns;
mod prepare;
#[cfg(target_arch = "x86_64")]
pub(crate) mod prepare_x86;
pub(crate) mod scalar;
#[cfg(test)]
mod tests;

pub(crate) use columns::{Wide, WideMut, quantise_column};
pub(crate) use prepare::{inverse, largest, requantise, step, words};

use super::integer::{ROWS, TILE, Unpacked};

/// Values under one scale.
pub(crate) const BLOCK: usize = 256;

/// Sums of products under one scale need no more than 32 bits: 256 * 255 * 128 < 2^23.
const _: () = assert!(BLOCK * 255 * 128 < 1 << 31);

/// Checks that panels and columns hold `deep` values.
fn check(panels: &[Unpacked], deep: usize, x: &Wide<'_>) {
    let blocks = deep.div_ceil(BLOCK);
    for panel in panels {
        assert!(panel.q.len() >= deep * ROWS);
        assert!(panel.scales.len() >= blocks * ROWS && panel.excess.len() >= blocks * ROWS);
    }
    assert!(deep.is_multiple_of(32) && x.q.len() >= deep * TILE);
    assert!(x.scale.len() >= blocks * TILE);
}
