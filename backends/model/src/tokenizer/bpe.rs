//! Byte-level vocabularies (`gpt2`): words of bytes, merged by rank.

use std::collections::HashMap;

use super::merge::{Join, Merger, NONE, Symbol};
use super::split::{Splitter, Text};
use super::vocabulary::{Alphabet, Entry, Kind, Vocabulary};
use super::words::Words;
use super::{Unmatched, bytes};
use crate::gguf::{Type, quote_bytes};
use crate::{Error, Gguf};

const MERGES: &str = "tokenizer.ggml.merges";
const PRE: &str = "tokenizer.ggml.pre";

type Map<K, V> = HashMap<K, V, foldhash::fast::RandomState>;

/// Merges and the words they apply to.
///
/// Symbols are byte strings: those of tokens, and those that merges pass through without there being a token.
pub(super) struct Bpe {
    pub(super) splitter: &'static Splitter,
    /// By left and right symbol: rank and result.
    merges: Map<u64, (u32, u32)>,
    /// The symbol of each byte.
    of_byte: [u32; 256],
    /// The token of each symbol, [`NONE`] where there is none.
    tokens: Vec<u32>,
    /// Tokens by their bytes, where whole words are looked up first.
    whole: Option<Map<Box<[u8]>, u32>>,
}

/// Symbols while they are collected.
#[derive(Default)]
struct Symbols {
    ids: Map<Box<[u8]>, u32>,
    tokens: Vec<u32>,
}

impl Symbols {
    /// The symbol of a byte string, made if it is new.
    fn get(&mut self, bytes: Vec<u8>) -> u32 {
        let next = self.tokens.len() as u32;
        let id = *self.ids.entry(bytes.into()).or_insert(next);
        if id == next {
            self.tokens.push(NONE);
        }
        id
    }
}

impl Bpe {
    /// Reads the pre-tokenizer, the tokens and the merges.
    pub(super) fn read(gguf: &Gguf) -> Result<(Bpe, Vocabulary), Error> {
        let splitter = splitter(gguf)?;
        let (vocabulary, entries) = Vocabulary::read(gguf, Alphabet::Bytes)?;
        let mut symbols = Symbols::default();
        for entry in &entries {
            if let Some(bytes) = reachable(entry) {
                let symbol = symbols.get(bytes);
                symbols.tokens[symbol as usize] = entry.id;
            }
        }
        let of_byte = std::array::from_fn(|byte| symbols.get(vec![byte as u8]));
        let merges = merges(gguf, &mut symbols)?;
        let Symbols { ids, tokens } = symbols;
        let whole = splitter.whole_words.then(|| {
            let token = |(word, id): (Box<[u8]>, u32)| (word, tokens[id as usize]);
            ids.into_iter().map(token).filter(|&(_, token)| token != NONE).collect()
        });
        Ok((Bpe { splitter, merges, of_byte, tokens, whole }, vocabulary))
    }

    /// Appends the tokens of a text without special tokens; an error is the place of a byte that has no token.
    pub(super) fn encode(
        &self,
        text: &[u8],
        work: &mut Work,
        out: &mut Vec<u32>,
    ) -> Result<(), Unmatched> {
        self.splitter.split(Text::new(text), &mut |start, end| {
            let word = &text[start..end];
            if work.words.recall(word, out) {
                return Ok(());
            }
            let before = out.len();
            self.word(word, &mut work.merger, out).map_err(|at| Unmatched(start + at.0))?;
            work.words.keep(word, &out[before..]);
            Ok(())
        })
    }

    fn word(&self, word: &[u8], merger: &mut Merger, out: &mut Vec<u32>) -> Result<(), Unmatched> {
        if let Some(&id) = self.whole.as_ref().and_then(|whole| whole.get(word)) {
            out.push(id);
            return Ok(());
        }
        merger.clear();
        for (i, &byte) in (0..).zip(word) {
            merger.push(i, 1, self.of_byte[usize::from(byte)]);
        }
        for symbol in merger.merge(word, self) {
            match self.tokens[symbol.id as usize] {
                NONE => self.by_byte(word, &symbol, out)?,
                id => out.push(id),
            }
        }
        Ok(())
    }

