//! Rows of logits as distributions over the next token: likelihoods, divergences, the likeliest tokens.

use yardstick_api::Token;

/// ln of the sum of `e^(x / temperature)`; infinite or NaN where the row is not finite.
pub(crate) fn log_sum(row: &[f32], temperature: f64) -> f64 {
    let top = f64::from(row.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    let sum: f64 = row.iter().map(|&x| ((f64::from(x) - top) / temperature).exp()).sum();
    top / temperature + sum.ln()
}

/// ln of the probability of a token; `None` outside the vocabulary or where the row is not finite.
pub(crate) fn log_likelihood(row: &[f32], token: Token) -> Option<f64> {
    let logit = f64::from(*row.get(token as usize)?);
    let value = logit - log_sum(row, 1.0);
    value.is_finite().then_some(value)
}

/// `sum p ln(p / q)` in nats, `p` the softmax of `expected`, `q` of `found`, both at a temperature; `None` where it is not finite.
pub(crate) fn divergence(expected: &[f32], found: &[f32], temperature: f64) -> Option<f64> {
    let (e, f) = (log_sum(expected, temperature), log_sum(found, temperature));
    let terms = expected.iter().zip(found).map(|(&p, &q)| {
        let (p, q) = (f64::from(p) / temperature - e, f64::from(q) / temperature - f);
        p.exp() * (p - q)
    });
    let nats: f64 = terms.sum();
    // Rounding may leave a hair below 0, which no divergence is.
    (expected.len() == found.len() && nats.is_finite()).then_some(nats.max(0.0))
}

/// The `N` likeliest tokens, the likeliest first, the lowest id among equals.
pub(crate) fn likeliest<const N: usize>(row: &[f32]) -> [Token; N] {
    let mut best = [(f32::NEG_INFINITY, 0); N];
    for (id, &value) in row.iter().enumerate() {
        if value > best[N - 1].0 {
            let at = best.partition_point(|&(other, _)| other >= value);
            best[at..].rotate_right(1);
            best[at] = (value, id as Token);
        }
    }
    best.map(|(_, id)| id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logits(p: &[f64], shift: f64) -> Vec<f32> {
        p.iter().map(|p| (p.ln() + shift) as f32).collect()
    }

    #[test]
    fn a_likelihood_is_that_of_the_softmax() {
        let row = logits(&[0.5, 0.125, 0.375], 7.0);
        let found = log_likelihood(&row, 1).unwrap();
        assert!((found - 0.125_f64.ln()).abs() < 1e-6, "{found}");
        assert_eq!(log_likelihood(&row, 3), None);
        assert_eq!(log_likelihood(&[f32::NAN, 0.0], 1), None);
        assert_eq!(log_likelihood(&[0.0, f32::NEG_INFINITY], 1), None);
    }

    #[test]
    fn a_divergence_is_that_of_its_definition_at_each_temperature() {
        let (p, q) = ([0.5_f64, 0.25, 0.25], [0.25, 0.5, 0.25]);
        for temperature in [1.0, 3.0] {
            let cool = |p: &[f64; 3]| {
                let powers = p.map(|p| p.powf(1.0 / temperature));
                powers.map(|power| power / powers.iter().sum::<f64>())
            };
            let by_hand: f64 = cool(&p).iter().zip(&cool(&q)).map(|(p, q)| p * (p / q).ln()).sum();
            let found = divergence(&logits(&p, -2.0), &logits(&q, 3.0), temperature).unwrap();
            assert!((found - by_hand).abs() < 1e-6, "{temperature}: {found} {by_hand}");
        }
        assert_eq!(divergence(&logits(&p, 1.0), &logits(&p, 1.0), 1.0), Some(0.0));
        assert_eq!(divergence(&[0.0, 0.0], &[f32::NAN, 0.0], 1.0), None);
        assert_eq!(divergence(&[0.0, 0.0], &[0.0], 1.0), None);
    }

    #[test]
    fn the_likeliest_come_in_order_and_the_lowest_id_first_among_equals() {
        assert_eq!(likeliest::<3>(&[1.0, 5.0, 3.0, 5.0, 4.0]), [1, 3, 4]);
        assert_eq!(likeliest::<1>(&[f32::NAN, 2.0]), [1]);
    }
}
