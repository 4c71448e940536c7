//! Inputs that are hard: each has an outcome that it should have, and none may disturb what comes after it.

use std::sync::atomic::{AtomicBool, Ordering};

use yardstick_api::{Token, verify};
use yardstick_model::tokenizer::{Encoding, Kind, Tokenizer};
use yardstick_record::{Checked, Phase, Robust, Workload};

use super::{Measuring, Trouble};
use crate::child::{CallError, Child, escape};
use crate::protocol::{Answer, Call, FaultKind};
use crate::workload::Words;

/// Tokens of an answer, where it is not what is tried.
const ANSWER: usize = 8;
/// Names of tokens that are tried as text.
const MOST_NAMES: usize = 64;
/// Characters kept of what came.
const KEPT: usize = 160;
/// Scripts, directions, joiners, a byte order mark, a zero byte, a private character and one beyond the basic plane.
const UNICODE: &str = "naïve Ωμέγα русский 日本語 العربية עברית हिन्दी 👩‍👩‍👧‍👦🏳️‍🌈 e\u{301}\u{323} \u{202e}desrever\u{202c} \u{feff}\u{0}\u{e000}𝔘\u{10ffff} ﬀ\u{200d}\r\n\t";
/// What steers a model, where text is taken for control.
const STEERING: [&str; 8] = [
    "<s>",
    "</s>",
    "<|im_start|>system",
    "<|im_end|>",
    "<|endoftext|>",
    "<|eot_id|>",
    "[INST]",
    "<start_of_turn>",
];

/// What came of an input.
enum Came {
    /// As it should.
    Well(String),
    /// Not so.
    Wrong(String),
    /// It could not be tried.
    Untried(String),
}

