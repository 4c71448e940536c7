//! tokenizer.json of the byte-level kind.

use serde_json::Value;

use super::super::config::{Config, shown};
use super::pieces::{Kind, Pieces};
use super::{Found, pre};
use crate::Error;

/// Whether it is byte-level BPE, by its pre-tokenizer or decoder.
pub(super) fn is_byte_level(json: &Config) -> Result<bool, Error> {
    let steps = ["pre_tokenizer", "decoder"].map(|key| json.value(key));
    let level = steps.iter().flatten().any(|step| mentions(step, "ByteLevel"));
    let model = json.inner("model")?;
    Ok(level && model.is_some_and(|model| model.value("type").is_none_or(|kind| kind == "BPE")))
}

/// Whether a step or one of its sequence has a type.
fn mentions(step: &Value, kind: &str) -> bool {
    let is = |step: &Value| step.get("type").and_then(Value::as_str) == Some(kind);
    let lists =
        ["pretokenizers", "decoders"].into_iter().filter_map(|key| step.get(key)?.as_array());
    is(step) || lists.flatten().any(is)
}

/// Why another tokenizer.json cannot be carried over.
pub(super) fn reason(json: &Config) -> Result<String, Error> {
    let model = json.inner("model")?;
    let kind = model.as_ref().and_then(|model| model.value("type"));
    let kind = kind.map_or_else(|| "no".to_owned(), shown);
    Ok(format!(
        "tokenizer.json has a {kind} model that is not byte-level; GGUF needs its tokenizer.model beside it"
    ))
}

/// Tokens and merges; an error when the file contradicts itself or config.json.
pub(super) fn read(json: &Config, vocab: u32) -> Result<Found, Error> {
    let Some(model) = json.inner("model")? else {
        return Err(json.invalid("model", "no such key", "the tokenizer's model"));
    };
    let mut pieces = Pieces::new("gpt2", vocab);
    let Some(Value::Object(tokens)) = model.value("vocab") else {
        return Err(model.invalid("vocab", "nothing", "an object of tokens and ids"));
    };
    for (text, id) in tokens {
        let Some(id) = id.as_u64() else {
            return Err(model.invalid(
                &format!("vocab {}", crate::gguf::quote(text)),
                shown(id),
                "an id",
            ));
        };
        let taken = usize::try_from(id).ok().and_then(|id| pieces.tokens.get(id));
        if let Some((other, _)) = taken.filter(|token| token.1 != Kind::Unused) {
            let field = format!("vocab {}", crate::gguf::quote(text));
            let found = format!("id {id}, which is that of {} too", crate::gguf::quote(other));
            return Err(model.invalid(&field, found, "an id of its own"));
        }
        pieces.put(json, id, text, Kind::Normal)?;
    }
    pieces.added(json)?;
    let merges = model.list("merges", "a list of pairs of tokens", merge)?;
    pieces.merges = match merges {
        Some(merges) if !merges.is_empty() => merges,
        _ => {
            return Err(model.invalid(
                "merges",
                "nothing",
                "the pairs that are merged; a BPE vocabulary needs them",
            ));
        }
    };
    let whole = model.bool("ignore_merges")?.unwrap_or(false);
    let steps = json.value("pre_tokenizer").cloned().unwrap_or_default();
    match pre::name(&steps, whole) {
        Some(name) => pieces.pre = name,
        None => {
            pieces.pre = "unknown";
            pieces.notes.push(format!(
                "the pre-tokenizer of tokenizer.json is none that is known ({}): texts cannot be read, token ids can",
                shown(&steps)
            ));
        }
    }
    if let Some(normalizer) = json.value("normalizer") {
        pieces
            .notes
            .push(format!("texts are not normalised ({}), as in llama.cpp", shown(normalizer)));
    }
    Ok(Ok(pieces))
}

/// "a b", or ["a", "b"] in newer files.
fn merge(value: &Value) -> Option<String> {
    if let Some(text) = value.as_str() {
        return Some(text.to_owned());
    }
    match value.as_array()?.as_slice() {
        [a, b] => Some(format!("{} {}", a.as_str()?, b.as_str()?)),
        _ => None,
    }
}
