//! What is compared and how far it may be off.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Known, Logits, Token};

/// One way the prompt was run, compared with the reference.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Check {
    /// `prefill`, `step`, `batch`, `truncate`, `generate`.
    pub name: String,
    /// What was measured: NMSE of the logits, or for `generate` the largest shortfall of a chosen token's logit
    /// below the best, in standard deviations of its row. Missing where it is not finite, which never passes.
    pub value: Known<f64>,
    /// The most it may be.
    pub limit: f64,
    /// Rows or tokens compared.
    pub compared: usize,
}

impl Check {
    /// The value is within the limit.
    pub fn passed(&self) -> bool {
        self.value.value().is_some_and(|value| *value <= self.limit)
    }
}

impl std::fmt::Display for Check {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.value {
            Known::Value(value) => {
                write!(f, "{} {value:.2e} (limit {:.0e})", self.name, self.limit)
            }
            Known::Unavailable { unavailable } => write!(f, "{}: {unavailable}", self.name),
        }
    }
}

/// Normalised mean squared error: sum (a - e)^2 / sum (e - mean e)^2, over all rows; infinite when a value is not finite
/// or the shapes differ. The mean of each row is taken out of the denominator because softmax ignores it.
pub fn nmse(actual: &[f32], expected: &[f32], vocab: usize) -> f64 {
    if actual.len() != expected.len()
        || vocab == 0
        || !actual.len().is_multiple_of(vocab)
        || actual.is_empty()
    {
        return f64::INFINITY;
    }
    let (mut error, mut power) = (0.0, 0.0);
    for (a, e) in actual.chunks_exact(vocab).zip(expected.chunks_exact(vocab)) {
        let mean = e.iter().map(|&v| f64::from(v)).sum::<f64>() / vocab as f64;
        for (&a, &e) in a.iter().zip(e) {
            error += (f64::from(a) - f64::from(e)).powi(2);
            power += (f64::from(e) - mean).powi(2);
        }
    }
    let ratio = error / power;
    if ratio.is_finite() { ratio } else { f64::INFINITY }
}

/// How far the logit of each chosen token may lie below its row's best, in standard deviations of the row, given the NMSE limit:
/// both the best and the chosen may be wrong by several root-mean-square errors.
pub fn shortfall_limit(nmse_limit: f64) -> f64 {
    8.0 * nmse_limit.sqrt()
}

/// Largest shortfall of `chosen[i]` below the best of `reference.row(i)`, in standard deviations of the row.
pub fn shortfall(reference: Logits<'_>, chosen: &[Token]) -> f64 {
    if reference.rows() != chosen.len() {
        return f64::INFINITY;
    }
    (0..chosen.len()).map(|i| row_shortfall(reference.row(i), chosen[i])).fold(0.0, f64::max)
}

pub(super) fn row_shortfall(row: &[f32], chosen: Token) -> f64 {
    let Some(&value) = row.get(chosen as usize) else { return f64::INFINITY };
    let n = row.len() as f64;
    let mean = row.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
    let deviation = (row.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / n).sqrt();
    let best = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let short = f64::from(best - value) / deviation;
    if short.is_finite() { short } else { f64::INFINITY }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nmse_is_relative_and_rejects_what_cannot_be_compared() {
        let expected = [1.0, -1.0, 2.0, -2.0];
        assert_eq!(nmse(&expected, &expected, 2), 0.0);
        assert!((nmse(&[1.1, -1.1, 2.2, -2.2], &expected, 2) - 0.01).abs() < 1e-6);
        for bad in [&[1.0, f32::NAN, 2.0, -2.0][..], &[1.0, -1.0], &[]] {
            assert_eq!(nmse(bad, &expected, 2), f64::INFINITY);
        }
    }

    #[test]
    fn shortfall_is_zero_for_the_best_and_infinite_outside_the_vocabulary() {
        let logits = Logits { vocab: 4, values: &[0.0, 1.0, 2.0, 3.0] };
        assert_eq!(shortfall(logits, &[3]), 0.0);
        assert!((shortfall(logits, &[2]) - 1.0 / 1.25_f64.sqrt()).abs() < 1e-9);
        assert_eq!(shortfall(logits, &[4]), f64::INFINITY);
        assert_eq!(shortfall(logits, &[]), f64::INFINITY);
    }

    #[test]
    fn a_check_without_a_value_has_not_passed_and_survives_json() {
        let check = Check {
            name: "step".into(),
            value: Known::unavailable("row 3 is not finite"),
            limit: 1.0,
            compared: 8,
        };
        assert!(!check.passed());
        let text = serde_json::to_string(&check).unwrap();
        assert_eq!(serde_json::from_str::<Check>(&text).unwrap(), check);
    }
}
