//! Layers: heads, widths, experts and windows, each one value for all layers or one a layer.

use super::{MAX_CONTEXT, MAX_EXPERTS, MAX_HEAD_DIM, MAX_HEADS, MAX_WIDTH, Reader};
use crate::Error;
use crate::arch::{ExpertRule, Experts, WindowRule};
use crate::gguf::Type;

impl Reader<'_> {
    /// How many layers; compared with the number of tensors before anything is allocated for them.
    pub(super) fn layers(&self) -> Result<usize, Error> {
        let most = self.most_layers;
        let count = self.required("block_count", 1, u64::from(u32::MAX))?;
        if count > most {
            let expected = format!("at most {most}, for {} tensors", self.gguf.tensors().len());
            return Err(self.gguf.invalid(self.key("block_count"), count, expected));
        }
        Ok(count)
    }

    pub(super) fn heads(&self, layers: usize) -> Result<Vec<usize>, Error> {
        self.per_layer("attention.head_count", layers, MAX_HEADS)?
            .ok_or_else(|| self.missing("attention.head_count", format!("1 to {MAX_HEADS}")))
    }

    pub(super) fn kv_heads(&self, heads: &[usize]) -> Result<Vec<usize>, Error> {
        let suffix = "attention.head_count_kv";
        let kv_heads =
            self.per_layer(suffix, heads.len(), MAX_HEADS)?.unwrap_or_else(|| heads.to_vec());
        for (&heads, &kv) in heads.iter().zip(&kv_heads) {
            if heads % kv != 0 {
                let expected = format!("a divisor of head_count {heads}");
                return Err(self.gguf.invalid(self.key(suffix), kv, expected));
            }
        }
        Ok(kv_heads)
    }

    /// Stated, or the embedding split over the heads.
    pub(super) fn head_dim(
        &self,
        suffix: &str,
        embedding: usize,
        heads: usize,
    ) -> Result<usize, Error> {
        if let Some(n) = self.optional(suffix, 1, MAX_HEAD_DIM)? {
            return Ok(n);
        }
        if !embedding.is_multiple_of(heads) || (embedding / heads) as u64 > MAX_HEAD_DIM {
            let expected = format!("a divisor of embedding_length {embedding}, or {suffix} stated");
            return Err(self.gguf.invalid(self.key("attention.head_count"), heads, expected));
        }
        Ok(embedding / heads)
    }

    /// Inner widths, of one expert where there are experts, and the experts.
    pub(super) fn ffn(&self, layers: usize) -> Result<(Vec<usize>, Option<Experts>), Error> {
        let widths = || {
            self.per_layer("feed_forward_length", layers, MAX_WIDTH)?
                .ok_or_else(|| self.missing("feed_forward_length", format!("1 to {MAX_WIDTH}")))
        };
        let experts = self.experts()?;
        let Some(found) = experts else { return Ok((widths()?, None)) };
        if let Some(width) = self.optional("expert_feed_forward_length", 1, MAX_WIDTH)? {
            return Ok((vec![width; layers], experts));
        }
        // Files of families that are always mixtures state the width of all experts used together.
        let shares = match self.family.experts {
            ExpertRule::Always { normalised: true } => found.used,
            _ => 1,
        };
        let widths: Vec<usize> = widths()?.into_iter().map(|width| width / shares).collect();
        match widths.contains(&0) {
            true => Err(self.missing("expert_feed_forward_length", format!("1 to {MAX_WIDTH}"))),
            false => Ok((widths, experts)),
        }
    }

    fn experts(&self) -> Result<Option<Experts>, Error> {
        let count = self.optional("expert_count", 0, MAX_EXPERTS)?.unwrap_or(0);
        let normalised = match self.family.experts {
            ExpertRule::Dense | ExpertRule::Optional if count == 0 => return Ok(None),
            ExpertRule::Dense => {
                let what = format!("{} with experts", self.family.name);
                return Err(self.gguf.unsupported(what, "its dense models".into()));
            }
            ExpertRule::Always { .. } if count == 0 => {
                let expected =
                    format!("1 to {MAX_EXPERTS}: every {} has experts", self.family.name);
                return Err(self.gguf.invalid(self.key("expert_count"), count, expected));
            }
            ExpertRule::Optional => true,
            ExpertRule::Always { normalised } => normalised,
        };
        let used = self.required("expert_used_count", 1, count as u64)?;
        let scale = self.not_negative("expert_weights_scale")?.filter(|&s| s > 0.0).unwrap_or(1.0);
        let shared = self.optional("expert_shared_feed_forward_length", 0, MAX_WIDTH)?;
        Ok(Some(Experts { count, used, normalised, scale, shared: shared.filter(|&n| n > 0) }))
    }

    /// The window of each layer that has one.
    pub(super) fn windows(&self, layers: usize) -> Result<Vec<Option<usize>>, Error> {
        let stated = || self.optional("attention.sliding_window", 1, MAX_CONTEXT);
        match self.family.window {
            WindowRule::Ignored => Ok(vec![None; layers]),
            WindowRule::EveryLayer => Ok(vec![stated()?; layers]),
            WindowRule::Pattern { period, default } => {
                let window = stated()?.or(Some(default)).filter(|&window| window > 0);
                let pattern = self.pattern(layers, period)?;
                Ok(pattern.into_iter().map(|has| window.filter(|_| has)).collect())
            }
        }
    }

    /// Which layers have a window: all but every n-th, or as an array of bools says.
    fn pattern(&self, layers: usize, period: usize) -> Result<Vec<bool>, Error> {
        let suffix = "attention.sliding_window_pattern";
        let key = self.key(suffix);
        if self.gguf.value(&key).is_some_and(|v| v.kind() == Type::Array) {
            let Some(array) = self.gguf.array(&key, &[Type::Bool])? else { return Ok(Vec::new()) };
            self.one_a_layer(&key, array.len(), layers)?;
            return Ok(array.iter().map(|v| matches!(v, crate::gguf::Value::Bool(true))).collect());
        }
        let period = self.optional(suffix, 0, u64::from(u32::MAX))?.unwrap_or(period);
        // A period of 0 leaves out none, as in llama.cpp.
        Ok((0..layers).map(|i| period == 0 || i % period < period - 1).collect())
    }
}
