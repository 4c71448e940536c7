//! f32 kernels: lines of 16 values times columns of scalars (prefill of float formats, attention), dot products, f16.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512_vnni;
mod brain;
pub(crate) mod packed;
#[cfg(target_arch = "x86_64")]
mod packed_x86;
mod panels;
#[cfg(target_arch = "x86_64")]
mod panels_x86;
#[cfg(target_arch = "x86_64")]
pub(crate) mod rows_x86;
mod scalar;

pub(crate) use brain::{brain_column, brain_lines, word};
pub(crate) use panels::{brain_product, product, turn};

use super::Isa;
use super::isa::per_isa;
use super::quant::f16_to_f32;

/// Values of a line.
pub(crate) const LINE: usize = 16;

/// Positions whose lines of a cache's values lie behind each other.
pub(crate) const POSITIONS: usize = 64;

/// Lines of 16 values, line k at `k * stride`.
#[derive(Clone, Copy)]
pub(crate) struct Lines<'a> {
    /// The values.
    pub(crate) data: &'a [f32],
    /// Values from one line to the next.
    pub(crate) stride: usize,
}

/// Scalars; that of column c and line k is at `c * column + k * step`.
#[derive(Clone, Copy)]
pub(crate) struct Columns<'a> {
    /// The values.
    pub(crate) data: &'a [f32],
    /// Values from one column to the next.
    pub(crate) column: usize,
    /// Values from one line to the next.
    pub(crate) step: usize,
}

/// `out[c][..16] += sum over k < lines of w[k][..16] * x[c][k]` for `columns` (1 to 8) columns `out_column` apart.
pub(crate) fn accumulate(
    isa: Isa,
    lines: usize,
    columns: usize,
    w: Lines<'_>,
    x: Columns<'_>,
    out: &mut [f32],
    out_column: usize,
) {
    if lines == 0 || columns == 0 {
        return;
    }
    assert!(columns <= 8 && w.data.len() >= (lines - 1) * w.stride + LINE);
    assert!(x.data.len() > (columns - 1) * x.column + (lines - 1) * x.step);
    assert!(out.len() >= (columns - 1) * out_column + LINE);
    macro_rules! by_columns {
        ($module:ident) => {
            // SAFETY: the lengths are checked above, and `isa` proves the features.
            unsafe {
                match columns {
                    1 => $module::accumulate::<1>(lines, w, x, out, out_column),
                    2 => $module::accumulate::<2>(lines, w, x, out, out_column),
                    3 => $module::accumulate::<3>(lines, w, x, out, out_column),
                    4 => $module::accumulate::<4>(lines, w, x, out, out_column),
                    5 => $module::accumulate::<5>(lines, w, x, out, out_column),
                    6 => $module::accumulate::<6>(lines, w, x, out, out_column),
                    7 => $module::accumulate::<7>(lines, w, x, out, out_column),
                    _ => $module::accumulate::<8>(lines, w, x, out, out_column),
                }
            }
        };
    }
    match isa {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512Vnni(_) => by_columns!(avx512_vnni),
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2(_) => by_columns!(avx2),
        _ => by_columns!(scalar),
    }
}

/// f32 of f16 bits; the slices are equally long.
pub(crate) fn widen(isa: Isa, half: &[u16], out: &mut [f32]) {
    assert_eq!(half.len(), out.len());
    match isa {
        // SAFETY: the value proves the features.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512Vnni(_) => unsafe { avx512_vnni::widen(half, out) },
        // SAFETY: the value proves the features.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2(_) => unsafe { avx2::widen(half, out) },
        _ => half.iter().zip(out).for_each(|(&half, out)| *out = f16_to_f32(half)),
    }
}

per_isa! {
    /// f32 of 8-bit columns: blocks of (32, 16) values, and for each block the scales of its 16 columns (f16 bits).
    fn widen_columns(values: &[i8], scales: &[u16], out: &mut [f32]) = widen_columns_body;
}

