//! Rotary position embedding: its numbers, not its application.

/// Rotary position embedding.
#[derive(Clone, Debug, PartialEq)]
pub struct Rotary {
    /// Which elements of a head form a pair.
    pub style: RotaryStyle,
    /// Rotated elements per head (even, at most the head's width); the rest pass through.
    pub dims: usize,
    /// Base of the frequencies.
    pub base: f32,
    /// Linear position scale: positions are divided by this (`rope.scaling.factor`, type `linear`); 1 without.
    pub scale: f32,
    /// Per-pair divisors of the frequencies, (dims / 2), from `rope_freqs.weight` (Llama 3); `None` without.
    pub factors: Option<Vec<f32>>,
}

/// Pairing of rotated elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RotaryStyle {
    /// Neighbours (2i, 2i+1): GGUF files of llama.
    Interleaved,
    /// Halves (i, i + dims/2): GPT-NeoX, qwen2.
    Halves,
}

impl Rotary {
    /// Inverse frequency of each pair, (dims / 2): `base^(-2i/dims) / factors[i] / scale`, computed in f64.
    pub fn frequencies(&self) -> Vec<f64> {
        (0..self.dims / 2)
            .map(|i| {
                let factor = self.factors.as_ref().map_or(1.0, |f| f64::from(f[i]));
                f64::from(self.base).powf(-2.0 * i as f64 / self.dims as f64)
                    / factor
                    / f64::from(self.scale)
            })
            .collect()
    }
}
