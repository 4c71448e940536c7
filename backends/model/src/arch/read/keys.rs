//! Single keys: presence, type and range.

use super::{MAX_VOCAB, Reader};
use crate::Error;
use crate::arch::NormKind;
use crate::gguf::Type;

impl Reader<'_> {
    /// `llama.` + suffix.
    pub(super) fn key(&self, suffix: &str) -> String {
        format!("{}.{suffix}", self.family.name)
    }

    /// An unsigned hyper-parameter within limits.
    pub(super) fn optional(
        &self,
        suffix: &str,
        least: u64,
        most: u64,
    ) -> Result<Option<usize>, Error> {
        let key = self.key(suffix);
        let Some(n) = self.gguf.unsigned(&key)? else { return Ok(None) };
        if !(least..=most).contains(&n) {
            return Err(self.gguf.invalid(key, n, format!("{least} to {most}")));
        }
        Ok(Some(n as usize))
    }

    pub(super) fn required(&self, suffix: &str, least: u64, most: u64) -> Result<usize, Error> {
        self.optional(suffix, least, most)?
            .ok_or_else(|| self.missing(suffix, format!("{least} to {most}")))
    }

    pub(super) fn missing(&self, suffix: &str, expected: String) -> Error {
        self.gguf.invalid(self.key(suffix), "no such key", expected)
    }

    /// A positive, finite float.
    pub(super) fn positive(&self, suffix: &str) -> Result<Option<f32>, Error> {
        let key = self.key(suffix);
        match self.gguf.f32(&key)? {
            Some(v) if !v.is_finite() || v <= 0.0 => {
                Err(self.gguf.invalid(key, v, "a positive, finite number"))
            }
            found => Ok(found),
        }
    }

    /// A finite float, not negative.
    pub(super) fn not_negative(&self, suffix: &str) -> Result<Option<f32>, Error> {
        let key = self.key(suffix);
        match self.gguf.f32(&key)? {
            Some(v) if !v.is_finite() || v < 0.0 => {
                Err(self.gguf.invalid(key, v, "a finite number, not negative"))
            }
            found => Ok(found),
        }
    }

    /// One value for all layers, or an array with one for each.
    pub(super) fn per_layer(
        &self,
        suffix: &str,
        layers: usize,
        most: u64,
    ) -> Result<Option<Vec<usize>>, Error> {
        let key = self.key(suffix);
        if self.gguf.value(&key).is_none_or(|v| v.kind() != Type::Array) {
            return Ok(self.optional(suffix, 1, most)?.map(|n| vec![n; layers]));
        }
        let Some(array) = self.gguf.array(&key, &[Type::U32, Type::I32])? else { return Ok(None) };
        self.one_a_layer(&key, array.len(), layers)?;
        let mut values = Vec::with_capacity(layers);
        for (i, value) in array.iter().enumerate() {
            match value.unsigned_or_positive() {
                Some(n) if (1..=most).contains(&n) => values.push(n as usize),
                _ => {
                    let expected = format!("1 to {most}");
                    return Err(self.gguf.invalid(
                        format!("{key}[{i}]"),
                        value.display(),
                        expected,
                    ));
                }
            }
        }
        Ok(Some(values))
    }

    pub(super) fn one_a_layer(&self, key: &str, found: usize, layers: usize) -> Result<(), Error> {
        if found == layers {
            return Ok(());
        }
        let (found, expected) =
            (format!("{found} elements"), format!("{layers} elements, one a layer"));
        Err(self.gguf.invalid(key, found, expected))
    }

    pub(super) fn vocab(&self) -> Result<usize, Error> {
        if let Some(n) = self.optional("vocab_size", 1, MAX_VOCAB)? {
            return Ok(n);
        }
        let rows = self.gguf.tensor("token_embd.weight").and_then(|t| t.shape.get(1).copied());
        match rows {
            Some(n) if n as u64 <= MAX_VOCAB => Ok(n),
            Some(n) => {
                let expected = format!("at most {MAX_VOCAB}");
                Err(self.gguf.invalid("tensor token_embd.weight rows", n, expected))
            }
            None => {
                let expected = "shape [embedding, vocabulary]";
                Err(self.gguf.invalid("tensor token_embd.weight", "no such matrix", expected))
            }
        }
    }

    pub(super) fn norm_eps(&self) -> Result<f32, Error> {
        let key = match self.family.norm {
            NormKind::Rms => "attention.layer_norm_rms_epsilon",
            NormKind::Layer => "attention.layer_norm_epsilon",
        };
        self.positive(key)?.ok_or_else(|| self.missing(key, "a positive, finite f32".into()))
    }
}