#[inline(always)]
fn widen_columns_body(values: &[i8], scales: &[u16], out: &mut [f32]) {
    let blocks = values.as_chunks::<{ 32 * LINE }>().0.iter().zip(scales.as_chunks::<LINE>().0);
    for ((values, scales), out) in blocks.zip(out.as_chunks_mut::<{ 32 * LINE }>().0) {
        let scales = scales.map(f16_to_f32);
        for (q, out) in values.as_chunks::<LINE>().0.iter().zip(out.as_chunks_mut::<LINE>().0) {
            for i in 0..LINE {
                out[i] = f32::from(q[i]) * scales[i];
            }
        }
    }
}

per_isa! {
    /// f32 of 8-bit lines: blocks of (2, 64, 16) values, and for each block the scales of its 64 positions (f16 bits).
    fn widen_lines(values: &[i8], scales: &[u16], out: &mut [f32]) = widen_lines_body;
}

#[inline(always)]
fn widen_lines_body(values: &[i8], scales: &[u16], out: &mut [f32]) {
    const BLOCK: usize = 2 * POSITIONS * LINE;
    let blocks = values.as_chunks::<BLOCK>().0.iter().zip(scales.as_chunks::<POSITIONS>().0);
    for ((values, scales), out) in blocks.zip(out.as_chunks_mut::<BLOCK>().0) {
        let scales = scales.map(f16_to_f32);
        let lines = values.as_chunks::<LINE>().0.iter().zip(out.as_chunks_mut::<LINE>().0);
        for (i, (line, out)) in lines.enumerate() {
            let scale = scales[i % POSITIONS];
            for i in 0..LINE {
                out[i] = f32::from(line[i]) * scale;
            }
        }
    }
}

per_isa! {
    /// Dot product in 64 partial sums.
    fn dot(a: &[f32], b: &[f32]) -> f32 = dot_body;
}

#[inline(always)]
fn dot_body(a: &[f32], b: &[f32]) -> f32 {
    let n = a.len().min(b.len());
    let (a, b) = (&a[..n], &b[..n]);
    let mut sums = [0.0_f32; 64];
    let whole = n / 64 * 64;
    for (a, b) in a[..whole].chunks_exact(64).zip(b[..whole].chunks_exact(64)) {
        for i in 0..64 {
            sums[i] += a[i] * b[i];
        }
    }
    for i in whole..n {
        sums[i - whole] += a[i] * b[i];
    }
    let mut half = 32;
    while half > 0 {
        for i in 0..half {
            sums[i] += sums[i + half];
        }
        half /= 2;
    }
    sums[0]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn accumulate_matches_the_definition_on_every_isa(
            lines in 1..40_usize,
            columns in 1..9_usize,
            values in prop::collection::vec(-2_f32..2.0, 40 * 20 + 16 + 8 * 64 + 40 * 2),
        ) {
            let (w, x) = values.split_at(40 * 20);
            let (lines_of, x) = (Lines { data: w, stride: 20 }, Columns { data: x, column: 64, step: 1 });
            for isa in Isa::usable() {
                let mut out = vec![1.0_f32; 8 * 24];
                accumulate(isa, lines, columns, lines_of, x, &mut out, 24);
                for c in 0..8 {
                    for i in 0..24 {
                        let sum: f64 = (0..lines)
                            .map(|k| f64::from(w[(k * 20 + i).min(799)]) * f64::from(x.data[c * 64 + k]))
                            .sum();
                        let inside = i < LINE && c < columns;
                        let expected = if inside { 1.0 + sum } else { 1.0 };
                        prop_assert!((f64::from(out[c * 24 + i]) - expected).abs() < 1e-4);
                    }
                }
            }
        }

        #[test]
        fn dot_is_the_sum_of_products(v in prop::collection::vec(-2_f32..2.0, 2..400)) {
            let (a, b) = v.split_at(v.len() / 2);
            let exact: f64 = a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum();
            for isa in Isa::usable() {
                prop_assert!((f64::from(dot(isa, a, b)) - exact).abs() < 1e-4);
            }
        }
    }

    #[test]
    fn widen_is_exact_for_every_f16() {
        let half: Vec<u16> = (0..=u16::MAX).collect();
        for isa in Isa::usable() {
            let mut out = vec![0.0; half.len()];
            widen(isa, &half, &mut out);
            for (&half, out) in half.iter().zip(out) {
                let expected = f16_to_f32(half);
                assert!(out.to_bits() == expected.to_bits() || out.is_nan() && expected.is_nan());
            }
        }
    }
}
