//! Effort: how much time goes into a format's integers.

use std::fmt;

use super::Format;

/// Which of a format's encoders writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Effort {
    /// The quick fit that presets are written with: their hashes depend on it.
    Fast,
    /// The least weighted squared error that a search finds.
    #[default]
    Best,
}

impl Effort {
    /// Both, quick one first.
    pub const ALL: [Effort; 2] = [Effort::Fast, Effort::Best];

    /// As users write it.
    pub fn name(self) -> &'static str {
        match self {
            Effort::Fast => "fast",
            Effort::Best => "best",
        }
    }
}

impl fmt::Display for Effort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Format {
    /// Whether importances change what this encoder writes.
    pub fn searches(self, effort: Effort) -> bool {
        effort == Effort::Best && self.layout().best.is_some()
    }

    /// Encodes whole blocks; `importance`, of the same length, counts where the encoder searches.
    pub fn encode(self, effort: Effort, values: &[f32], importance: &[f32], out: &mut [u8]) {
        match (self.layout().best.filter(|_| effort == Effort::Best), self.layout().encode) {
            (Some(best), _) => best(values, importance, out),
            (None, Some(fast)) => fast(values, out),
            (None, None) => {}
        }
    }
}
