//! `yardstick model detokenize`: the bytes that token ids stand for.

use std::io::{self, IsTerminal, Write};
use std::path::Path;

use anyhow::{Result, anyhow};
use yardstick_model::Gguf;
use yardstick_model::tokenizer::Tokenizer;

use super::tokenize::input;
use crate::console;
use crate::verbs::DONE;

/// Prints the bytes of ids given by flag or by file, and nothing else: no newline is added.
pub(crate) fn run(model: &Path, ids: &[u32], file: Option<&Path>, control: bool) -> Result<u8> {
    let tokenizer = Tokenizer::from_gguf(&Gguf::open(model)?)?;
    let bytes = match file {
        Some(file) => tokenizer.decode(&parse(&input(file)?)?, control)?,
        None => tokenizer.decode(ids, control)?,
    };
    let mut out = io::stdout().lock();
    match out.is_terminal() {
        true => writeln!(out, "{}", console::harmless(&String::from_utf8_lossy(&bytes)))?,
        false => out.write_all(&bytes)?,
    }
    out.flush()?;
    Ok(DONE)
}

/// Numbers between spaces, line ends, commas and brackets: what `tokenize` prints, or a JSON array.
fn parse(text: &[u8]) -> Result<Vec<u32>> {
    let words = text.split(|byte| byte.is_ascii_whitespace() || b",[]".contains(byte));
    let mut ids = Vec::new();
    for word in words.filter(|word| !word.is_empty()) {
        let id = std::str::from_utf8(word).ok().and_then(|word| word.parse().ok());
        let shown = || String::from_utf8_lossy(&word[..word.len().min(40)]).into_owned();
        let number = ids.len();
        ids.push(
            id.ok_or_else(|| anyhow!("token {number}: found {:?}, expected a token id", shown()))?,
        );
    }
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_from_lines_and_arrays_and_what_is_no_id_is_named() {
        assert_eq!(parse(b"1 2\n3\n").unwrap(), [1, 2, 3]);
        assert_eq!(parse(b"[1, 20,300]").unwrap(), [1, 20, 300]);
        assert!(parse(b" \n").unwrap().is_empty());
        for (text, wanted) in [
            (&b"1 -2"[..], "token 1: found \"-2\""),
            (b"x", "token 0"),
            (b"1 4294967296", "token 1"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(wanted), "{error}");
        }
    }
}
