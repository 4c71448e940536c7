//! Tokenizers from GGUF: text to token ids and back, exactly as the vocabulary's own tokenizer does it.
//!
//! Two kinds: byte-level BPE (`tokenizer.ggml.model` = `gpt2`) and SentencePiece BPE (`llama`). Text is bytes, need not be
//! UTF-8, is untrusted, and costs O(n log n) at worst. A byte-level vocabulary that has all 256 bytes gives back every text
//! byte for byte; so does SentencePiece with byte tokens (a literal `▁` is written by its bytes, where other programs
//! make a space of it). What a vocabulary has no token for is an error or its unknown token, never dropped.
//!
//! ```no_run
//! use yardstick_model::{Gguf, tokenizer::{Encoding, Tokenizer}};
//! let tokenizer = Tokenizer::from_gguf(&Gguf::open("model.gguf".as_ref())?)?;
//! let ids = tokenizer.encode(b"Hello world", Encoding::default())?;
//! assert_eq!(tokenizer.decode(&ids, false)?, b"Hello world");
//! # Ok::<(), yardstick_model::Error>(())
//! ```

mod bpe;
mod bytes;
mod merge;
mod special;
mod split;
mod spm;
mod vocabulary;
mod words;

use bpe::{Bpe, Work};
use special::{Fragment, Special};
use spm::Spm;
use vocabulary::Vocabulary;

use crate::gguf::quote_bytes;
use crate::{Error, Gguf};

pub use vocabulary::Kind;

const MODEL: &str = "tokenizer.ggml.model";

/// A place in a text for which there is no token.
pub(crate) struct Unmatched(pub(crate) usize);

/// How a text is to be encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encoding {
    /// Add the tokens for begin and end of text, where the file asks for them.
    pub ends: bool,
    /// Control tokens may be written as text: `<|im_start|>`. Only for text that is trusted to steer the model.
    pub control: bool,
}

impl Default for Encoding {
    fn default() -> Self {
        Encoding { ends: true, control: false }
    }
}

enum Algorithm {
    Bpe(Box<Bpe>),
    Spm(Box<Spm>),
}

/// The tokenizer of one file.
pub struct Tokenizer {
    path: String,
    vocabulary: Vocabulary,
    special: Special,
    algorithm: Algorithm,
    add_bos: bool,
    add_eos: bool,
}

impl Tokenizer {
    /// Reads a file's tokenizer. That a file has none, or one we do not know, says nothing about whether its model runs.
    pub fn from_gguf(gguf: &Gguf) -> Result<Tokenizer, Error> {
        let (algorithm, vocabulary, bos_by_default) = match gguf.str(MODEL)? {
            Some("gpt2") => {
                let (bpe, vocabulary) = Bpe::read(gguf)?;
                let add_bos = bpe.splitter.add_bos && vocabulary.bos.is_some();
                (Algorithm::Bpe(Box::new(bpe)), vocabulary, add_bos)
            }
            Some("llama") => {
                let (spm, vocabulary) = Spm::read(gguf)?;
                let add_bos = vocabulary.bos.is_some();
                (Algorithm::Spm(Box::new(spm)), vocabulary, add_bos)
            }
            None | Some("no_vocab" | "none") => {
                let expected =
                    "a tokenizer (gpt2 or llama); this file has none and takes token ids only";
                return Err(gguf.invalid(MODEL, "nothing", expected));
            }
            Some(other) => {
                let what = format!("tokenizer {} ({MODEL})", quote_bytes(other.as_bytes()));
                return Err(gguf.unsupported(what, "gpt2, llama".into()));
            }
        };
        let special = Special::new(gguf, &vocabulary)?;
        let ends = |name, id: Option<u32>, default| {
            let key = format!("tokenizer.ggml.add_{name}_token");
            match (gguf.bool(&key)?.unwrap_or(default), id) {
                (true, None) => {
                    let expected = format!("a token id, as {key} is true");
                    Err(gguf.invalid(
                        format!("tokenizer.ggml.{name}_token_id"),
                        "nothing",
                        expected,
                    ))
                }
                (add, _) => Ok(add),
            }
        };
        let add_bos = ends("bos", vocabulary.bos, bos_by_default)?;
        let add_eos = ends("eos", vocabulary.eos, false)?;
        let path = gguf.path().display().to_string();
        Ok(Tokenizer { path, vocabulary, special, algorithm, add_bos, add_eos })
    }

