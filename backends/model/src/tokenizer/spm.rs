//! SentencePiece vocabularies (`llama`): characters merged by the score of what they become, bytes for the rest.

use std::collections::HashMap;

use super::Unmatched;
use super::bpe::Work;
use super::merge::{Join, Merger, NONE, Symbol};
use super::split::first;
use super::vocabulary::{Alphabet, Kind, MAX_TOKEN_BYTES, SPACE, Vocabulary, spelled_byte};
use crate::gguf::{Type, Value};
use crate::{Error, Gguf};

const SCORES: &str = "tokenizer.ggml.scores";
/// No byte token.
const ABSENT: [u32; 256] = [NONE; 256];

/// Scores and the tokens they order.
pub(super) struct Spm {
    /// Tokens that text can become, by their text with `▁` for spaces: order (lowest first) and id.
    tokens: HashMap<Box<[u8]>, (u32, u32), foldhash::fast::RandomState>,
    /// The token of each byte, [`NONE`] where there is none.
    of_byte: [u32; 256],
    unknown: Option<u32>,
    /// A space before the text and after special tokens.
    pub(super) space_prefix: bool,
    /// Runs of spaces become one, those at the ends none.
    pub(super) trim: bool,
    /// No token has a space after something else, so words can be merged one by one.
    by_word: bool,
}

impl Spm {
    /// Reads the tokens and their scores.
    pub(super) fn read(gguf: &Gguf) -> Result<(Spm, Vocabulary), Error> {
        let (mut vocabulary, entries) = Vocabulary::read(gguf, Alphabet::Text)?;
        let orders = orders(gguf, entries.len())?;
        let (mut tokens, mut of_byte) = (HashMap::default(), ABSENT);
        for (entry, order) in entries.iter().zip(orders) {
            match (entry.kind, spelled_byte(entry.text)) {
                (Kind::Byte, Some(byte)) => of_byte[usize::from(byte)] = entry.id,
                (Kind::Normal, _) if !entry.text.is_empty() => {
                    tokens.insert(entry.text.as_bytes().into(), (order, entry.id));
                }
                _ => {}
            }
        }
        default_ids(&mut vocabulary);
        let by_word = !entries.iter().any(|e| e.kind == Kind::Normal && spaced_inside(e.text));
        let flag = |name: &str| gguf.bool(&format!("tokenizer.ggml.{name}"));
        let spm = Spm {
            tokens,
            of_byte,
            unknown: vocabulary.unknown,
            space_prefix: flag("add_space_prefix")?.unwrap_or(true),
            trim: flag("remove_extra_whitespaces")?.unwrap_or(false),
            by_word,
        };
        Ok((spm, vocabulary))
    }

    /// Appends the tokens of a text without special tokens; an error is the place of a byte that has no token.
    pub(super) fn encode(
        &self,
        text: &[u8],
        prefix: bool,
        work: &mut Work,
        out: &mut Vec<u32>,
    ) -> Result<(), Unmatched> {
        let trimmed = self.trim.then(|| trim(text));
        let text = trimmed.as_deref().unwrap_or(text);
        let mut escaped = Escaped::default();
        if prefix && self.space_prefix && !text.is_empty() {
            escaped.space(0);
        }
        let mut at = 0;
        while at < text.len() {
            let (len, valid) = first(&text[at..]);
            let c = &text[at..at + len];
            match valid {
                _ if c == b" " => escaped.space(at),
                // The sign for a space, as text: by its bytes, or it would come back as a space.
                true if c == SPACE.as_bytes() && self.of_byte != ABSENT => escaped.literal(c, at),
                true => escaped.character(c, at),
                false => escaped.literal(c, at),
            }
            at += len;
        }
        escaped.end();
        for part in &escaped.parts {
            self.part(&escaped, part, work, out)?;
        }
        Ok(())
    }

    fn part(
        &self,
        escaped: &Escaped,
        part: &Part,
        work: &mut Work,
        out: &mut Vec<u32>,
    ) -> Result<(), Unmatched> {
        let text = &escaped.text[part.start..part.end];
        if part.literal {
            return self.by_byte(text, out).map_err(|_| Unmatched(part.source));
        }
        let mut start = 0;
        while start < text.len() {
            let end = if self.by_word { word_end(text, start) } else { text.len() };
            let word = &text[start..end];
            if !work.words.recall(word, out) {
                let before = out.len();
                self.word(word, &mut work.merger, out).map_err(|_| Unmatched(part.source))?;
                // An unknown run depends on what came before it.
                if self.unknown.is_none_or(|unknown| !out[before..].contains(&unknown)) {
                    work.words.keep(word, &out[before..]);
                }
            }
            start = end;
        }
        Ok(())
    }

    /// One word, spaces as `▁`.
    fn word(&self, word: &[u8], merger: &mut Merger, out: &mut Vec<u32>) -> Result<(), Unmatched> {
        merger.clear();
        let mut at = 0;
        while at < word.len() {
            let len = first(&word[at..]).0;
            let id = self.tokens.get(&word[at..at + len]).map_or(NONE, |token| token.1);
            merger.push(at as u32, len as u32, id);
            at += len;
        }
        for symbol in merger.merge(word, self) {
            match symbol.id {
                NONE => match span(word, symbol.start, symbol.len) {
                    space if space == SPACE.as_bytes() => self.by_byte(b" ", out)?,
                    other => self.by_byte(other, out)?,
                },
                id => out.push(id),
            }
        }
        Ok(())
    }

