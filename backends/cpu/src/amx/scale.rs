//! What becomes of sums of tiles: eight columns of them, scaled, are added to a product.

use super::planes::PLACES;
use super::unit::ROWS;
use crate::kernels::TILE;
use crate::kernels::integer::Product;

/// Sums of eight columns times sixteen rows, as a tile has them.
pub(super) type Eight = [[i32; ROWS]; TILE];

/// How they are added.
pub(super) trait Vectors: Copy {
    /// Adds `rows[r] * columns[c] * (64 * high[c][r] + low[c][r])`.
    fn add_folded(
        self,
        high: &Eight,
        low: &Eight,
        rows: &[f32; ROWS],
        columns: &[f32; TILE],
        to: &mut Product,
    );
    /// Adds `rows[r] * columns[c] * sums[c][r]`.
    fn add_scaled(self, sums: &Eight, rows: &[f32; ROWS], columns: &[f32; TILE], to: &mut Product);
    /// Adds sums that are bits of f32.
    fn add_floats(self, sums: &Eight, to: &mut Product);
}

/// Any processor.
#[derive(Clone, Copy)]
pub(super) struct Plain;

impl Vectors for Plain {
    fn add_folded(
        self,
        high: &Eight,
        low: &Eight,
        rows: &[f32; ROWS],
        columns: &[f32; TILE],
        to: &mut Product,
    ) {
        for c in 0..TILE {
            for r in 0..ROWS {
                // Of 512 products, at most 512 * 127 * 8127 and 512 * 2 * 127 * 32: it fits.
                let sum = high[c][r].wrapping_shl(PLACES).wrapping_add(low[c][r]);
                to[c][r] = (sum as f32).mul_add(rows[r] * columns[c], to[c][r]);
            }
        }
    }

    fn add_scaled(self, sums: &Eight, rows: &[f32; ROWS], columns: &[f32; TILE], to: &mut Product) {
        for c in 0..TILE {
            for r in 0..ROWS {
                to[c][r] = (sums[c][r] as f32).mul_add(rows[r] * columns[c], to[c][r]);
            }
        }
    }

    fn add_floats(self, sums: &Eight, to: &mut Product) {
        for c in 0..TILE {
            for r in 0..ROWS {
                to[c][r] += f32::from_bits(sums[c][r] as u32);
            }
        }
    }
}

/// AVX-512: inlined into what has its features too.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
pub(super) struct Avx512(());

#[cfg(target_arch = "x86_64")]
impl Avx512 {
    pub(super) fn new(_: crate::kernels::Avx512Vnni) -> Avx512 {
        Avx512(())
    }
}

#[cfg(target_arch = "x86_64")]
impl Vectors for Avx512 {
    #[inline(always)]
    fn add_folded(
        self,
        high: &Eight,
        low: &Eight,
        rows: &[f32; ROWS],
        columns: &[f32; TILE],
        to: &mut Product,
    ) {
        // SAFETY: it was made with the proof of the features.
        unsafe { avx512::add_folded(high, low, rows, columns, to) };
    }

    #[inline(always)]
    fn add_scaled(self, sums: &Eight, rows: &[f32; ROWS], columns: &[f32; TILE], to: &mut Product) {
        // SAFETY: it was made with the proof of the features.
        unsafe { avx512::add_scaled(sums, rows, columns, to) };
    }

    #[inline(always)]
    fn add_floats(self, sums: &Eight, to: &mut Product) {
        // SAFETY: it was made with the proof of the features.
        unsafe { avx512::add_floats(sums, to) };
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

    #[inline]
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

    #[inline]
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

    #[inline]
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
        fn vectors_add_what_plain_rust_does(
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
            let floats = before.map(|row| row.map(|x| x.to_bits() as i32));
            fn run<V: Vectors>(
                vectors: V,
                [high, low, floats]: [&Eight; 3],
                rows: &[f32; ROWS],
                columns: &[f32; TILE],
                before: Product,
            ) -> [Product; 3] {
                let mut to = [before; 3];
                vectors.add_folded(high, low, rows, columns, &mut to[0]);
                vectors.add_scaled(high, rows, columns, &mut to[1]);
                vectors.add_floats(floats, &mut to[2]);
                to
            }
            let sums = [&high, &low, &floats];
            let plain = run(Plain, sums, &rows, &columns, before);
            #[cfg(target_arch = "x86_64")]
            for isa in crate::kernels::Isa::usable() {
                if let crate::kernels::Isa::Avx512Vnni(proof) = isa {
                    prop_assert_eq!(run(Avx512::new(proof), sums, &rows, &columns, before), plain);
                }
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
