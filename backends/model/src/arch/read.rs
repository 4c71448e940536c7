//! From metadata to [`Architecture`]: every number is checked before anything is sized by it.

use super::families::{Bias, FAMILIES, Family};
use super::{Architecture, Ffn, Layer, Rotary};
use crate::gguf::{Type, quote};
use crate::{Error, Gguf};

/// Limits of hyper-parameters, well above any published model. They keep every product of two below 2^53
/// and every vector we decode below 4 MiB, whatever a (sparse) file claims.
const MAX_EMBEDDING: u64 = 1 << 20;
const MAX_VOCAB: u64 = 1 << 24;
const MAX_CONTEXT: u64 = u32::MAX as u64;
const MAX_HEADS: u64 = 1 << 16;
const MAX_HEAD_DIM: u64 = 1 << 14;
const MAX_WIDTH: u64 = 1 << 24;
const MAX_EXPERTS: u64 = 1 << 16;
/// Norms, four projections of attention, three of the feed-forward block.
const MIN_LAYER_TENSORS: usize = 9;

impl Architecture {
    /// Reads the description from a file's metadata. The tensors are not compared with it yet, and
    /// rotary factors are zeros until [`Architecture::read_factors`].
    pub(crate) fn read(gguf: &Gguf) -> Result<Architecture, Error> {
        let family = family(gguf)?;
        let file = Reader { gguf, family };
        file.refuse_split()?;
        let embedding = file.required("embedding_length", 1, MAX_EMBEDDING)?;
        let layers = file.layers(embedding)?;
        Ok(Architecture {
            name: family.name.to_owned(),
            vocab: file.vocab()?,
            embedding,
            context: file.required("context_length", 1, MAX_CONTEXT)?,
            norm_eps: file.norm_eps()?,
            rotary: file.rotary(layers[0].key_dim)?,
            tied_head: gguf.tensor("output.weight").is_none(),
            layers,
        })
    }

    /// Fills in `rope_freqs.weight`, after its length was checked.
    pub(crate) fn read_factors(&mut self, gguf: &Gguf) -> Result<(), Error> {
        let name = "rope_freqs.weight";
        let (Some(_), Some(tensor)) = (&self.rotary.factors, gguf.tensor(name)) else {
            return Ok(());
        };
        let factors = crate::model::decode(gguf, tensor);
        if let Some(i) = factors.iter().position(|f| !f.is_normal() || *f < 0.0) {
            let expected = "a positive, finite divisor";
            return Err(gguf.invalid(format!("{name}[{i}]"), factors[i], expected));
        }
        self.rotary.factors = Some(factors);
        Ok(())
    }
}

fn family(gguf: &Gguf) -> Result<&'static Family, Error> {
    let key = "general.architecture";
    let names = || FAMILIES.iter().map(|f| f.name).collect::<Vec<_>>().join(", ");
    let Some(name) = gguf.str(key)? else {
        return Err(gguf.invalid(key, "no such key", format!("one of {}", names())));
    };
    FAMILIES
        .iter()
        .find(|f| f.name == name)
        .ok_or_else(|| gguf.unsupported(format!("architecture {}", quote(name)), names()))
}

/// A file read as one family.
struct Reader<'a> {
    gguf: &'a Gguf,
    family: &'static Family,
}

