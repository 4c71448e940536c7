//! The tokens of a file to be, and the keys that hold them.

use serde_json::Value;

use super::super::config::{Config, shown};
use crate::Error;
use crate::gguf::{Header, quote};

/// GGUF's `tokenizer.ggml.token_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub(super) enum Kind {
    Normal = 1,
    Unknown = 2,
    Control = 3,
    UserDefined = 4,
    Unused = 5,
    Byte = 6,
}

/// All tokens, by id.
pub(super) struct Pieces {
    /// `tokenizer.ggml.model` and `.pre`.
    pub(super) model: &'static str,
    pub(super) pre: &'static str,
    pub(super) tokens: Vec<(String, Kind)>,
    pub(super) scores: Vec<f32>,
    pub(super) merges: Vec<String>,
    pub(super) space_prefix: Option<bool>,
    /// Begin, end and unknown, where the tokenizer itself says.
    pub(super) ids: [Option<u32>; 3],
    add_bos: Option<bool>,
    add_eos: Option<bool>,
    pub(super) notes: Vec<String>,
}

impl Pieces {
    /// So many tokens without a text, as llama.cpp's converter names those that a vocabulary leaves free.
    pub(super) fn new(model: &'static str, vocab: u32) -> Pieces {
        let tokens = (0..vocab).map(|id| (format!("[PAD{id}]"), Kind::Unused)).collect();
        Pieces {
            model,
            pre: "default",
            tokens,
            scores: Vec::new(),
            merges: Vec::new(),
            space_prefix: None,
            ids: [None; 3],
            add_bos: None,
            add_eos: None,
            notes: Vec::new(),
        }
    }

    /// Gives an id its text.
    pub(super) fn put(
        &mut self,
        file: &Config,
        id: u64,
        text: &str,
        kind: Kind,
    ) -> Result<(), Error> {
        let vocab = self.tokens.len();
        let slot = usize::try_from(id).ok().and_then(|id| self.tokens.get_mut(id));
        let Some(slot) = slot else {
            let field = format!("token {}", quote(text));
            let expected = format!("less than {vocab}, vocab_size of config.json");
            return Err(file.invalid(&field, format!("id {id}"), expected));
        };
        *slot = (text.to_owned(), kind);
        Ok(())
    }

    /// `added_tokens` of tokenizer.json: control tokens, and texts that are always one token.
    pub(super) fn added(&mut self, json: &Config) -> Result<(), Error> {
        let expected = "a list of objects with id, content and special";
        let added = json.list("added_tokens", expected, |token| {
            let special = token.get("special").and_then(Value::as_bool).unwrap_or(false);
            let (id, text) = (token.get("id")?.as_u64()?, token.get("content")?.as_str()?);
            Some((id, text.to_owned(), special))
        })?;
        for (id, text, special) in added.unwrap_or_default() {
            // SentencePiece's own unknown token stays what it is.
            let known = self.tokens.get(id as usize).filter(|token| token.0 == text);
            if known.is_some_and(|token| token.1 == Kind::Unknown) {
                continue;
            }
            let kind = if special { Kind::Control } else { Kind::UserDefined };
            self.put(json, id, &text, kind)?;
        }
        Ok(())
    }

    /// Begin and end of text, and whether the first is added.
    pub(super) fn ends(
        &mut self,
        json: Option<&Config>,
        settings: Option<&Config>,
        config: &Config,
    ) -> Result<(), Error> {
        for (slot, name) in [(0, "bos"), (1, "eos")] {
            let stated = self.named(settings, &format!("{name}_token"));
            let stated = match stated {
                Some(id) => Some(id),
                None => self.id_of(config, &format!("{name}_token_id"))?,
            };
            self.ids[slot] = stated.or(self.ids[slot]);
        }
        let stated = settings.map_or(Ok(None), |s| s.bool("add_bos_token"))?;
        let eos = settings.map_or(Ok(None), |s| s.bool("add_eos_token"))?;
        self.add_eos = eos.map(|add| add && self.ids[1].is_some());
        let template = json.and_then(|json| self.begins(json));
        self.add_bos = stated.or(template).map(|add| add && self.ids[0].is_some());
        Ok(())
    }

    /// The id of a token that tokenizer_config.json names by its text.
    fn named(&self, settings: Option<&Config>, key: &str) -> Option<u32> {
        let value = settings?.value(key)?;
        let text = value.as_str().or_else(|| value.get("content")?.as_str())?;
        self.tokens.iter().position(|token| token.0 == text).map(|id| id as u32)
    }

    /// An id of config.json, of several the first.
    fn id_of(&self, config: &Config, key: &str) -> Result<Option<u32>, Error> {
        let Some(value) = config.value(key) else { return Ok(None) };
        let first = value.as_array().and_then(|list| list.first()).unwrap_or(value);
        match first.as_u64().and_then(|id| u32::try_from(id).ok()) {
            Some(id) if (id as usize) < self.tokens.len() => Ok(Some(id)),
            // Some configurations say -1 for none.
            None if first.as_i64() == Some(-1) => Ok(None),
            _ => {
                let expected = format!("less than vocab_size {}", self.tokens.len());
                Err(config.invalid(key, shown(value), expected))
            }
        }
    }

    /// Whether the template of tokenizer.json begins with the token that begins a text.
    fn begins(&self, json: &Config) -> Option<bool> {
        let processor = json.value("post_processor")?;
        let steps = processor.get("processors").and_then(Value::as_array);
        let mut steps = steps.map_or_else(|| vec![processor], |list| list.iter().collect());
        steps.retain(|step| step.get("type").and_then(Value::as_str) == Some("TemplateProcessing"));
        let first = steps.first()?.get("single")?.as_array()?.first()?;
        let text = first.get("SpecialToken").and_then(|token| token.get("id")?.as_str());
        let bos = self.ids[0].and_then(|id| self.tokens.get(id as usize));
        Some(text.is_some() && text == bos.map(|token| token.0.as_str()))
    }

    /// Writes the keys.
    pub(super) fn set(&self, header: &mut Header) {
        let key = |name: &str| format!("tokenizer.ggml.{name}");
        header.set(&key("model"), self.model);
        header.set(&key("pre"), self.pre);
        let texts: Vec<&str> = self.tokens.iter().map(|token| token.0.as_str()).collect();
        let kinds: Vec<i32> = self.tokens.iter().map(|token| token.1 as i32).collect();
        header.set_array(&key("tokens"), &texts);
        if !self.scores.is_empty() {
            header.set_array(&key("scores"), &self.scores);
        }
        header.set_array(&key("token_type"), &kinds);
        if !self.merges.is_empty() {
            header.set_array(&key("merges"), &self.merges);
        }
        for (name, id) in ["bos", "eos", "unknown"].into_iter().zip(self.ids) {
            id.into_iter().for_each(|id| header.set(&key(&format!("{name}_token_id")), id));
        }
        if let Some(add) = self.add_bos {
            header.set(&key("add_bos_token"), add);
        }
        if let Some(add) = self.add_eos {
            header.set(&key("add_eos_token"), add);
        }
        if let Some(prefix) = self.space_prefix {
            header.set(&key("add_space_prefix"), prefix);
        }
    }
}
