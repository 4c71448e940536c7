//! Rotary embeddings: dimensions, bases, scaling.

use super::{MAX_CONTEXT, Reader};
use crate::Error;
use crate::arch::{Factors, Rotary, Yarn};
use crate::gguf::quote;

/// llama.cpp's defaults of YaRN.
const FAST: f32 = 32.0;
const SLOW: f32 = 1.0;

/// `rope.scaling.type`
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scaling {
    None,
    Linear,
    Yarn,
    LongRope,
}

const SCALINGS: &[(&str, Scaling)] = &[
    ("none", Scaling::None),
    ("linear", Scaling::Linear),
    ("yarn", Scaling::Yarn),
    ("longrope", Scaling::LongRope),
];

impl Reader<'_> {
    /// The rotary embedding, and another for layers with a window where the two differ.
    pub(super) fn rotaries(
        &self,
        key_dim: usize,
        context: usize,
        windows: bool,
    ) -> Result<Option<(Rotary, Option<Rotary>)>, Error> {
        let Some(style) = self.family.rotary else { return Ok(None) };
        if self.family.rotary_switch
            && self.gguf.bool(&self.key("rope.scaling.finetuned"))? == Some(false)
        {
            return Ok(None);
        }
        let scaling = self.scaling()?;
        let (scale, magnitude) = self.scale(scaling)?;
        let (style, dims) = (style, self.dims(key_dim)?);
        // llama.cpp's default.
        let base = self.positive("rope.freq_base")?.unwrap_or(10_000.0);
        let yarn = match scaling {
            Scaling::Yarn => Some(self.yarn(context)?),
            _ => None,
        };
        let factors = self.factors(dims, context)?;
        let main = Rotary { style, dims, base, scale, factors, magnitude, yarn };
        let local = self.local(&main)?.filter(|local| windows && *local != main);
        Ok(Some((main, local)))
    }

    /// What turns layers with a window: another base; where the family has one, no scaling either.
    fn local(&self, main: &Rotary) -> Result<Option<Rotary>, Error> {
        let stated = self.positive("rope.freq_base_swa")?;
        let Some(base) = stated.or(self.family.window_base) else { return Ok(None) };
        let scale = if self.family.window_base.is_some() { 1.0 } else { main.scale };
        Ok(Some(Rotary { base, scale, ..main.clone() }))
    }

    fn dims(&self, key_dim: usize) -> Result<usize, Error> {
        let suffix = "rope.dimension_count";
        let dims = self.optional(suffix, 2, key_dim as u64)?.unwrap_or(key_dim);
        if dims % 2 != 0 {
            return Err(self.gguf.invalid(self.key(suffix), dims, "an even number"));
        }
        Ok(dims)
    }

    fn scaling(&self) -> Result<Scaling, Error> {
        let key = self.key("rope.scaling.type");
        // As in llama.cpp, a factor without a type is linear.
        let Some(name) = self.gguf.str(&key)? else { return Ok(Scaling::Linear) };
        SCALINGS.iter().find(|row| row.0 == name).map(|row| row.1).ok_or_else(|| {
            let known: Vec<&str> = SCALINGS.iter().map(|row| row.0).collect();
            self.gguf.unsupported(format!("{key} {}", quote(name)), known.join(", "))
        })
    }

    /// Divisor of the positions, and factor of cosines and sines.
    fn scale(&self, scaling: Scaling) -> Result<(f32, f32), Error> {
        let factor = match self.positive("rope.scaling.factor")? {
            Some(factor) => Some(factor),
            None => self.positive("rope.scale_linear")?,
        };
        let scale = factor.filter(|_| scaling != Scaling::None).unwrap_or(1.0);
        let magnitude = self.positive("rope.scaling.attn_factor")?.unwrap_or(1.0);
        if scaling != Scaling::Yarn {
            return Ok((scale, magnitude));
        }
        // The paper's temperature, which YaRN files of DeepSeek and Mistral divide by another of their own.
        let growth = |by: f32| if scale <= 1.0 { 1.0 } else { 0.1 * by * scale.ln() + 1.0 };
        let less = self.not_negative("rope.scaling.yarn_log_multiplier")?.unwrap_or(0.0);
        Ok((scale, magnitude * growth(1.0) / growth(less)))
    }

    /// The context of the training before it was extended.
    pub(super) fn original_context(&self, context: usize) -> Result<usize, Error> {
        let original = self.optional("rope.scaling.original_context_length", 1, MAX_CONTEXT)?;
        Ok(original.unwrap_or(context))
    }

    fn yarn(&self, context: usize) -> Result<Yarn, Error> {
        let fast = self.positive("rope.scaling.yarn_beta_fast")?.unwrap_or(FAST);
        let slow = self.positive("rope.scaling.yarn_beta_slow")?.unwrap_or(SLOW);
        Ok(Yarn { original: self.original_context(context)?, fast, slow })
    }

    /// Zeros in the place of factors that the file has.
    fn factors(&self, dims: usize, context: usize) -> Result<Factors, Error> {
        let has = |name: &str| self.family.rope_factors && (self.stored)(name);
        let zeros = || vec![0.0; dims / 2];
        if has("rope_freqs.weight") {
            return Ok(Factors::Fixed(zeros()));
        }
        if has("rope_factors_short.weight") || has("rope_factors_long.weight") {
            let original = self.original_context(context)?;
            return Ok(Factors::ByContext { short: zeros(), long: zeros(), original });
        }
        Ok(Factors::None)
    }
}
