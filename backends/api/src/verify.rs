//! Proof that a device computed the right thing: a fixed prompt, the ways it is run, and the comparison with the reference.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Known, Logits, Token};

/// Version of the prompt and the procedure; part of the key under which reference answers are cached.
pub const VERSION: u32 = 1;

/// The verification prompt for a vocabulary: fixed, seeded by nothing but the vocabulary's size.
pub fn prompt(vocab: usize, length: usize) -> Vec<Token> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64 ^ vocab as u64;
    (0..length)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            ((state >> 33) % vocab.max(1) as u64) as Token
        })
        .collect()
}

/// Normalised mean squared error: sum (a - e)^2 / sum (e - mean e)^2, over all rows; infinite when a value is not finite
/// or the shapes differ. The mean of each row is taken out because softmax ignores it.
pub fn nmse(actual: &[f32], expected: &[f32], vocab: usize) -> f64 {
    if actual.len() != expected.len()
        || vocab == 0
        || actual.len() % vocab != 0
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

    /// A check of `value`, which may be infinite or NaN (JSON has neither).
    pub fn new(name: &str, value: f64, limit: f64, compared: usize) -> Check {
        let value = if value.is_finite() {
            Known::Value(value)
        } else {
            Known::unavailable("not finite: wrong shape, NaN or infinity in the answers")
        };
        Check { name: name.to_owned(), value, limit, compared }
    }
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

fn row_shortfall(row: &[f32], chosen: Token) -> f64 {
    let Some(&value) = row.get(chosen as usize) else { return f64::INFINITY };
    let n = row.len() as f64;
    let mean = row.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
    let deviation = (row.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / n).sqrt();
    let best = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let short = f64::from(best - value) / deviation;
    if short.is_finite() { short } else { f64::INFINITY }
}
