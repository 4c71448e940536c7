//! Norms, with sums in f64.

use yardstick_api::Error;
use yardstick_model::arch::{Norm, NormKind};

use crate::memory::zeros;

/// Every row of `x` (rows, width) normalised; `weight` is (width) or (n, width), whose rows take turns.
pub(crate) fn normalise(
    norm: Norm,
    x: &[f32],
    width: usize,
    weight: &[f32],
    bias: Option<&[f32]>,
) -> Result<Vec<f32>, Error> {
    let mut out = zeros(x.len())?;
    let weights = weight.chunks_exact(width).cycle();
    for ((x, out), weight) in x.chunks_exact(width).zip(out.chunks_exact_mut(width)).zip(weights) {
        let (centre, scale) = centre_and_scale(norm, x);
        for ((out, &x), &w) in out.iter_mut().zip(x).zip(weight) {
            *out = (x - centre) * scale * w;
        }
        if let Some(bias) = bias {
            out.iter_mut().zip(bias).for_each(|(out, b)| *out += b);
        }
    }
    Ok(out)
}

/// What is taken off a row, and what the rest is multiplied by.
fn centre_and_scale(norm: Norm, x: &[f32]) -> (f32, f32) {
    let mean = |values: &dyn Fn(f64) -> f64| {
        x.iter().map(|&v| values(f64::from(v))).sum::<f64>() / x.len() as f64
    };
    let centre = match norm.kind {
        NormKind::Rms => 0.0,
        NormKind::Layer => mean(&|v| v),
    };
    let square = mean(&|v| (v - centre).powi(2));
    (centre as f32, (1.0 / (square + f64::from(norm.eps)).sqrt()) as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layer_norm_takes_off_the_mean_and_an_rms_norm_does_not() {
        let x = [1.0, 3.0, 10.0, 14.0];
        let run = |kind, bias| {
            let norm = Norm { kind, eps: 0.0, bias: false };
            normalise(norm, &x, 2, &[1.0, 2.0], bias).unwrap()
        };
        assert_eq!(run(NormKind::Layer, Some(&[0.5, 0.0])), [-0.5, 2.0, -0.5, 2.0]);
        let root = (5.0_f32).sqrt();
        assert!((run(NormKind::Rms, None)[0] - 1.0 / root).abs() < 1e-6);
    }
}