impl Measuring<'_, '_, '_> {
    pub(super) fn robust(&mut self, child: &mut Child) -> Result<Workload, Trouble> {
        let (vocab, words) = (self.vocab()?, self.words()?);
        let facts = self.context.facts.value();
        let context = facts.map_or(0, |facts| facts.context);
        if context < 2 * ANSWER {
            return Err(Trouble::failed(format!(
                "a context of {context} positions holds too little"
            )));
        }
        let prompt = |n: usize| verify::prompt(vocab, n);
        let refused = "it is refused, and the session goes on";
        let answered = "it is answered in full";
        let before = match self.ids(child, prompt(ANSWER), ANSWER)? {
            Ok(ids) => ids,
            Err(message) => return Err(Trouble::failed(message)),
        };
        let mut trying = Trying { child, of: self, checks: Vec::new() };
        trying.ids("empty", refused, Vec::new(), ANSWER, false)?;
        trying.ids("one token", answered, prompt(1), ANSWER, true)?;
        trying.ids(
            "longest",
            "it fills the context to its last position",
            prompt(context - ANSWER),
            ANSWER,
            true,
        )?;
        trying.ids("prompt beyond the context", refused, prompt(context + 1), 1, false)?;
        trying.ids("answer beyond the context", refused, prompt(context - 2), ANSWER, false)?;
        let beyond = Token::try_from(vocab).unwrap_or(Token::MAX);
        trying.ids("token beyond the vocabulary", refused, vec![0, beyond], 1, false)?;
        trying.ids("largest token id", refused, vec![Token::MAX], 1, false)?;
        trying.logits(&prompt(ANSWER), vocab)?;
        trying.cancelled(prompt(ANSWER), context)?;
        trying.unicode(&words)?;
        trying.note("special tokens as text", "none of them steers the model", injected(&words));
        trying.unharmed(prompt(ANSWER), &before)?;
        Ok(Workload::Robust(Robust { checks: trying.checks }))
    }

    /// Ids, or what the device refused them with; what else can happen is no outcome of an input.
    fn ids(
        &self,
        child: &mut Child,
        tokens: Vec<Token>,
        n: usize,
    ) -> Result<Result<Vec<Token>, String>, Trouble> {
        let call = Call::Generate { tokens, n };
        match child.call(call, Phase::Sample, self.run.cancel, &mut |_| {}) {
            Ok(Answer::Generated { ids }) => Ok(Ok(ids)),
            Ok(other) => Err(child.unexpected(Phase::Sample, &other).into()),
            Err(CallError::Fault { kind: FaultKind::Invalid, message, .. }) => {
                // That is what it was refused as; why is what is worth keeping.
                let why = message.strip_prefix("invalid call: ").unwrap_or(&message);
                Ok(Err(why.to_owned()))
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// The inputs tried so far.
struct Trying<'t, 'm, 'r, 'o, 's> {
    child: &'t mut Child,
    of: &'m Measuring<'r, 'o, 's>,
    checks: Vec<Checked>,
}

impl Trying<'_, '_, '_, '_, '_> {
    fn note(&mut self, name: &str, expected: &str, came: Came) {
        let (passed, found) = match came {
            Came::Well(found) => (Some(true), found),
            Came::Wrong(found) => (Some(false), found),
            Came::Untried(reason) => (None, reason),
        };
        let found = escape(&found).chars().take(KEPT).collect();
        let (name, expected) = (name.to_owned(), expected.to_owned());
        self.checks.push(Checked { name, expected, found, passed });
    }

    /// Tokens that should be answered with `n` ids, or refused.
    fn ids(
        &mut self,
        name: &str,
        expected: &str,
        tokens: Vec<Token>,
        n: usize,
        answered: bool,
    ) -> Result<(), Trouble> {
        let given = tokens.len();
        // Any other fault is told as what came, not as the end of the test.
        let came = match self.of.ids(self.child, tokens, n) {
            Ok(Ok(ids)) if answered && ids.len() == n => {
                Came::Well(format!("{given} tokens in, {n} out"))
            }
            Ok(Ok(ids)) => Came::Wrong(format!("{given} tokens in, {} out", ids.len())),
            Ok(Err(message)) if answered => Came::Wrong(format!("refused: {message}")),
            Ok(Err(message)) => Came::Well(format!("refused: {message}")),
            Err(Trouble::Call(CallError::Fault { kind, message, .. })) => {
                Came::Wrong(format!("failed as {kind:?}: {message}"))
            }
            Err(other) => return Err(other),
        };
        self.note(name, expected, came);
        Ok(())
    }

    fn logits(&mut self, tokens: &[Token], vocab: usize) -> Result<(), Trouble> {
        let run = self.of.run;
        let scratch = run.cache.join(format!("robust-{}.logits", std::process::id()));
        let call = Call::Logits {
            tokens: tokens.to_vec(),
            step: false,
            held: 0,
            skip: 0,
            file: scratch.display().to_string(),
        };
        if let Err(error) = std::fs::create_dir_all(run.cache) {
            return Err(Trouble::failed(format!("the cache folder cannot be made: {error}")));
        }
        let answer = self.child.call(call, Phase::Sample, run.cancel, &mut |_| {});
        let bytes = std::fs::read(&scratch);
        let _ = std::fs::remove_file(&scratch);
        let came = match (answer, bytes) {
            (Ok(Answer::Logits { rows, .. }), Ok(bytes)) => finite(&bytes, rows, vocab),
            (Ok(Answer::Logits { .. }), Err(error)) => Came::Wrong(format!("no file: {error}")),
            (Ok(other), _) => return Err(self.child.unexpected(Phase::Sample, &other).into()),
            (Err(CallError::Fault { message, .. }), _) => Came::Untried(message),
            (Err(error), _) => return Err(error.into()),
        };
        self.note("logits", "every one is a finite number", came);
        Ok(())
    }

    /// The longest answer, cancelled at the first look.
    fn cancelled(&mut self, tokens: Vec<Token>, context: usize) -> Result<(), Trouble> {
        let n = context - tokens.len();
        let now = AtomicBool::new(true);
        let call = Call::Generate { tokens, n };
        let came = match self.child.call(call, Phase::Sample, &now, &mut |_| {}) {
            Err(CallError::Interrupted) => Came::Well("it ended".to_owned()),
            Ok(Answer::Generated { ids }) => Came::Untried(format!(
                "{} tokens were there before it could be cancelled",
                ids.len()
            )),
            Ok(other) => return Err(self.child.unexpected(Phase::Sample, &other).into()),
            Err(CallError::Fault { message, .. }) => Came::Wrong(message),
            Err(error) => return Err(error.into()),
        };
        if self.of.run.cancel.load(Ordering::Relaxed) {
            return Err(Trouble::Call(CallError::Interrupted));
        }
        self.note("cancelled mid-way", "it ends early, and the session goes on", came);
        Ok(())
    }

    /// Text of all kinds goes through the tokenizer unchanged, and is answered.
    fn unicode(&mut self, words: &Words) -> Result<(), Trouble> {
        let (name, expected) = ("Unicode", "every byte of it comes back, and it is answered");
        let tokenizer = match words {
            Words::Own(tokenizer) => tokenizer,
            Words::MadeUp { why, .. } => {
                self.note(name, expected, Came::Untried(why.clone()));
                return Ok(());
            }
        };
        let plain = Encoding { ends: false, control: false };
        let ids = match tokenizer.encode(UNICODE.as_bytes(), plain) {
            Ok(ids) => ids,
            Err(error) => {
                self.note(name, expected, Came::Wrong(error.to_string()));
                return Ok(());
            }
        };
        let back = tokenizer.decode(&ids, false).unwrap_or_default();
        if back != UNICODE.as_bytes() {
            let found = format!("other text came back: {:?}", String::from_utf8_lossy(&back));
            self.note(name, expected, Came::Wrong(found));
            return Ok(());
        }
        self.ids(name, expected, ids, ANSWER, true)
    }

    /// The first prompt again: what came between left nothing behind.
    fn unharmed(&mut self, tokens: Vec<Token>, before: &[Token]) -> Result<(), Trouble> {
        let came = match self.of.ids(self.child, tokens, ANSWER)? {
            Ok(ids) if ids == before => Came::Well("the same answer".to_owned()),
            Ok(_) => Came::Wrong("another answer".to_owned()),
            Err(message) => Came::Wrong(format!("refused: {message}")),
        };
        self.note("unharmed", "the first prompt has the answer it had", came);
        Ok(())
    }
}

/// Whether all logits of a file are numbers.
fn finite(bytes: &[u8], rows: usize, vocab: usize) -> Came {
    let due = rows.saturating_mul(vocab).saturating_mul(4);
    if bytes.len() != due || due == 0 {
        return Came::Wrong(format!("{} bytes of logits, expected {due}", bytes.len()));
    }
    let mut values = bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
    match values.position(|value| !value.is_finite()) {
        None => Came::Well(format!("{rows} rows of {vocab}")),
        Some(at) => {
            Came::Wrong(format!("row {} has one that is none, at {}", at / vocab, at % vocab))
        }
    }
}

/// Names of control tokens written as text must become text.
fn injected(words: &Words) -> Came {
    let tokenizer: &Tokenizer = match words {
        Words::Own(tokenizer) => tokenizer,
        Words::MadeUp { why, .. } => return Came::Untried(why.clone()),
    };
    let own = (0..Token::MAX)
        .take_while(|id| tokenizer.kind(*id).is_some())
        .filter(|id| tokenizer.kind(*id) == Some(Kind::Control))
        .take(MOST_NAMES);
    let names = own.filter_map(|id| tokenizer.decode(&[id], true).ok());
    let mut tried = 0;
    for text in names.chain(STEERING.iter().map(|text| text.as_bytes().to_vec())) {
        let plain = Encoding { ends: false, control: false };
        let ids = match tokenizer.encode(&text, plain) {
            Ok(ids) => ids,
            // That it cannot be written at all is as safe.
            Err(_) => continue,
        };
        tried += 1;
        if let Some(id) = ids.iter().find(|id| tokenizer.kind(**id) == Some(Kind::Control)) {
            let text = String::from_utf8_lossy(&text).into_owned();
            return Came::Wrong(format!("{text:?} became the control token {id}"));
        }
    }
    Came::Well(format!("{tried} names became text"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_logit_that_is_no_number_is_found_and_so_are_missing_ones() {
        let bytes =
            |values: &[f32]| values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>();
        let words = |came| match came {
            Came::Well(words) => format!("well: {words}"),
            Came::Wrong(words) | Came::Untried(words) => words,
        };
        assert_eq!(words(finite(&bytes(&[0.0, 1.0, 2.0, -3.0]), 2, 2)), "well: 2 rows of 2");
        for bad in [f32::NAN, f32::INFINITY] {
            let found = words(finite(&bytes(&[0.0, 1.0, bad, 1.0]), 2, 2));
            assert_eq!(found, "row 1 has one that is none, at 0");
        }
        assert!(words(finite(&bytes(&[0.0; 3]), 2, 2)).contains("12 bytes of logits, expected 16"));
        assert!(words(finite(&[], 0, 2)).contains("0 bytes"));
    }
}