    /// Token ids of a text.
    pub fn encode(&self, text: &[u8], how: Encoding) -> Result<Vec<u32>, Error> {
        // Places in words are 32 bits, and a space becomes three bytes.
        if text.len() > (u32::MAX / 4) as usize {
            let found = format!("{} bytes", text.len());
            return Err(self.invalid("text", found, "at most 1 GiB"));
        }
        let mut out = Vec::with_capacity(text.len() / 4 + 2);
        out.extend(self.vocabulary.bos.filter(|_| how.ends && self.add_bos));
        let mut work = Work::default();
        let mut after_special = true;
        self.special.split(text, how.control, |fragment| {
            match fragment {
                Fragment::Token(id) => out.push(id),
                Fragment::Text(part, start) => {
                    let encoded = match &self.algorithm {
                        Algorithm::Bpe(bpe) => bpe.encode(part, &mut work, &mut out),
                        Algorithm::Spm(spm) => spm.encode(part, after_special, &mut work, &mut out),
                    };
                    encoded.map_err(|Unmatched(at)| self.unmatched(text, start + at))?;
                }
            }
            after_special = matches!(fragment, Fragment::Token(_));
            Ok(())
        })?;
        out.extend(self.vocabulary.eos.filter(|_| how.ends && self.add_eos));
        Ok(out)
    }

    /// The bytes of a sequence of ids; control and unknown tokens only where `control` asks for their names.
    pub fn decode(&self, ids: &[u32], control: bool) -> Result<Vec<u8>, Error> {
        let prefix = matches!(&self.algorithm, Algorithm::Spm(spm) if spm.space_prefix);
        let mut out = Vec::with_capacity(ids.len() * 4);
        // The space that encoding put before the text.
        let mut added = prefix;
        for (i, &id) in ids.iter().enumerate() {
            let Some(kind) = self.kind(id) else {
                let expected = format!("less than the vocabulary of {}", self.vocabulary.len());
                return Err(self.invalid(&format!("token {i}"), id, expected));
            };
            let bytes = self.vocabulary.bytes(id);
            match kind {
                Kind::Normal | Kind::Byte => {
                    let first = bytes.strip_prefix(b" ").filter(|_| added);
                    out.extend_from_slice(first.unwrap_or(bytes));
                    added = false;
                }
                Kind::UserDefined | Kind::Control => {
                    let shown = control || kind == Kind::UserDefined;
                    out.extend_from_slice(if shown { bytes } else { b"" });
                    added = prefix;
                }
                Kind::Unknown => {
                    out.extend_from_slice(if control { bytes } else { b"" });
                    added = false;
                }
            }
        }
        Ok(out)
    }

    /// Tokens of the vocabulary.
    pub fn vocabulary(&self) -> u32 {
        self.vocabulary.len()
    }

    /// What a token is for; `None` beyond the vocabulary.
    pub fn kind(&self, id: u32) -> Option<Kind> {
        (id < self.vocabulary.len()).then(|| self.vocabulary.kind(id))
    }

    /// The bytes a token stands for, of control tokens their names; `None` beyond the vocabulary.
    pub fn piece(&self, id: u32) -> Option<&[u8]> {
        (id < self.vocabulary.len()).then(|| self.vocabulary.bytes(id))
    }

    /// The token that begins a text, if there is one; added only where the file asks for it.
    pub fn bos(&self) -> Option<u32> {
        self.vocabulary.bos
    }

    /// The token that ends a text, if there is one.
    pub fn eos(&self) -> Option<u32> {
        self.vocabulary.eos
    }

    /// `gpt2` or `llama`, as the file names them.
    pub fn model(&self) -> &'static str {
        match self.algorithm {
            Algorithm::Bpe(_) => "gpt2",
            Algorithm::Spm(_) => "llama",
        }
    }

    fn unmatched(&self, text: &[u8], at: usize) -> Error {
        let byte = text.get(at).copied().unwrap_or_default();
        let found = format!("byte 0x{byte:02x}, for which the vocabulary has no token");
        self.invalid(&format!("text at byte {at}"), found, "text this vocabulary can express")
    }

    fn invalid(&self, field: &str, found: impl ToString, expected: impl Into<String>) -> Error {
        let (path, field) = (self.path.clone(), field.to_owned());
        Error::Invalid { path, field, found: found.to_string(), expected: expected.into() }
    }
}
