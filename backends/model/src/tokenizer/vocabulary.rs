//! The tokens of a file: their bytes, their kinds, and the ids with a meaning.

use std::collections::HashMap;

use super::bytes;
use crate::gguf::{Type, quote_bytes};
use crate::{Error, Gguf};

pub(super) const TOKENS: &str = "tokenizer.ggml.tokens";
const TYPES: &str = "tokenizer.ggml.token_type";
/// Longest token; real ones have a few hundred bytes. Keeps the work per byte of text bounded.
pub(super) const MAX_TOKEN_BYTES: usize = 4096;
/// SentencePiece's space, U+2581.
pub(super) const SPACE: &str = "\u{2581}";

/// Tokens that end a generation or lay out a file for infilling. Files call some of them user-defined or even normal;
/// text must never turn into one, so they are control tokens here as they are in llama.cpp.
const CONTROL: &[&str] = &[
    "</s>",
    "<eos>",
    "[EOS]",
    "<|endoftext|>",
    "<|end_of_text|>",
    "<｜end▁of▁sentence｜>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|im_end|>",
    "<|end|>",
    "<end_of_turn>",
    "<end_of_utterance>",
    "<EOT>",
    "_<EOT>",
    "[EOT]",
    "<|return|>",
    "<|call|>",
    "<|fim_prefix|>",
    "<fim-prefix>",
    "<fim_prefix>",
    "<｜fim▁begin｜>",
    "<PRE>",
    "▁<PRE>",
    "<|fim_suffix|>",
    "<fim-suffix>",
    "<fim_suffix>",
    "<｜fim▁hole｜>",
    "<SUF>",
    "▁<SUF>",
    "<|fim_middle|>",
    "<fim-middle>",
    "<fim_middle>",
    "<｜fim▁end｜>",
    "<MID>",
    "▁<MID>",
    "<|fim_pad|>",
    "<fim-pad>",
    "<fim_pad>",
    "<PAD>",
    "[PAD]",
    "<|fim_repo|>",
    "<|repo_name|>",
    "<fim-repo>",
    "<REPO>",
    "<reponame>",
    "<|file_sep|>",
];

/// What a token is for (`tokenizer.ggml.token_type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    Normal,
    /// Stands for what the vocabulary has no token for.
    Unknown,
    /// Not text: begin, end, roles of a chat.
    Control,
    /// Text that is always one token.
    UserDefined,
    /// One byte.
    Byte,
}

/// How a file's tokens are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alphabet {
    /// Byte-level: every character stands for a byte.
    Bytes,
    /// SentencePiece: text, with `▁` for the space.
    Text,
}

/// Every token of a file.
pub(super) struct Vocabulary {
    /// What the tokens decode to, one after another.
    bytes: Vec<u8>,
    /// Ends of the tokens in `bytes`.
    ends: Vec<u32>,
    kinds: Vec<Kind>,
    pub(super) bos: Option<u32>,
    pub(super) eos: Option<u32>,
    pub(super) unknown: Option<u32>,
}

/// A token as it stands in the file.
#[derive(Clone, Copy)]
pub(super) struct Entry<'a> {
    pub(super) id: u32,
    pub(super) text: &'a str,
    pub(super) kind: Kind,
}

impl Vocabulary {
    /// Reads and checks the tokens; also gives them as they stand in the file.
    pub(super) fn read(
        gguf: &Gguf,
        alphabet: Alphabet,
    ) -> Result<(Vocabulary, Vec<Entry<'_>>), Error> {
        let texts = texts(gguf)?;
        let kinds = kinds(gguf, &texts, alphabet)?;
        let mut vocabulary = Vocabulary {
            bytes: Vec::new(),
            ends: Vec::with_capacity(texts.len()),
            kinds,
            bos: None,
            eos: None,
            unknown: None,
        };
        for (text, kind) in texts.iter().zip(&vocabulary.kinds) {
            vocabulary.bytes.extend(decoded(text, *kind, alphabet));
            let end = u32::try_from(vocabulary.bytes.len());
            vocabulary.ends.push(end.expect("metadata are far below 4 GiB"));
        }
        let id = |key: &str| vocabulary.named(gguf, key);
        let ids = [id("bos")?, id("eos")?, id("unknown")?];
        [vocabulary.bos, vocabulary.eos, vocabulary.unknown] = ids;
        let kinds = vocabulary.kinds.iter();
        let entries =
            texts.iter().zip(kinds).zip(0..).map(|((text, &kind), id)| Entry { id, text, kind });
        let entries = entries.collect();
        Ok((vocabulary, entries))
    }

    /// The id under `tokenizer.ggml.NAME_token_id`.
    fn named(&self, gguf: &Gguf, name: &str) -> Result<Option<u32>, Error> {
        let key = format!("tokenizer.ggml.{name}_token_id");
        let Some(id) = gguf.unsigned(&key)? else { return Ok(None) };
        match u32::try_from(id) {
            Ok(id) if id < self.len() => Ok(Some(id)),
            _ => Err(gguf.invalid(key, id, format!("less than the vocabulary of {}", self.len()))),
        }
    }

    /// Tokens.
    pub(super) fn len(&self) -> u32 {
        self.ends.len() as u32
    }

