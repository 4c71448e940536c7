//! Pre-tokenizers: cutting text into words, within which byte-level vocabularies merge.
//!
//! A file names its pre-tokenizer (`tokenizer.ggml.pre`), and each name means one or several regular expressions, applied
//! one after another to what the one before left. They need look-ahead, text is untrusted and may be long, so they are
//! written out as scanners that never go back; tests hold them against a backtracking engine. The classes and quirks
//! are llama.cpp's: `\s` is Unicode's White_Space, and no space above ASCII is anything else.

mod classes;
mod letters;
mod passes;
mod words;

use passes::Pass;

pub(crate) use classes::Text;
pub(super) use classes::first;

/// A pre-tokenizer.
#[derive(Debug)]
pub(super) struct Splitter {
    /// Names in `tokenizer.ggml.pre`; the first is the one listed.
    names: &'static [&'static str],
    passes: &'static [Pass],
    /// A word that is a token is that token, whatever the merges say.
    pub(super) whole_words: bool,
    /// Begin of sequence is added where the file does not say.
    pub(super) add_bos: bool,
}

/// A pre-tokenizer that leaves the rest to the merges and the file.
const fn plain(names: &'static [&'static str], passes: &'static [Pass]) -> Splitter {
    Splitter { names, passes, whole_words: false, add_bos: false }
}

const GPT2: Pass = Pass::Gpt2;
const LLAMA3: Pass = Pass::Llama3 { digits: 3 };
const QWEN2: Pass = Pass::Llama3 { digits: 1 };

/// Every pre-tokenizer; names in one row cut alike.
const KNOWN: &[Splitter] = &[
    Splitter {
        names: &[
            "llama-bpe",
            "llama3",
            "llama-v3",
            "falcon3",
            "falcon-h1",
            "pixtral",
            "midm-2.0",
            "lfm2",
        ],
        passes: &[LLAMA3],
        whole_words: true,
        add_bos: true,
    },
    plain(&["dbrx", "smaug-bpe", "chatglm-bpe", "glm4"], &[LLAMA3]),
    plain(&["qwen2", "stablelm2", "deepseek-r1-qwen", "megrez", "hunyuan"], &[QWEN2]),
    plain(
        &[
            "gpt-2",
            "phi-2",
            "mpt",
            "olmo",
            "jais",
            "trillion",
            "exaone4",
            "gigachat",
            "granite-docling",
        ],
        &[GPT2],
    ),
    plain(
        &["smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b"],
        &[Pass::EachNumber, GPT2],
    ),
    plain(
        &["deepseek-llm"],
        &[
            Pass::EachLineEnd,
            Pass::SpacedCased,
            Pass::SpacedMarks,
            Pass::SpacesAtEnd,
            Pass::Asian,
            Pass::Numbers,
        ],
    ),
    plain(
        &["deepseek-coder"],
        &[
            Pass::EachLineEnd,
            Pass::SpacedLetters,
            Pass::SpacedPunctuation,
            Pass::Asian,
            Pass::EachNumber,
        ],
    ),
    plain(&["falcon"], &[Pass::Signs { backtick: true }, GPT2, Pass::ThreeDigits]),
    plain(&["default"], &[Pass::Signs { backtick: false }, GPT2, Pass::Numbers, Pass::ThreeDigits]),
];

impl Splitter {
    /// The pre-tokenizer of a name.
    pub(super) fn named(name: &str) -> Option<&'static Splitter> {
        KNOWN.iter().find(|splitter| splitter.names.contains(&name))
    }

    /// Every name there is.
    pub(super) fn names() -> Vec<&'static str> {
        KNOWN.iter().flat_map(|splitter| splitter.names).copied().collect()
    }

    /// Calls `each` with start and end of every word, in order; together they are the text.
    pub(super) fn split<E>(
        &self,
        text: Text<'_>,
        each: &mut impl FnMut(usize, usize) -> Result<(), E>,
    ) -> Result<(), E> {
        apply(self.passes, text, 0, each)
    }
}

/// The first pass cuts the text, the others each piece; `offset` is where `text` begins.
fn apply<E>(
    passes: &[Pass],
    text: Text<'_>,
    offset: usize,
    each: &mut impl FnMut(usize, usize) -> Result<(), E>,
) -> Result<(), E> {
    let Some((pass, rest)) = passes.split_first() else { return each(offset, offset + text.len()) };
    pass.cut(&text, &mut |start, end| apply(rest, text.part(start..end), offset + start, each))
}

#[cfg(test)]
mod tests;
