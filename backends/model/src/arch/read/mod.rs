//! From metadata to [`Architecture`]: every number is checked before anything is sized by it.

mod keys;
mod layers;
mod rotary;

use super::families::{FAMILIES, Family};
use super::{Architecture, Numbers, Scales, Temperature};
use crate::gguf::{Header, quote};
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
/// Two norms, two projections of attention, two of the feed-forward block: the least any family has.
const MIN_LAYER_TENSORS: usize = 6;
/// Layers of a file that is to be written.
const MAX_NEW_LAYERS: usize = 1 << 12;

impl Architecture {
    /// Reads the description from a file's metadata. The tensors are not compared with it yet, and
    /// rotary factors are zeros until [`Architecture::read_factors`].
    pub(crate) fn read(gguf: &Gguf) -> Result<Architecture, Error> {
        let stored = |name: &str| gguf.tensor(name).is_some();
        let most_layers = gguf.tensors().len() / MIN_LAYER_TENSORS;
        Reader { gguf, family: family(gguf)?, stored: &stored, most_layers }.architecture()
    }

    /// Reads the description from the metadata of a file that is to be written, which has no tensors yet;
    /// `stored` says of a tensor that a family may lack whether it will be there. Rotary factors are zeros.
    pub fn of_metadata(
        header: &Header,
        stored: &dyn Fn(&str) -> bool,
    ) -> Result<Architecture, Error> {
        let gguf = &Gguf::from_bytes("metadata", header.encode()?.0)?;
        Reader { gguf, family: family(gguf)?, stored, most_layers: MAX_NEW_LAYERS }.architecture()
    }
}

/// A tensor of rotary factors, after its length was checked.
pub(super) fn factors(gguf: &Gguf, name: &str) -> Result<Vec<f32>, Error> {
    let Some(tensor) = gguf.tensor(name) else { return Ok(Vec::new()) };
    let factors = crate::model::decode(gguf, tensor);
    if let Some(i) = factors.iter().position(|f| !f.is_normal() || *f < 0.0) {
        let expected = "a positive, finite divisor";
        return Err(gguf.invalid(format!("{name}[{i}]"), factors[i], expected));
    }
    Ok(factors)
}

fn family(gguf: &Gguf) -> Result<&'static Family, Error> {
    let key = "general.architecture";
    let names = || Architecture::supported().collect::<Vec<_>>().join(", ");
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
    /// Whether a tensor is there.
    stored: &'a dyn Fn(&str) -> bool,
    /// As many as there are tensors for.
    most_layers: usize,
}

impl Reader<'_> {
    fn architecture(&self) -> Result<Architecture, Error> {
        self.refuse_split()?;
        Ok(self.family.build(self.numbers()?, self.stored))
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

    fn numbers(&self) -> Result<Numbers, Error> {
        let embedding = self.required("embedding_length", 1, MAX_EMBEDDING)?;
        let layers = self.layers()?;
        let heads = self.heads(layers)?;
        let kv_heads = self.kv_heads(&heads)?;
        let key_dim = self.head_dim("attention.key_length", embedding, heads[0])?;
        let value_dim = self.head_dim("attention.value_length", embedding, heads[0])?;
        let (widths, experts) = self.ffn(layers)?;
        let context = self.required("context_length", 1, MAX_CONTEXT)?;
        let windows = self.windows(layers)?;
        Ok(Numbers {
            vocab: self.vocab()?,
            embedding,
            context,
            norm_eps: self.norm_eps()?,
            rotary: self.rotaries(key_dim, context, windows.iter().any(Option::is_some))?,
            softcaps: self.softcaps()?,
            scales: self.scales()?,
            temperature: self.temperature(context)?,
            ignored: self.ignored(),
            heads,
            kv_heads,
            widths,
            windows,
            key_dim,
            value_dim,
            experts,
        })
    }

    /// Of scores and logits; 0 is none.
    fn softcaps(&self) -> Result<[Option<f32>; 2], Error> {
        let Some([scores, logits]) = self.family.softcaps else { return Ok([None; 2]) };
        let cap = |suffix: &str, default: f32| {
            let cap = self.not_negative(suffix)?.unwrap_or(default);
            Ok::<_, Error>((cap > 0.0).then_some(cap))
        };
        Ok([cap("attn_logit_softcapping", scores)?, cap("final_logit_softcapping", logits)?])
    }

    fn scales(&self) -> Result<Scales, Error> {
        if !self.family.scales {
            return Ok(Scales::default());
        }
        // As in llama.cpp, a scale of 0 is none.
        let scale = |suffix: &str| Ok::<_, Error>(self.not_negative(suffix)?.filter(|&s| s > 0.0));
        Ok(Scales {
            embedding: scale("embedding_scale")?,
            residual: scale("residual_scale")?,
            attention: scale("attention.scale")?,
            logits: scale("logit_scale")?,
        })
    }

    fn temperature(&self, context: usize) -> Result<Option<Temperature>, Error> {
        let Some(scale) = self.not_negative("attention.temperature_scale")?.filter(|&s| s > 0.0)
        else {
            return Ok(None);
        };
        Ok(Some(Temperature { scale, length: self.original_context(context)? }))
    }

    fn ignored(&self) -> Vec<String> {
        let mut ignored = Vec::new();
        let mut ignore = |suffix: &str| {
            let key = self.key(suffix);
            if let Some(found) = self.gguf.display(&key).filter(|text| text != "0") {
                let name = self.family.name;
                ignored
                    .push(format!("{key} = {found} is not honoured for {name}, as in llama.cpp"));
            }
        };
        if self.family.window == super::WindowRule::Ignored {
            ignore("attention.sliding_window");
        }
        if !self.family.scales {
            ignore("attention.scale");
        }
        ignored
    }
}
