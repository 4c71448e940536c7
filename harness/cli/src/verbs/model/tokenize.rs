//! `yardstick model tokenize`: a text's token ids, as the model's own tokenizer gives them.

use std::io::{self, Read, Write};
use std::path::Path;

use anyhow::{Context, Result};
use yardstick_model::Gguf;
use yardstick_model::tokenizer::{Encoding, Tokenizer};

use crate::verbs::DONE;

/// Prints the ids of a text file in one line, or as JSON with the bytes of each.
pub(crate) fn run(model: &Path, text: &Path, how: Encoding, json: bool) -> Result<u8> {
    let tokenizer = Tokenizer::from_gguf(&Gguf::open(model)?)?;
    let text = input(text)?;
    let ids = tokenizer.encode(&text, how)?;
    let mut out = io::BufWriter::new(io::stdout().lock());
    if json {
        let tokens: Vec<_> = ids.iter().map(|&id| token(&tokenizer, id)).collect();
        let document = serde_json::json!({
            "model": model.display().to_string(),
            "tokenizer": tokenizer.model(),
            "text_bytes": text.len(),
            "tokens": tokens,
        });
        writeln!(out, "{document}")?;
    } else {
        for (i, id) in ids.iter().enumerate() {
            let space = if i == 0 { "" } else { " " };
            write!(out, "{space}{id}")?;
        }
        writeln!(out)?;
    }
    out.flush()?;
    Ok(DONE)
}

/// One token; its text is null where its bytes alone are not UTF-8.
fn token(tokenizer: &Tokenizer, id: u32) -> serde_json::Value {
    let bytes = tokenizer.piece(id).unwrap_or_default();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    serde_json::json!({ "id": id, "text": std::str::from_utf8(bytes).ok(), "bytes": hex })
}

/// All bytes of a file, or of standard input for `-`.
pub(super) fn input(path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = match path.as_os_str() == "-" {
        true => io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes),
        false => std::fs::read(path),
    };
    read.with_context(|| format!("cannot read {}", path.display()))
}
