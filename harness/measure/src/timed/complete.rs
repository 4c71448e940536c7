//! From text to text: what a user waits for, tokenizing and detokenizing included.

use std::ops::ControlFlow;
use std::time::Instant;

use yardstick_api::{Batch, Error, Rows, Sequence, Session, Span, Token};
use yardstick_model::tokenizer::{Encoding, Kind, Tokenizer};
use yardstick_record::Sample;

use super::{nanoseconds, region};
use crate::protocol::Ended;

/// Tokens before the newest that a stop may begin in: it is looked for in the text of these, at every token.
const LOOK_BACK: usize = 16;

/// A prompt and the bounds of its answer.
pub struct Prompt<'a> {
    /// Not empty.
    pub text: &'a str,
    /// The model's own.
    pub tokenizer: &'a Tokenizer,
    /// Tokens of the longest answer; at least one.
    pub most: usize,
    /// The answer ends before the first of these.
    pub stops: &'a [String],
}

/// An answer and what it took.
#[derive(Debug)]
pub struct Completed {
    /// Without what ended it.
    pub text: String,
    /// Tokens of the prompt.
    pub prompt_tokens: usize,
    /// Tokens generated, the one that ended it included.
    pub tokens: usize,
    /// Why it ended.
    pub ended: Ended,
    /// From the prompt's text to the answer's.
    pub sample: Sample,
}

/// Answers a prompt on an emptied sequence 0. Inside the clock: encoding, prefill, every step, decoding.
pub fn complete(
    session: &mut dyn Session,
    epoch: Instant,
    prompt: &Prompt<'_>,
    cancelled: &dyn Fn() -> bool,
) -> Result<Completed, Error> {
    session.truncate(Sequence(0), 0)?;
    session.synchronize()?;
    let context = session.facts().context;
    let mut answer = Answer::new(prompt);
    let mut prompt_tokens = 0;
    let mut text = String::new();
    let mut sample = region(epoch, prompt.most, |start, stamps| {
        let tokens = prompt.tokenizer.encode(prompt.text.as_bytes(), Encoding::default())?;
        prompt_tokens = tokens.len();
        let Some((&last, before)) = tokens.split_last() else {
            return Err(Error::Invalid("the prompt has no tokens".to_owned()));
        };
        if tokens.len() + prompt.most > context {
            let (n, most) = (tokens.len(), prompt.most);
            let message = format!(
                "a prompt of {n} tokens and an answer of up to {most} do not fit into {context} positions"
            );
            return Err(Error::Invalid(message));
        }
        if !before.is_empty() {
            let spans = [Span { sequence: Sequence(0), tokens: before }];
            session.forward(&Batch { spans: &spans, rows: Rows::None })?;
        }
        session.generate(&[(Sequence(0), last)], prompt.most, &mut |_, ids| {
            stamps.push(nanoseconds(start));
            match ids.iter().any(|&id| answer.push(id)) || cancelled() {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        })?;
        session.synchronize()?;
        text = answer.text();
        Ok(())
    })?;
    sample.tokens = answer.ids.len() as u64;
    let (tokens, ended) = (answer.ids.len(), answer.ended);
    Ok(Completed { text, prompt_tokens, tokens, ended, sample })
}

/// An answer as it grows.
struct Answer<'a> {
    prompt: &'a Prompt<'a>,
    ids: Vec<Token>,
    ended: Ended,
}

impl<'a> Answer<'a> {
    fn new(prompt: &'a Prompt<'a>) -> Answer<'a> {
        Answer { prompt, ids: Vec::with_capacity(prompt.most), ended: Ended::Length }
    }

    /// Takes a token; true where the answer ends with it.
    fn push(&mut self, id: Token) -> bool {
        self.ids.push(id);
        let tokenizer = self.prompt.tokenizer;
        if tokenizer.eos() == Some(id) || tokenizer.kind(id) == Some(Kind::Control) {
            self.ended = Ended::End;
        } else if !self.prompt.stops.is_empty() {
            let newest = self.ids.len().saturating_sub(LOOK_BACK.max(self.longest_stop()));
            let text = self.decode(&self.ids[newest..]);
            if self.prompt.stops.iter().any(|stop| text.contains(stop.as_str())) {
                self.ended = Ended::Stop;
            }
        }
        self.ended != Ended::Length || self.ids.len() >= self.prompt.most
    }

    /// A token has a byte or more, so a stop has at most as many tokens as bytes.
    fn longest_stop(&self) -> usize {
        self.prompt.stops.iter().map(String::len).max().unwrap_or(0)
    }

    /// The answer up to the first stop.
    fn text(&self) -> String {
        let mut text = self.decode(&self.ids);
        let ends = self.prompt.stops.iter().filter_map(|stop| text.find(stop.as_str()));
        if let Some(end) = ends.min() {
            text.truncate(end);
        }
        text
    }

    fn decode(&self, ids: &[Token]) -> String {
        let known: Vec<Token> =
            ids.iter().copied().filter(|&id| self.prompt.tokenizer.kind(id).is_some()).collect();
        let bytes = self.prompt.tokenizer.decode(&known, false).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}
