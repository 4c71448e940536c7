//! What becomes of sums of tiles: eight columns of them, scaled, are added to a product.

use super::unit::ROWS;
use crate::kernels::TILE;
use crate::kernels::integer::Product;
use crate::kernels::isa::per_isa;

/// Sums of eight columns times sixteen rows, as a tile has them.
pub(super) type Eight = [[i32; ROWS]; TILE];

per_isa! {
    /// Adds `rows[r] * columns[c] * (64 * high[c][r] + low[c][r])`.
    fn add_folded(
        high: &Eight,
        low: &Eight,
        rows: &[f32; ROWS],
        columns: &[f32; TILE],
        to: &mut Product,
    ) = add_folded_body;
}

#[inline(always)]
fn add_folded_body(
    high: &Eight,
    low: &Eight,
    rows: &[f32; ROWS],
    columns: &[f32; TILE],
    to: &mut Product,
) {
    for c in 0..TILE {
        for r in 0..ROWS {
            // At most 256 * 127 * 8127: it fits.
            let sum = high[c][r].wrapping_shl(6).wrapping_add(low[c][r]);
            to[c][r] += sum as f32 * (rows[r] * columns[c]);
        }
    }
}

per_isa! {
    /// Adds `rows[r] * columns[c] * sums[c][r]`.
    fn add_scaled(
        sums: &Eight,
        rows: &[f32; ROWS],
        columns: &[f32; TILE],
        to: &mut Product,
    ) = add_scaled_body;
}

#[inline(always)]
fn add_scaled_body(sums: &Eight, rows: &[f32; ROWS], columns: &[f32; TILE], to: &mut Product) {
    for c in 0..TILE {
        for r in 0..ROWS {
            to[c][r] += sums[c][r] as f32 * (rows[r] * columns[c]);
        }
    }
}

per_isa! {
    /// Adds sums that are bits of f32.
    fn add_floats(sums: &Eight, to: &mut Product) = add_floats_body;
}

#[inline(always)]
fn add_floats_body(sums: &Eight, to: &mut Product) {
    for c in 0..TILE {
        for r in 0..ROWS {
            to[c][r] += f32::from_bits(sums[c][r] as u32);
        }
    }
}