impl Reader<'_> {
    /// `llama.` + suffix.
    fn key(&self, suffix: &str) -> String {
        format!("{}.{suffix}", self.family.name)
    }

    fn refuse_split(&self) -> Result<(), Error> {
        match self.gguf.unsigned("split.count")? {
            Some(n) if n > 1 => {
                let what = format!("a model split over {n} files");
                Err(self
                    .gguf
                    .unsupported(what, "one file (join with llama-gguf-split --merge)".into()))
            }
            _ => Ok(()),
        }
    }

    /// An unsigned hyper-parameter within limits.
    fn optional(&self, suffix: &str, least: u64, most: u64) -> Result<Option<usize>, Error> {
        let key = self.key(suffix);
        let Some(n) = self.gguf.unsigned(&key)? else { return Ok(None) };
        if !(least..=most).contains(&n) {
            return Err(self.gguf.invalid(key, n, format!("{least} to {most}")));
        }
        Ok(Some(n as usize))
    }

    fn required(&self, suffix: &str, least: u64, most: u64) -> Result<usize, Error> {
        self.optional(suffix, least, most)?
            .ok_or_else(|| self.missing(suffix, format!("{least} to {most}")))
    }

    fn missing(&self, suffix: &str, expected: String) -> Error {
        self.gguf.invalid(self.key(suffix), "no such key", expected)
    }

    /// A positive, finite float.
    fn positive(&self, suffix: &str) -> Result<Option<f32>, Error> {
        let key = self.key(suffix);
        match self.gguf.f32(&key)? {
            Some(v) if !v.is_finite() || v <= 0.0 => {
                Err(self.gguf.invalid(key, v, "a positive, finite number"))
            }
            found => Ok(found),
        }
    }

    /// One value for all layers, or an array with one for each.
    fn per_layer(
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
        if array.len() != layers {
            let found = format!("{} elements", array.len());
            return Err(self.gguf.invalid(key, found, format!("{layers} elements, one a layer")));
        }
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

    fn vocab(&self) -> Result<usize, Error> {
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

    fn norm_eps(&self) -> Result<f32, Error> {
        let key = "attention.layer_norm_rms_epsilon";
        self.positive(key)?.ok_or_else(|| self.missing(key, "a positive, finite f32".into()))
    }

    fn rotary(&self, key_dim: usize) -> Result<Rotary, Error> {
        let dims_key = "rope.dimension_count";
        let dims = self.optional(dims_key, 2, key_dim as u64)?.unwrap_or(key_dim);
        if dims % 2 != 0 {
            return Err(self.gguf.invalid(self.key(dims_key), dims, "an even number"));
        }
        let factors = self.family.rope_freqs && self.gguf.tensor("rope_freqs.weight").is_some();
        Ok(Rotary {
            style: self.family.rotary,
            dims,
            // llama.cpp's default.
            base: self.positive("rope.freq_base")?.unwrap_or(10_000.0),
            scale: self.rope_scale()?,
            factors: factors.then(|| vec![0.0; dims / 2]),
        })
    }

    /// The factor of linear scaling. As in llama.cpp, a factor without a type is linear.
    fn rope_scale(&self) -> Result<f32, Error> {
        let factor = match self.positive("rope.scaling.factor")? {
            Some(factor) => Some(factor),
            None => self.positive("rope.scale_linear")?,
        };
        let key = self.key("rope.scaling.type");
        match self.gguf.str(&key)? {
            None | Some("linear") => Ok(factor.unwrap_or(1.0)),
            Some("none") => Ok(1.0),
            Some(other) => {
                let what = format!("{key} {}", quote(other));
                Err(self
                    .gguf
                    .unsupported(what, "none, linear, and Llama 3's rope_freqs.weight".into()))
            }
        }
    }

    /// The layers; their number is compared with the number of tensors before anything is allocated for them.
    fn layers(&self, embedding: usize) -> Result<Vec<Layer>, Error> {
        let most = self.gguf.tensors().len() / MIN_LAYER_TENSORS;
        let count = self.required("block_count", 1, u64::from(u32::MAX))?;
        if count > most {
            let expected = format!("at most {most}, for {} tensors", self.gguf.tensors().len());
            return Err(self.gguf.invalid(self.key("block_count"), count, expected));
        }
        let heads = self
            .per_layer("attention.head_count", count, MAX_HEADS)?
            .ok_or_else(|| self.missing("attention.head_count", format!("1 to {MAX_HEADS}")))?;
        let kv_heads = self
            .per_layer("attention.head_count_kv", count, MAX_HEADS)?
            .unwrap_or_else(|| heads.clone());
        self.check_kv_heads(&heads, &kv_heads)?;
        let ffn = self.ffn(count)?;
        let key_dim = self.head_dim("attention.key_length", embedding, heads[0])?;
        let value_dim = self.head_dim("attention.value_length", embedding, heads[0])?;
        let layer = |i: usize| Layer {
            heads: heads[i],
            kv_heads: kv_heads[i],
            key_dim,
            value_dim,
            qkv_bias: self.has_qkv_bias(i),
            ffn: ffn[i].clone(),
        };
        Ok((0..count).map(layer).collect())
    }

    fn check_kv_heads(&self, heads: &[usize], kv_heads: &[usize]) -> Result<(), Error> {
        for (&heads, &kv) in heads.iter().zip(kv_heads) {
            if heads % kv != 0 {
                let key = self.key("attention.head_count_kv");
                return Err(self.gguf.invalid(key, kv, format!("a divisor of head_count {heads}")));
            }
        }
        Ok(())
    }

    /// Stated, or the embedding split over the heads.
    fn head_dim(&self, suffix: &str, embedding: usize, heads: usize) -> Result<usize, Error> {
        if let Some(n) = self.optional(suffix, 1, MAX_HEAD_DIM)? {
            return Ok(n);
        }
        if !embedding.is_multiple_of(heads) || (embedding / heads) as u64 > MAX_HEAD_DIM {
            let expected = format!("a divisor of embedding_length {embedding}, or {suffix} stated");
            return Err(self.gguf.invalid(self.key("attention.head_count"), heads, expected));
        }
        Ok(embedding / heads)
    }

    fn has_qkv_bias(&self, layer: usize) -> bool {
        self.family.qkv_bias == Bias::Present
            || self.gguf.tensor(&format!("blk.{layer}.attn_q.bias")).is_some()
    }

    fn ffn(&self, layers: usize) -> Result<Vec<Ffn>, Error> {
        let widths = self
            .per_layer("feed_forward_length", layers, MAX_WIDTH)?
            .ok_or_else(|| self.missing("feed_forward_length", format!("1 to {MAX_WIDTH}")))?;
        let experts = self.optional("expert_count", 0, MAX_EXPERTS)?.unwrap_or(0);
        if experts == 0 {
            return Ok(widths.into_iter().map(|width| Ffn::Dense { width }).collect());
        }
        if !self.family.experts {
            let what = format!("{} with experts", self.family.name);
            return Err(self.gguf.unsupported(what, "its dense models".into()));
        }
        let used = self.required("expert_used_count", 1, experts as u64)?;
        Ok(widths.into_iter().map(|width| Ffn::Experts { experts, used, width }).collect())
    }
}
