//! What weights that were rounded anew cost: how far the device's distribution is from that of the file's own weights.

use super::expect::Expected;
use super::observe::{Observation, Path};
use crate::Known;

/// Mean Kullback-Leibler divergence over the rows of a prefill, in nats a token: of what the device predicts from what the
/// reference predicts with the file's own weights.
pub fn divergence(observed: &Observation, original: &Expected) -> Known<f64> {
    let group = |groups: &[super::Group]| {
        groups.iter().find(|group| group.path == Path::Prefill).map(|group| group.values.clone())
    };
    let (found, own) = (group(&observed.groups), group(&original.groups));
    match (found, own) {
        (Some(found), Some(own)) if observed.vocab == original.vocab => {
            match mean_divergence(&found, &own, original.vocab) {
                Some(nats) => nats.into(),
                None => Known::unavailable("logits that cannot be compared, or are not finite"),
            }
        }
        _ => Known::unavailable("the file's own weights were not run"),
    }
}

/// Mean over rows of `sum p ln(p / q)`, `p` the softmax of `expected`, `q` of `actual`; both (rows, vocab).
pub fn mean_divergence(actual: &[f32], expected: &[f32], vocab: usize) -> Option<f64> {
    if vocab == 0
        || actual.len() != expected.len()
        || actual.is_empty()
        || !actual.len().is_multiple_of(vocab)
    {
        return None;
    }
    let rows = actual.chunks_exact(vocab).zip(expected.chunks_exact(vocab));
    let sum: f64 = rows.map(|(actual, expected)| row_divergence(actual, expected)).sum();
    let mean = sum / (actual.len() / vocab) as f64;
    // Rounding may leave a hair below 0, which no divergence is.
    mean.is_finite().then_some(mean.max(0.0))
}

fn row_divergence(actual: &[f32], expected: &[f32]) -> f64 {
    let (a, e) = (log_sum(actual), log_sum(expected));
    let pairs = actual.iter().zip(expected).map(|(&q, &p)| (f64::from(q) - a, f64::from(p) - e));
    pairs.map(|(q, p)| p.exp() * (p - q)).sum()
}

/// ln sum exp
fn log_sum(row: &[f32]) -> f64 {
    let top = f64::from(row.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    top + row.iter().map(|&x| (f64::from(x) - top).exp()).sum::<f64>().ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_divergence_is_that_of_its_definition() {
        let p = [0.5_f64, 0.25, 0.25];
        let q = [0.25_f64, 0.5, 0.25];
        let logits = |p: &[f64; 3], shift: f64| p.map(|p| (p.ln() + shift) as f32);
        let by_hand: f64 = p.iter().zip(&q).map(|(p, q)| p * (p / q).ln()).sum();
        let found = mean_divergence(&logits(&q, 3.0), &logits(&p, -2.0), 3).unwrap();
        assert!((found - by_hand).abs() < 1e-6, "{found} {by_hand}");
        assert_eq!(mean_divergence(&logits(&p, 1.0), &logits(&p, 1.0), 3), Some(0.0));
        for (actual, vocab) in [(&[f32::NAN, 0.0, 0.0][..], 3), (&[0.0; 2], 3), (&[0.0; 3], 0)] {
            assert_eq!(mean_divergence(actual, &logits(&p, 0.0), vocab), None);
        }
    }
}
