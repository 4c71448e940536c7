//! F16: half precision weights times f32 activations, in plain Rust.

use super::activations::Row;
use super::quant::{f16_to_f32, half_at};

/// Four rows times one column, in plain Rust.
pub(crate) fn dot(rows: [&[u8]; 4], cols: usize, x: &Row<'_>) -> [f32; 4] {
    rows.map(|row| {
        let (lines, _) = row[..cols * 2].as_chunks::<32>();
        let (xs, rest) = x.float[..cols].as_chunks::<16>();
        let mut sums = [0.0_f32; 16];
        for (line, x) in lines.iter().zip(xs) {
            for i in 0..16 {
                sums[i] += f16_to_f32(u16::from_le_bytes([line[2 * i], line[2 * i + 1]])) * x[i];
            }
        }
        for (sum, (w, x)) in sums.iter_mut().zip(row[xs.len() * 32..].chunks_exact(2).zip(rest)) {
            *sum += half_at(w) * x;
        }
        sums.iter().sum()
    })
}
