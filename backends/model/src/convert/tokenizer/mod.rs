//! A checkpoint's tokenizer in GGUF's keys: byte-level BPE from tokenizer.json, SentencePiece from tokenizer.model.
//!
//! What cannot be carried over exactly is not carried over: the model runs on token ids, and the reason is told.

mod bpe;
mod pieces;
mod pre;
mod sentencepiece;

use std::path::Path;

use super::config::Config;
use crate::Error;
use crate::gguf::Header;

use pieces::Pieces;

/// Longest tokenizer.json; the largest published ones have 35 MB.
const MAX_JSON_BYTES: u64 = 128 << 20;

/// What became of the tokenizer.
pub(super) enum Text {
    /// It is in the file; notes on what may differ.
    Complete(Vec<String>),
    /// It is not, and why: the model runs, texts cannot be read.
    Missing(String),
}

/// Sets the tokenizer's keys, or says that there is none.
pub(super) fn set(header: &mut Header, folder: &Path, config: &Config) -> Result<Text, Error> {
    let read = |name: &str| match folder.join(name).is_file() {
        true => Config::read(&folder.join(name), MAX_JSON_BYTES).map(Some),
        false => Ok(None),
    };
    let (json, settings) = (read("tokenizer.json")?, read("tokenizer_config.json")?);
    let protobuf = folder.join("tokenizer.model");
    let vocab = config.required("vocab_size")?;
    let found = match &json {
        Some(json) if bpe::is_byte_level(json)? => bpe::read(json, vocab)?,
        _ if protobuf.is_file() => sentencepiece::read(&protobuf, json.as_ref(), vocab)?,
        Some(json) => Err(bpe::reason(json)?),
        None => Err("there is neither tokenizer.json nor tokenizer.model".to_owned()),
    };
    match found {
        Ok(mut pieces) => {
            pieces.ends(json.as_ref(), settings.as_ref(), config)?;
            pieces.set(header);
            Ok(Text::Complete(pieces.notes))
        }
        Err(reason) => {
            header.set("tokenizer.ggml.model", "no_vocab");
            Ok(Text::Missing(reason))
        }
    }
}

/// Pieces, or why there are none.
type Found = Result<Pieces, String>;
