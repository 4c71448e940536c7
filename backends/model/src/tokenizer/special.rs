//! Special tokens in text: found before anything else is done to it, leftmost first and of several the longest.
//!
//! llama.cpp searches for the longest token in the whole text first; the two differ only where special tokens overlap
//! in part. This one is linear in the text, however many tokens the file declares.

use aho_corasick::{AhoCorasick, MatchKind};

use super::vocabulary::{Kind, Vocabulary};
use crate::{Error, Gguf};

/// Most bytes of all special tokens; vocabularies with thousands of them have 100 KB.
const MAX_SPECIAL_BYTES: usize = 1 << 20;

/// A part of a text.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fragment<'a> {
    /// Text without special tokens, never empty, and where it begins.
    Text(&'a [u8], usize),
    /// A special token.
    Token(u32),
}

/// One set of special tokens.
struct Finder {
    automaton: AhoCorasick,
    ids: Vec<u32>,
}

/// The special tokens of a vocabulary.
pub(super) struct Special {
    /// Those the author of the vocabulary wants recognised in any text.
    user: Option<Finder>,
    /// Those and the control tokens.
    all: Option<Finder>,
    /// Spaces after a control token belong to it, except after these. Files do not say so: it goes by the model's name,
    /// as in llama.cpp.
    keep_space_after: Option<Vec<u32>>,
}

impl Special {
    /// Collects a vocabulary's special tokens.
    pub(super) fn new(gguf: &Gguf, vocabulary: &Vocabulary) -> Result<Special, Error> {
        let user = finder(gguf, vocabulary, |kind| kind == Kind::UserDefined)?;
        let special = |kind| matches!(kind, Kind::UserDefined | Kind::Control | Kind::Unknown);
        let name = gguf.str("general.name")?.unwrap_or_default().to_lowercase();
        let keep_space_after = ["phi-3", "phi3"].iter().any(|phi| name.contains(phi)).then(|| {
            let names: [&[u8]; 3] = [b"<unk>", b"<s>", b"<|endoftext|>"];
            (0..vocabulary.len()).filter(|&id| names.contains(&vocabulary.bytes(id))).collect()
        });
        Ok(Special { user, all: finder(gguf, vocabulary, special)?, keep_space_after })
    }

    /// Cuts a text at its special tokens; `control` says whether control tokens may be written as text.
    pub(super) fn split<'a>(
        &'a self,
        text: &'a [u8],
        control: bool,
        mut each: impl FnMut(Fragment<'a>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut done = 0;
        if let Some(finder) = if control { &self.all } else { &self.user } {
            for found in finder.automaton.find_iter(text) {
                if found.start() > done {
                    each(Fragment::Text(&text[done..found.start()], done))?;
                }
                let id = finder.ids[found.pattern().as_usize()];
                each(Fragment::Token(id))?;
                done = found.end();
                if self.keep_space_after.as_ref().is_some_and(|keep| !keep.contains(&id)) {
                    done += text[done..].iter().take_while(|&&b| is_space(b)).count();
                }
            }
        }
        if done < text.len() {
            each(Fragment::Text(&text[done..], done))?;
        }
        Ok(())
    }
}

/// C's `isspace`.
fn is_space(byte: u8) -> bool {
    byte == b' ' || (0x09..=0x0d).contains(&byte)
}

fn finder(
    gguf: &Gguf,
    vocabulary: &Vocabulary,
    wanted: impl Fn(Kind) -> bool,
) -> Result<Option<Finder>, Error> {
    let ids: Vec<u32> = (0..vocabulary.len())
        .filter(|&id| wanted(vocabulary.kind(id)) && !vocabulary.bytes(id).is_empty())
        .collect();
    if ids.is_empty() {
        return Ok(None);
    }
    let patterns = || ids.iter().map(|&id| vocabulary.bytes(id));
    let bytes: usize = patterns().map(<[u8]>::len).sum();
    let too_large = |found: String| {
        let field = "special tokens of tokenizer.ggml.tokens";
        gguf.invalid(field, found, format!("at most {MAX_SPECIAL_BYTES} bytes"))
    };
    if bytes > MAX_SPECIAL_BYTES {
        return Err(too_large(format!("{bytes} bytes")));
    }
    let automaton = AhoCorasick::builder()
        .match_kind(MatchKind::LeftmostLongest)
        .build(patterns())
        .map_err(|error| too_large(error.to_string()))?;
    Ok(Some(Finder { automaton, ids }))
}