    /// A character that is no token: its bytes, or the unknown token once for a run of such characters.
    fn by_byte(&self, c: &[u8], out: &mut Vec<u32>) -> Result<(), Unmatched> {
        let ids = c.iter().map(|&byte| self.of_byte[usize::from(byte)]);
        if ids.clone().all(|id| id != NONE) {
            out.extend(ids);
            return Ok(());
        }
        let unknown = self.unknown.ok_or(Unmatched(0))?;
        if out.last() != Some(&unknown) {
            out.push(unknown);
        }
        Ok(())
    }
}

impl Join for Spm {
    fn join(&self, text: &[u8], left: &Symbol, right: &Symbol) -> Option<(u32, u32)> {
        let len = left.len + right.len;
        (len as usize <= MAX_TOKEN_BYTES)
            .then(|| self.tokens.get(span(text, left.start, len)).copied())?
    }
}

fn span(text: &[u8], start: u32, len: u32) -> &[u8] {
    &text[start as usize..(start + len) as usize]
}

/// Text with `▁` for spaces, in parts that merge apart from each other.
#[derive(Default)]
struct Escaped {
    text: Vec<u8>,
    parts: Vec<Part>,
    /// Where the part that is being written begins, here and in the source.
    open: (usize, usize),
}

struct Part {
    start: usize,
    end: usize,
    /// Place in the source, for messages.
    source: usize,
    /// Bytes to be taken one by one.
    literal: bool,
}

impl Escaped {
    fn space(&mut self, source: usize) {
        self.character(SPACE.as_bytes(), source);
    }

    fn character(&mut self, c: &[u8], source: usize) {
        if self.open.0 == self.text.len() {
            self.open.1 = source;
        }
        self.text.extend_from_slice(c);
    }

    fn literal(&mut self, bytes: &[u8], source: usize) {
        self.end();
        let start = self.text.len();
        self.text.extend_from_slice(bytes);
        self.parts.push(Part { start, end: self.text.len(), source, literal: true });
        self.open.0 = self.text.len();
    }

    fn end(&mut self) {
        let ((start, source), end) = (self.open, self.text.len());
        if end > start {
            self.parts.push(Part { start, end, source, literal: false });
            self.open.0 = end;
        }
    }
}

/// Where a word ends: before a `▁` that follows something else.
fn word_end(text: &[u8], start: usize) -> usize {
    let mut at = start;
    while text[at..].starts_with(SPACE.as_bytes()) {
        at += SPACE.len();
    }
    while at < text.len() && !text[at..].starts_with(SPACE.as_bytes()) {
        at += 1;
    }
    at
}

/// A token that continues over the end of a word.
fn spaced_inside(text: &str) -> bool {
    text.trim_start_matches(SPACE).contains(SPACE)
}

fn trim(text: &[u8]) -> Vec<u8> {
    let words = text.split(|&b| b == b' ').filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(&b' ')
}

/// Files before the keys were written: SentencePiece's own first three tokens, where they are what they should be.
fn default_ids(vocabulary: &mut Vocabulary) {
    let of_kind =
        |id: u32, kind| Some(id).filter(|&id| id < vocabulary.len() && vocabulary.kind(id) == kind);
    let unknown = vocabulary.unknown.or(of_kind(0, Kind::Unknown));
    let bos = vocabulary.bos.or(of_kind(1, Kind::Control));
    let eos = vocabulary.eos.or(of_kind(2, Kind::Control));
    (vocabulary.unknown, vocabulary.bos, vocabulary.eos) = (unknown, bos, eos);
}

/// Scores as numbers that order merges, the best score first.
fn orders(gguf: &Gguf, tokens: usize) -> Result<Vec<u32>, Error> {
    let Some(array) = gguf.array(SCORES, &[Type::F32])? else {
        let expected =
            "the scores of a SentencePiece vocabulary, without which text cannot be tokenized";
        return Err(gguf.invalid(SCORES, "nothing", expected));
    };
    if array.len() != tokens {
        let expected = format!("{tokens}, one for each token");
        return Err(gguf.invalid(format!("{SCORES} length"), array.len(), expected));
    }
    let order = |(i, value): (usize, Value<'_>)| match value {
        Value::F32(score) if !score.is_nan() => Ok(order(score)),
        other => Err(gguf.invalid(format!("{SCORES}[{i}]"), other.display(), "a number")),
    };
    array.iter().enumerate().map(order).collect()
}

/// Ordered as the score, reversed; both zeros alike.
fn order(score: f32) -> u32 {
    let bits = (score + 0.0).to_bits();
    let ascending = if bits >> 31 == 0 { bits | 1 << 31 } else { !bits };
    !ascending
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn better_scores_come_first_and_zeros_are_equal() {
        let scores = [f32::INFINITY, 3.0, 1e-40, 0.0, -1e-40, -2.0, -1000.0, f32::NEG_INFINITY];
        assert!(scores.windows(2).all(|w| order(w[0]) < order(w[1])));
        assert_eq!(order(0.0), order(-0.0));
    }

    #[test]
    fn words_end_before_a_space_that_follows_something_else() {
        let text = "▁▁ab▁▁c▁".as_bytes();
        let mut words = Vec::new();
        let mut start = 0;
        while start < text.len() {
            let end = word_end(text, start);
            words.push(std::str::from_utf8(&text[start..end]).unwrap());
            start = end;
        }
        assert_eq!(words, ["▁▁ab", "▁▁c", "▁"]);
        assert!(spaced_inside("▁a▁b") && !spaced_inside("▁▁") && !spaced_inside("▁a"));
    }

    #[test]
    fn trimming_leaves_single_spaces_between_words() {
        assert_eq!(trim(b"  a   b \n c "), b"a b \n c");
        assert_eq!(trim(b"   "), b"");
    }
}
