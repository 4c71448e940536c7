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
    /// Linear position scale: positions are divided by this (`rope.scaling.factor`); 1 without.
    pub scale: f32,
    /// Divisors of the frequencies.
    pub factors: Factors,
    /// Cosines and sines are multiplied by this (`rope.scaling.attn_factor`, YaRN); 1 without.
    pub magnitude: f32,
    /// High frequencies are spared the position scale.
    pub yarn: Option<Yarn>,
}

/// Per-pair divisors of the frequencies, (dims / 2).
#[derive(Clone, Debug, PartialEq)]
pub enum Factors {
    /// None.
    None,
    /// `rope_freqs.weight` (Llama 3).
    Fixed(Vec<f32>),
    /// `rope_factors_short.weight` and `rope_factors_long.weight` (Phi-3).
    ByContext {
        /// For sessions loaded with at most `original` positions.
        short: Vec<f32>,
        /// For longer ones.
        long: Vec<f32>,
        /// `rope.scaling.original_context_length`
        original: usize,
    },
}

/// YaRN (Peng et al. 2023): the position scale fades out between two frequencies, given in turns over `original` positions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Yarn {
    /// Context of the training before.
    pub original: usize,
    /// Pairs that turn more often than this keep their frequency.
    pub fast: f32,
    /// Pairs that turn less often than this are scaled in full.
    pub slow: f32,
}

/// Pairing of rotated elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RotaryStyle {
    /// Neighbours (2i, 2i+1): GGUF files of llama.
    Interleaved,
    /// Halves (i, i + dims/2): GPT-NeoX, qwen2.
    Halves,
}

impl Factors {
    /// Those of a session loaded with `context` positions a sequence.
    pub fn of(&self, context: usize) -> Option<&[f32]> {
        match self {
            Factors::None => None,
            Factors::Fixed(values) => Some(values),
            Factors::ByContext { short, long, original } => {
                Some(if context > *original { long } else { short })
            }
        }
    }
}

impl Rotary {
    /// Radians a pair turns per position, (dims / 2), in a session loaded with `context` positions a sequence;
    /// computed in f64: `base^(-2i/dims) / factors[i] / scale`, the scale faded out by YaRN.
    pub fn frequencies(&self, context: usize) -> Vec<f64> {
        let (dims, factors) = (self.dims as f64, self.factors.of(context));
        let pair = |i: usize| {
            let factor = factors.and_then(|f| f.get(i)).map_or(1.0, |&f| f64::from(f));
            let own = f64::from(self.base).powf(-2.0 * i as f64 / dims) / factor;
            let kept = self.yarn.map_or(0.0, |yarn| yarn.kept(self.base, dims, i));
            own / f64::from(self.scale) * (1.0 - kept) + own * kept
        };
        (0..self.dims / 2).map(pair).collect()
    }
}

impl Yarn {
    /// How much of pair i's own frequency is kept, 0 to 1.
    fn kept(&self, base: f32, dims: f64, i: usize) -> f64 {
        // The pair that turns this often over the original context.
        let pair = |turns: f32| {
            let length = self.original as f64 / (f64::from(turns) * std::f64::consts::TAU);
            dims * length.ln() / (2.0 * f64::from(base).ln())
        };
        let first = pair(self.fast).floor().max(0.0);
        let last = pair(self.slow).ceil().min(dims - 1.0);
        let way = (i as f64 - first) / (last - first).max(0.001);
        1.0 - way.clamp(0.0, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(dims: usize) -> Rotary {
        let (style, factors) = (RotaryStyle::Halves, Factors::None);
        Rotary { style, dims, base: 10_000.0, scale: 1.0, factors, magnitude: 1.0, yarn: None }
    }

    #[test]
    fn the_context_chooses_the_factors() {
        let (short, long) = (vec![2.0; 4], vec![4.0; 4]);
        let factors = Factors::ByContext { short, long, original: 100 };
        let rotary = Rotary { factors, ..plain(8) };
        assert_eq!((rotary.frequencies(100)[0], rotary.frequencies(101)[0]), (0.5, 0.25));
    }

    #[test]
    fn yarn_keeps_fast_pairs_and_scales_slow_ones() {
        let yarn = Some(Yarn { original: 4096, fast: 32.0, slow: 1.0 });
        let (own, scaled) = (plain(128), Rotary { scale: 4.0, yarn, ..plain(128) });
        let (own, scaled) = (own.frequencies(1), scaled.frequencies(1));
        assert_eq!(scaled[0], own[0]);
        assert!((scaled[63] - own[63] / 4.0).abs() < 1e-12);
        assert!(own.iter().zip(&scaled).all(|(o, s)| *s <= *o && *s >= o / 4.0 - 1e-12));
    }
}
