//! Adapters as llama.cpp converts them: a GGUF file of `NAME.lora_a` and `NAME.lora_b`, in GGUF's names and orders.

use std::collections::BTreeSet;
use std::path::Path;

use super::{Delta, Matrix};
use crate::gguf::TensorInfo;
use crate::{Error, Format, Gguf};

/// An open adapter.
pub(in super::super) struct Adapter {
    gguf: Gguf,
    /// GGUF names of its targets.
    modules: BTreeSet<String>,
    alpha: f32,
}

impl Adapter {
    pub(super) fn open(path: &Path) -> Result<Adapter, Error> {
        let gguf = Gguf::open(path)?;
        for (key, wanted) in [("general.type", "adapter"), ("adapter.type", "lora")] {
            match gguf.str(key)? {
                Some(found) if found == wanted => {}
                found => {
                    let found = crate::gguf::quote(found.unwrap_or("nothing"));
                    return Err(gguf.invalid(
                        key,
                        found,
                        format!("{wanted:?}, as a LoRA adapter has"),
                    ));
                }
            }
        }
        let alpha = gguf.f32("adapter.lora.alpha")?.unwrap_or(0.0);
        let mut modules = BTreeSet::new();
        for tensor in gguf.tensors() {
            let name = &tensor.name;
            let half = [(".lora_a", ".lora_b"), (".lora_b", ".lora_a")];
            let half =
                half.into_iter().find_map(|(this, other)| Some((name.strip_suffix(this)?, other)));
            let supported = "NAME.lora_a and NAME.lora_b of projections".to_owned();
            match half {
                Some((target, other)) if is_projection(target) => {
                    check(&gguf, tensor, &format!("{target}{other}"))?;
                    modules.insert(target.to_owned());
                }
                Some((target, _)) => {
                    let what = format!("an adapter of {}", crate::gguf::quote(target));
                    return Err(gguf.unsupported(what, supported));
                }
                None => {
                    let what = format!("tensor {} in an adapter", crate::gguf::quote(name));
                    return Err(gguf.unsupported(what, supported));
                }
            }
        }
        Ok(Adapter { gguf, modules, alpha })
    }

    /// What is added to a GGUF tensor, and its name.
    pub(super) fn delta(&self, name: &str) -> Result<Option<(String, Delta<'_>)>, Error> {
        if !self.modules.contains(name) {
            return Ok(None);
        }
        let half = |end: &str| {
            let info = self.gguf.tensor(&format!("{name}{end}"))?;
            Some(Matrix { format: info.format, cols: info.shape[0], bytes: self.gguf.bytes(info) })
        };
        let (Some(a), Some(b)) = (half(".lora_a"), half(".lora_b")) else { return Ok(None) };
        // An alpha of 0 is none, as in llama.cpp.
        let scale = if self.alpha == 0.0 { 1.0 } else { self.alpha / b.cols as f32 };
        Ok(Some((name.to_owned(), Delta { a, b, scale })))
    }

    pub(super) fn modules(&self) -> Vec<&str> {
        self.modules.iter().map(String::as_str).collect()
    }

    pub(super) fn invalid(
        &self,
        field: String,
        found: impl ToString,
        expected: impl Into<String>,
    ) -> Error {
        self.gguf.invalid(field, found, expected)
    }
}

/// Embeddings are looked up, not multiplied, and norms are no matrices.
fn is_projection(name: &str) -> bool {
    name.ends_with(".weight") && !name.starts_with("token_embd") && !name.contains("norm")
}

fn check(gguf: &Gguf, tensor: &TensorInfo, other: &str) -> Result<(), Error> {
    let field = || format!("tensor {}", tensor.name);
    if gguf.tensor(other).is_none() {
        return Err(gguf.invalid(field(), format!("no {other}"), "both halves"));
    }
    let plain = matches!(tensor.format, Format::F32 | Format::F16 | Format::BF16);
    if tensor.shape.len() != 2 || !plain {
        let found = format!("shape {:?} of {}", tensor.shape, tensor.format.name());
        return Err(gguf.invalid(field(), found, "a matrix in F32, F16 or BF16"));
    }
    Ok(())
}