    /// What a token decodes to. `id` must be below `len`.
    pub(super) fn bytes(&self, id: u32) -> &[u8] {
        let i = id as usize;
        let start = if i == 0 { 0 } else { self.ends[i - 1] };
        &self.bytes[start as usize..self.ends[i] as usize]
    }

    /// What a token is for. `id` must be below `len`.
    pub(super) fn kind(&self, id: u32) -> Kind {
        self.kinds[id as usize]
    }
}

/// The tokens' texts: UTF-8, of bounded length, no two the same.
fn texts(gguf: &Gguf) -> Result<Vec<&str>, Error> {
    let Some(array) = gguf.array(TOKENS, &[Type::String])? else {
        return Err(gguf.invalid(TOKENS, "nothing", "the tokens; this file has no vocabulary"));
    };
    if array.is_empty() || u32::try_from(array.len()).is_err() {
        return Err(gguf.invalid(TOKENS, format!("{} tokens", array.len()), "1 to 2^32 tokens"));
    }
    let mut texts = Vec::with_capacity(array.len());
    let mut first: HashMap<&[u8], usize, foldhash::fast::RandomState> = HashMap::default();
    for (i, bytes) in array.strings().enumerate() {
        let invalid = |found: String, expected: String| {
            Err(gguf.invalid(format!("{TOKENS}[{i}]"), found, expected))
        };
        if bytes.len() > MAX_TOKEN_BYTES {
            let found = format!("{} bytes", bytes.len());
            return invalid(found, format!("at most {MAX_TOKEN_BYTES} bytes"));
        }
        let Ok(text) = std::str::from_utf8(bytes) else {
            return invalid(format!("{}, not UTF-8", quote_bytes(bytes)), "UTF-8 text".into());
        };
        // An empty token never stands for anything; several do no harm.
        if let Some(first) = first.insert(bytes, i).filter(|_| !bytes.is_empty()) {
            let found = format!("{}, which is token {first} too", quote_bytes(bytes));
            return invalid(found, "a text of its own".into());
        }
        texts.push(text);
    }
    Ok(texts)
}

fn kinds(gguf: &Gguf, texts: &[&str], alphabet: Alphabet) -> Result<Vec<Kind>, Error> {
    let Some(array) = gguf.array(TYPES, &[Type::I32, Type::U32])? else {
        let kind =
            |text: &&str| if spelled_byte(text).is_some() { Kind::Byte } else { Kind::Normal };
        return Ok(match alphabet {
            Alphabet::Bytes => vec![Kind::Normal; texts.len()],
            Alphabet::Text => texts.iter().map(kind).collect(),
        });
    };
    if array.len() != texts.len() {
        let expected = format!("{}, one for each token", texts.len());
        return Err(gguf.invalid(format!("{TYPES} length"), array.len(), expected));
    }
    let kind = |(i, value): (usize, crate::gguf::Value<'_>)| {
        Ok(match (value.unsigned_or_positive(), alphabet) {
            (Some(2), _) => Kind::Unknown,
            (Some(3), _) => Kind::Control,
            (Some(0..=6), _) if CONTROL.contains(&texts[i]) => Kind::Control,
            // SentencePiece's own user-defined symbols; with `▁` in them they are found as any other token.
            (Some(4), Alphabet::Text) if texts[i].contains(SPACE) => Kind::Normal,
            (Some(4), _) => Kind::UserDefined,
            (Some(6), Alphabet::Text) => match spelled_byte(texts[i]) {
                Some(_) => Kind::Byte,
                None => {
                    let found = format!("byte token {}", quote_bytes(texts[i].as_bytes()));
                    let field = format!("{TOKENS}[{i}]");
                    return Err(gguf.invalid(field, found, "<0x00> to <0xFF>"));
                }
            },
            // Undefined, normal, unused: text, as llama.cpp has it.
            (Some(0 | 1 | 5 | 6), _) => Kind::Normal,
            _ => {
                let field = format!("{TYPES}[{i}]");
                return Err(gguf.invalid(field, value.display(), "a token type from 0 to 6"));
            }
        })
    };
    array.iter().enumerate().map(kind).collect()
}

/// The byte of `<0x0A>`.
pub(super) fn spelled_byte(text: &str) -> Option<u8> {
    let hex = text.strip_prefix("<0x")?.strip_suffix('>')?;
    let digits = hex.len() == 2 && hex.bytes().all(|b| b.is_ascii_hexdigit());
    u8::from_str_radix(hex, 16).ok().filter(|_| digits)
}

/// The bytes a token stands for.
fn decoded(text: &str, kind: Kind, alphabet: Alphabet) -> Vec<u8> {
    let spelled = || text.as_bytes().to_vec();
    match (kind, alphabet) {
        (Kind::Normal, Alphabet::Bytes) => bytes::decode(text).unwrap_or_else(spelled),
        (Kind::Normal, Alphabet::Text) => text.replace(SPACE, " ").into_bytes(),
        (Kind::Byte, _) => spelled_byte(text).map_or_else(spelled, |byte| vec![byte]),
        (Kind::Control | Kind::Unknown | Kind::UserDefined, _) => spelled(),
    }
}
