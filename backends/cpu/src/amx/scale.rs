//! What becomes of sums of tiles: eight columns of them, scaled, are added to a product.

use super::planes::PLACES;
use super::unit::ROWS;
use crate::kernels::integer::Product;
use crate::kernels::{Isa, TILE};

/// Sums of eight columns times sixteen rows, as a tile has them.
pub(super) type Eight = [[i32; ROWS]; TILE];

/// Adds `rows[r] * columns[c] * (64 * high[c][r] + low[c][r])`.
pub(super) fn add_folded(
    isa: Isa,
    high: &Eight,
    low: &Eight,
    rows: &[f32; ROWS],
    columns: &[f32; TILE],
    to: &mut Product,
) {
    #[cfg(target_arch = "x86_64")]
    if let Isa::Avx512Vnni(_) = isa {
        // SAFETY: the value proves the features.
        return unsafe { avx512::add_folded(high, low, rows, columns, to) };
    }
    let _ = isa;
    for c in 0..TILE {
        for r in 0..ROWS {
            // At most 256 * 127 * 8127: it fits.
            let sum = high[c][r].wrapping_shl(PLACES).wrapping_add(low[c][r]);
            to[c][r] = (sum as f32).mul_add(rows[r] * columns[c], to[c][r]);
        }
    }
}

/// Adds `rows[r] * columns[c] * sums[c][r]`.
pub(super) fn add_scaled(
    isa: Isa,
    sums: &Eight,
    rows: &[f32; ROWS],
    columns: &[f32; TILE],
    to: &mut Product,
) {
    #[cfg(target_arch = "x86_64")]
    if let Isa::Avx512Vnni(_) = isa {
        // SAFETY: the value proves the features.
        return unsafe { avx512::add_scaled(sums, rows, columns, to) };
    }
    let _ = isa;
    for c in 0..TILE {
        for r in 0..ROWS {
            to[c][r] = (sums[c][r] as f32).mul_add(rows[r] * columns[c], to[c][r]);
        }
    }
}

/// Adds sums that are bits of f32.
pub(super) fn add_floats(isa: Isa, sums: &Eight, to: &mut Product) {
    #[cfg(target_arch = "x86_64")]
    if let Isa::Avx512Vnni(_) = isa {
        // SAFETY: the value proves the features.
        return unsafe { avx512::add_floats(sums, to) };
    }
    let _ = isa;
    for c in 0..TILE {
        for r in 0..ROWS {
            to[c][r] += f32::from_bits(sums[c][r] as u32);
        }
    }
}

/// A vector a column. Compilers take one a row of these loops, and gather it.
#[cfg(target_arch = "x86_64")]
mod avx512 {
    use std::arch::x86_64::*;

    use super::{Eight, PLACES, Product, ROWS, TILE};

    /// Sixteen words.
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn words(row: &[i32; ROWS]) -> __m512i {
        // SAFETY: sixteen words are 64 bytes.
        unsafe { _mm512_loadu_si512(row.as_ptr().cast()) }
    }

    /// Sixteen floats.
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn floats(row: &[f32; ROWS]) -> __m512 {
        // SAFETY: sixteen floats are 64 bytes.
        unsafe { _mm512_loadu_ps(row.as_ptr()) }
    }

    /// To a row.
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn store(row: &mut [f32; ROWS], values: __m512) {
        // SAFETY: sixteen floats are 64 bytes.
        unsafe { _mm512_storeu_ps(row.as_mut_ptr(), values) };
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
    pub(super) fn add_folded(
        high: &Eight,
        low: &Eight,
        rows: &[f32; ROWS],
        columns: &[f32; TILE],
        to: &mut Product,
    ) {
        let rows = floats(rows);
        for c in 0..TILE {
            let upper = _mm512_slli_epi32::<PLACES>(words(&high[c]));
            let sum = _mm512_cvtepi32_ps(_mm512_add_epi32(upper, words(&low[c])));
            let scale = _mm512_mul_ps(rows, _mm512_set1_ps(columns[c]));
            let total = _mm512_fmadd_ps(sum, scale, floats(&to[c]));
            store(&mut to[c], total);
        }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
    pub(super) fn add_scaled(
        sums: &Eight,
        rows: &[f32; ROWS],
        columns: &[f32; TILE],
        to: &mut Product,
    ) {
        let rows = floats(rows);
        for c in 0..TILE {
            let sum = _mm512_cvtepi32_ps(words(&sums[c]));
            let scale = _mm512_mul_ps(rows, _mm512_set1_ps(columns[c]));
            let total = _mm512_fmadd_ps(sum, scale, floats(&to[c]));
            store(&mut to[c], total);
        }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
    pub(super) fn add_floats(sums: &Eight, to: &mut Product) {
        for c in 0..TILE {
            let sum = _mm512_castsi512_ps(words(&sums[c]));
            let total = _mm512_add_ps(sum, floats(&to[c]));
            store(&mut to[c], total);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_isa_adds_the_same(
            high in prop::collection::vec(-4_129_024..4_129_024_i32, 128),
            low in prop::collection::vec(-1_040_384..1_040_384_i32, 128),
            rows in prop::array::uniform16(-1e3_f32..1e3),
            columns in prop::array::uniform8(0.0_f32..1e3),
            before in prop::collection::vec(-1e3_f32..1e3, 128),
        ) {
            let eight = |sums: &[i32]| -> Eight {
                std::array::from_fn(|c| std::array::from_fn(|r| sums[c * ROWS + r]))
            };
            let (high, low) = (eight(&high), eight(&low));
            let before: Product =
                std::array::from_fn(|c| std::array::from_fn(|r| before[c * ROWS + r]));
            let run = |isa: Isa| {
                let mut to = [before; 3];
                add_folded(isa, &high, &low, &rows, &columns, &mut to[0]);
                add_scaled(isa, &high, &rows, &columns, &mut to[1]);
                add_floats(isa, &before.map(|row| row.map(|x| x.to_bits() as i32)), &mut to[2]);
                to
            };
            let plain = run(Isa::Scalar);
            for isa in Isa::usable() {
                prop_assert_eq!(run(isa), plain);
            }
            for (c, r) in (0..TILE).flat_map(|c| (0..ROWS).map(move |r| (c, r))) {
                let scale = f64::from(rows[r]) * f64::from(columns[c]);
                let sum = f64::from(high[c][r]) * 64.0 + f64::from(low[c][r]);
                let exact = f64::from(before[c][r]) + scale * sum;
                let error = (f64::from(plain[0][c][r]) - exact).abs();
                prop_assert!(error <= 4e-7 * (scale * sum).abs() + 1e-3, "{} of {}", error, exact);
                prop_assert_eq!(plain[2][c][r], 2.0 * before[c][r]);
            }
        }
    }
}
