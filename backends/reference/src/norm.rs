//! RMS norm.

use yardstick_api::Error;

use crate::memory::zeros;

/// `x / sqrt(mean(x^2) + eps) * weight` for each row of `x` (tokens, width); `weight` is (width).
pub(crate) fn rms_norm(x: &[f32], weight: &[f32], eps: f32) -> Result<Vec<f32>, Error> {
    let mut out = zeros(x.len())?;
    for (x, out) in x.chunks_exact(weight.len()).zip(out.chunks_exact_mut(weight.len())) {
        let mean = x.iter().map(|&v| f64::from(v) * f64::from(v)).sum::<f64>() / x.len() as f64;
        let scale = (1.0 / (mean + f64::from(eps)).sqrt()) as f32;
        for ((out, &x), &w) in out.iter_mut().zip(x).zip(weight) {
            *out = x * scale * w;
        }
    }
    Ok(out)
}
