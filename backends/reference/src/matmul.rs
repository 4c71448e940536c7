//! Matrix product with weights in any format: a row is decoded once and used for every token.

use yardstick_api::{Error, WeightScheme};
use yardstick_model::Tensor;

use crate::memory::zeros;
use crate::threads::share;

/// Multiplications below which a second thread costs more than it brings (starting one takes tens of microseconds).
const WORTH_A_THREAD: usize = 1 << 18;

/// Independent partial sums per dot product: enough for the compiler to use vectors, and a smaller rounding error.
const LANES: usize = 8;

/// `x` (tokens, cols) times the transpose of `weight` (rows, cols): (tokens, rows).
/// `anew`: how the weights are rounded before.
pub(crate) fn matmul(
    threads: usize,
    weight: Tensor<'_>,
    anew: Option<WeightScheme>,
    x: &[f32],
) -> Result<Vec<f32>, Error> {
    let (rows, cols) = (weight.rows, weight.cols);
    let tokens = x.len() / cols;
    let useful = rows.saturating_mul(cols).saturating_mul(tokens) / WORTH_A_THREAD;
    let mut transposed = zeros(rows * tokens)?; // (rows, tokens): each thread owns whole rows
    share(threads.min(useful.max(1)), &mut transposed, tokens, |first, part| {
        let mut row = vec![0.0; cols];
        let (mut codes, mut scales) = (Vec::new(), Vec::new());
        for (i, out) in part.chunks_exact_mut(tokens).enumerate() {
            weight.format.decode(weight.row(first + i), &mut row);
            if let Some(scheme) = anew {
                scheme.round(&mut row, &mut codes, &mut scales);
            }
            dots(&row, x, out);
        }
    })?;
    if tokens == 1 { Ok(transposed) } else { transpose(&transposed, rows, tokens) }
}

/// (rows, cols) to (cols, rows).
fn transpose(from: &[f32], rows: usize, cols: usize) -> Result<Vec<f32>, Error> {
    let mut to = zeros(from.len())?;
    for (r, row) in from.chunks_exact(cols).enumerate() {
        for (c, &value) in row.iter().enumerate() {
            to[c * rows + r] = value;
        }
    }
    Ok(to)
}

/// One weight row against every token, four tokens per pass over the row.
fn dots(row: &[f32], x: &[f32], out: &mut [f32]) {
    let cols = row.len();
    let token = |t: usize| &x[t * cols..(t + 1) * cols];
    let (fours, rest) = out.as_chunks_mut::<4>();
    let done = fours.len() * 4;
    for (i, four) in fours.iter_mut().enumerate() {
        let t = i * 4;
        *four = dot(row, [token(t), token(t + 1), token(t + 2), token(t + 3)]);
    }
    for (i, one) in rest.iter_mut().enumerate() {
        [*one] = dot(row, [token(done + i)]);
    }
}

/// Dot products of `a` with N vectors as long. The order of additions is the same for every N,
/// so that a token's result does not depend on its neighbours.
pub(crate) fn dot<const N: usize>(a: &[f32], b: [&[f32]; N]) -> [f32; N] {
    let (a_blocks, a_tail) = a.as_chunks::<LANES>();
    let b_blocks = b.map(|b| &b.as_chunks::<LANES>().0[..a_blocks.len()]);
    let mut sums = [[0.0_f32; LANES]; N];
    for (i, a) in a_blocks.iter().enumerate() {
        for (sums, b) in sums.iter_mut().zip(&b_blocks) {
            for lane in 0..LANES {
                sums[lane] += a[lane] * b[i][lane];
            }
        }
    }
    let tail = a.len() - a_tail.len();
    std::array::from_fn(|n| {
        let rest: f32 = a_tail.iter().zip(&b[n][tail..]).map(|(a, b)| a * b).sum();
        sums[n].iter().sum::<f32>() + rest
    })
}

#[cfg(test)]
mod tests {
    use yardstick_model::Format;

    use super::*;

    #[test]
    fn products_match_a_plain_loop_and_do_not_depend_on_the_batch() {
        for (rows, cols, tokens) in [(3, 5, 1), (2, 16, 4), (7, 35, 6), (300, 1000, 9)] {
            let value = |i: usize| ((i * 37 + 11) % 101) as f32 / 50.0 - 1.0;
            let w: Vec<f32> = (0..rows * cols).map(value).collect();
            let x: Vec<f32> = (0..tokens * cols).map(|i| value(i + 5)).collect();
            let bytes: Vec<u8> = w.iter().flat_map(|v| v.to_le_bytes()).collect();
            let weight = Tensor { name: "w", format: Format::F32, cols, rows, bytes: &bytes };
            let out = matmul(2, weight, None, &x).unwrap();
            for t in 0..tokens {
                let alone = matmul(1, weight, None, &x[t * cols..(t + 1) * cols]).unwrap();
                assert_eq!(alone, out[t * rows..(t + 1) * rows], "token {t} of {tokens}");
                for r in 0..rows {
                    let plain: f64 = (0..cols)
                        .map(|c| f64::from(w[r * cols + c]) * f64::from(x[t * cols + c]))
                        .sum();
                    assert!((f64::from(out[t * rows + r]) - plain).abs() < 1e-3);
                }
            }
        }
    }
}
