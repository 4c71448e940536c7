//! Architectures as data: what a forward pass must know, read from a GGUF file's metadata.
//!
//! A new model family is one row in `families.rs` and one golden test, not a new forward pass. A backend reads
//! [`Architecture`] and never the family's name; what it lacks it learns from [`Architecture::missing`].

mod build;
mod families;
mod ffn;
mod layer;
mod operations;
mod read;
mod requirements;
mod rotary;
mod tensors;

use crate::gguf::Gguf;

pub(crate) use build::{Numbers, Scales};
pub(crate) use families::{ExpertRule, FAMILIES, Family, WindowRule};
pub use ffn::{Activation, Experts, Ffn, Gate};
pub use layer::{Layer, QkNorm};
pub use requirements::Requirement;
pub use rotary::{Factors, Rotary, RotaryStyle, Yarn};
pub use tensors::TensorSpec;

/// Everything a forward pass needs to know beside the tensors themselves.
#[derive(Clone, Debug, PartialEq)]
pub struct Architecture {
    /// GGUF's `general.architecture`.
    pub name: String,
    /// Rows of the embedding and of the head.
    pub vocab: usize,
    /// Width of the residual stream.
    pub embedding: usize,
    /// Context length the model was trained for.
    pub context: usize,
    /// Every norm of the stream, and the kind of the norms of queries and keys.
    pub norm: Norm,
    /// Rotary embeddings, which layers name by index; empty where no layer turns anything.
    pub rotary: Vec<Rotary>,
    /// Rows of `position_embd.weight`, (positions, embedding), added to the embedding: no sequence may be longer.
    pub positions: Option<usize>,
    /// The embedding's rows are multiplied by this before positions are added.
    pub embedding_scale: f32,
    /// What a block adds to the stream is multiplied by this.
    pub residual_scale: f32,
    /// The head's products are multiplied by this.
    pub logit_scale: f32,
    /// Then `cap * tanh(logit / cap)`.
    pub logit_softcap: Option<f32>,
    /// Queries far into a text grow.
    pub temperature: Option<Temperature>,
    /// The head is the token embedding (no `output.weight`).
    pub tied_head: bool,
    /// The head has a bias (`output.bias`).
    pub head_bias: bool,
    /// One entry a layer.
    pub layers: Vec<Layer>,
    /// Keys of the file that this family does not honour, and why, for the facts.
    pub ignored: Vec<String>,
}

/// The norms of a model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Norm {
    /// Formula.
    pub kind: NormKind,
    /// Epsilon.
    pub eps: f32,
    /// Norms of the stream have a bias (`attn_norm.bias`, ...); those of queries and keys never do.
    pub bias: bool,
}

/// How a norm scales its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NormKind {
    /// `x / sqrt(mean(x^2) + eps) * weight`
    Rms,
    /// `(x - mean(x)) / sqrt(mean((x - mean(x))^2) + eps) * weight + bias`
    Layer,
}

/// Queries at position p are multiplied by `1 + scale * ln(1 + floor(p / length))` (`attention.temperature_scale`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Temperature {
    /// Strength.
    pub scale: f32,
    /// Positions of a step.
    pub length: usize,
}

impl Temperature {
    /// The factor of queries at a position.
    pub fn at(&self, position: usize) -> f32 {
        let steps = (position / self.length.max(1)) as f64;
        (1.0 + f64::from(self.scale) * (1.0 + steps).ln()) as f32
    }
}

impl Architecture {
    /// The most positions a sequence may have; `None` where the architecture sets no end.
    pub fn longest(&self) -> Option<usize> {
        self.positions
    }

    /// Sessions loaded with more positions than this use other (long) rotary factors, so that their answers differ
    /// from those of shorter ones; `None`: the context changes nothing.
    pub fn long_beyond(&self) -> Option<usize> {
        self.rotary.iter().find_map(|rotary| match rotary.factors {
            Factors::ByContext { original, .. } => Some(original),
            _ => None,
        })
    }

    /// The families that can be read, by GGUF's names.
    pub fn supported() -> impl Iterator<Item = &'static str> {
        FAMILIES.iter().map(|family| family.name)
    }

    /// Fills in rotary factors from their tensors, after the lengths were checked.
    pub(crate) fn read_factors(&mut self, gguf: &Gguf) -> Result<(), crate::Error> {
        for rotary in &mut self.rotary {
            match &mut rotary.factors {
                Factors::None => {}
                Factors::Fixed(values) => *values = read::factors(gguf, "rope_freqs.weight")?,
                Factors::ByContext { short, long, .. } => {
                    *short = read::factors(gguf, "rope_factors_short.weight")?;
                    *long = read::factors(gguf, "rope_factors_long.weight")?;
                }
            }
        }
        Ok(())
    }
}
