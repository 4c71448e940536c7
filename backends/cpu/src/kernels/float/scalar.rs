//! The line kernel in plain Rust.

use super::{Columns, LINE, Lines};

/// # Safety
/// None; the signature is that of the other instruction sets.
pub(crate) unsafe fn accumulate<const C: usize>(
    lines: usize,
    w: Lines<'_>,
    x: Columns<'_>,
    out: &mut [f32],
    out_column: usize,
) {
    for c in 0..C {
        let mut sum = [0.0_f32; LINE];
        for k in 0..lines {
            let (w, x) = (&w.data[k * w.stride..][..LINE], x.data[c * x.column + k * x.step]);
            for i in 0..LINE {
                sum[i] += w[i] * x;
            }
        }
        for (out, sum) in out[c * out_column..][..LINE].iter_mut().zip(sum) {
            *out += sum;
        }
    }
}
