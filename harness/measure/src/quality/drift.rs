//! Output drift: how far one program's predictions are from another's for the same weights and prompt.

use std::path::Path;

use yardstick_api::{Token, verify};
use yardstick_model::tokenizer::{Encoding, Tokenizer};
use yardstick_model::{Error, Model};

use super::data::built_in;
use super::distribution::{divergence, likeliest};

/// What a comparison of two files of logits found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OutputDrift {
    /// Positions compared.
    pub positions: usize,
    /// Mean Kullback-Leibler divergence of the second's predictions from the first's, nats a position.
    pub mean: f64,
    /// The largest of a position.
    pub max: f64,
    /// Positions whose likeliest token is another.
    pub other_words: usize,
    /// Every bit is the same.
    pub same_bits: bool,
}

/// Compares two files of logits, little-endian f32 of shape (rows, `vocab`). `Err` says what cannot be compared.
pub fn output_drift(base: &[u8], candidate: &[u8], vocab: usize) -> Result<OutputDrift, String> {
    let row = vocab * size_of::<f32>();
    if row == 0 || base.is_empty() || !base.len().is_multiple_of(row) {
        return Err(format!("{} bytes are no rows of {vocab} logits", base.len()));
    }
    if base.len() != candidate.len() {
        let rows = |bytes: &[u8]| bytes.len() / row;
        return Err(format!("{} rows of logits, the base has {}", rows(candidate), rows(base)));
    }
    let positions = base.len() / row;
    let (mut sum, mut max, mut other_words) = (0.0, 0.0_f64, 0);
    for (position, (p, q)) in base.chunks_exact(row).zip(candidate.chunks_exact(row)).enumerate() {
        let (p, q) = (floats(p), floats(q));
        let nats = divergence(&p, &q, 1.0)
            .ok_or_else(|| format!("logits of position {position} are not finite"))?;
        sum += nats;
        max = max.max(nats);
        other_words += usize::from(likeliest::<1>(&p) != likeliest::<1>(&q));
    }
    let mean = sum / positions as f64;
    Ok(OutputDrift { positions, mean, max, other_words, same_bits: base == candidate })
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
}

/// `n` tokens that a model can be asked with: the beginning of the built-in text in its own tokenizer; made up where it has none,
/// or one whose text is shorter.
pub fn prompt(model: &Path, n: usize) -> Result<Vec<Token>, Error> {
    let file = Model::open(model)?;
    let own = || -> Option<Vec<Token>> {
        let tokenizer = Tokenizer::from_gguf(file.gguf()).ok()?;
        let tokens = tokenizer.encode(built_in(), Encoding::default()).ok()?;
        tokens.get(..n).map(<[Token]>::to_vec)
    };
    Ok(own().unwrap_or_else(|| verify::prompt(file.architecture().vocab, n)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(rows: &[[f32; 3]]) -> Vec<u8> {
        rows.iter().flatten().flat_map(|value| value.to_le_bytes()).collect()
    }

    #[test]
    fn drift_is_the_mean_divergence_and_the_same_bits_have_none() {
        let base = bytes(&[[0.0, 1.0, 2.0], [0.0, 0.0, 0.0]]);
        let same = output_drift(&base, &base, 3).unwrap();
        assert_eq!((same.mean, same.max, same.other_words, same.same_bits), (0.0, 0.0, 0, true));
        // A constant added to every logit is another row and the same prediction.
        let shifted = bytes(&[[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]]);
        let shifted = output_drift(&base, &shifted, 3).unwrap();
        assert!(shifted.mean < 1e-12 && !shifted.same_bits, "{shifted:?}");
        // By hand: p = 1/3 each, q = softmax(ln 2, 0, 0) = 1/2, 1/4, 1/4.
        let other = bytes(&[[0.0, 1.0, 2.0], [2.0_f32.ln(), 0.0, 0.0]]);
        let found = output_drift(&base, &other, 3).unwrap();
        let by_hand = ((2.0_f64 / 3.0).ln() + 2.0 * (4.0_f64 / 3.0).ln()) / 3.0;
        assert!((found.max - by_hand).abs() < 1e-6, "{found:?} {by_hand}");
        assert!((found.mean - by_hand / 2.0).abs() < 1e-6 && found.positions == 2);
    }

    #[test]
    fn what_cannot_be_compared_says_why() {
        let base = bytes(&[[0.0, 1.0, 2.0]]);
        let of = |other: &[u8], vocab| output_drift(&base, other, vocab).unwrap_err();
        assert!(of(&bytes(&[[0.0; 3]; 2]), 3).contains("2 rows of logits, the base has 1"));
        assert!(of(&bytes(&[[f32::NAN, 0.0, 0.0]]), 3).contains("position 0 are not finite"));
        assert!(of(&base, 0).contains("no rows") && of(&base, 2).contains("no rows"));
    }
}
