//! F16: half precision weights times f32 activations.

#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx512_vnni;

use super::activations::Row;
use super::quant::half_at;

/// Four rows times one column, in plain Rust.
pub(crate) fn dot(rows: [&[u8]; 4], cols: usize, x: &Row<'_>) -> [f32; 4] {
    rows.map(|row| {
        let mut sums = [0.0_f32; 16];
        for (i, (w, x)) in row.chunks_exact(2).zip(x.float).take(cols).enumerate() {
            sums[i % 16] += half_at(w) * x;
        }
        sums.iter().sum()
    })
}