    /// A merge can end in a symbol that is no token; its bytes are.
    fn by_byte(&self, word: &[u8], symbol: &Symbol, out: &mut Vec<u32>) -> Result<(), Unmatched> {
        for i in symbol.start..symbol.start + symbol.len {
            let byte = self.of_byte[usize::from(word[i as usize])];
            match self.tokens[byte as usize] {
                NONE => return Err(Unmatched(i as usize)),
                id => out.push(id),
            }
        }
        Ok(())
    }
}

impl Join for Bpe {
    fn join(&self, _: &[u8], left: &Symbol, right: &Symbol) -> Option<(u32, u32)> {
        self.merges.get(&pair(left.id, right.id)).copied()
    }
}

/// What encoding needs beside the tables; kept over the fragments of a text.
#[derive(Default)]
pub(super) struct Work {
    pub(super) merger: Merger,
    pub(super) words: Words,
}

fn pair(left: u32, right: u32) -> u64 {
    u64::from(left) << 32 | u64::from(right)
}

/// The bytes under which merges find a token: never a control token, and only what decodes to the same bytes.
fn reachable(entry: &Entry<'_>) -> Option<Vec<u8>> {
    let verbatim = || entry.text.bytes().all(|b| b.is_ascii_graphic());
    let found = match entry.kind {
        Kind::Normal => true,
        Kind::UserDefined => verbatim(),
        Kind::Control | Kind::Unknown | Kind::Byte => false,
    };
    bytes::decode(entry.text).filter(|bytes| found && !bytes.is_empty())
}

fn splitter(gguf: &Gguf) -> Result<&'static Splitter, Error> {
    // Files from before the key was invented: llama.cpp takes its default and warns.
    let name = gguf.str(PRE)?.unwrap_or("default");
    Splitter::named(name).ok_or_else(|| {
        let what = format!("pre-tokenizer {} ({PRE})", quote_bytes(name.as_bytes()));
        gguf.unsupported(what, Splitter::names().join(", "))
    })
}

/// Merges in order of rank; the first of a pair counts. One whose sides are not of the alphabet can never apply.
fn merges(gguf: &Gguf, symbols: &mut Symbols) -> Result<Map<u64, (u32, u32)>, Error> {
    let array = gguf.array(MERGES, &[Type::String])?.filter(|array| !array.is_empty());
    let Some(array) = array else {
        let expected =
            "the merges of a byte-level vocabulary, without which text cannot be tokenized";
        return Err(gguf.invalid(MERGES, "nothing", expected));
    };
    let mut merges = Map::default();
    for (rank, merge) in (0u32..).zip(array.strings()) {
        let invalid = |expected: &str| {
            gguf.invalid(format!("{MERGES}[{rank}]"), quote_bytes(merge), expected)
        };
        let text = std::str::from_utf8(merge).map_err(|_| invalid("UTF-8 text"))?;
        // A side may begin with a space in vocabularies that are not byte-level, never be empty.
        let space = text.bytes().skip(1).position(|b| b == b' ').map(|at| at + 1);
        let sides =
            space.map(|at| (&text[..at], &text[at + 1..])).filter(|sides| !sides.1.is_empty());
        let (left, right) = sides.ok_or_else(|| invalid("two pieces separated by a space"))?;
        if let (Some(left), Some(right)) = (bytes::decode(left), bytes::decode(right)) {
            let result = symbols.get([left.as_slice(), &right].concat());
            let key = pair(symbols.get(left), symbols.get(right));
            merges.entry(key).or_insert((rank, result));
        }
    }
    Ok(merges)
}
