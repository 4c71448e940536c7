//! The one timed region of the harness, and what each test does inside it. Everything else happens outside the clock.
//!
//! Inside: the calls named by the test until the device is idle. Outside: shortening sequences to the test's depth,
//! choosing tokens, checking that the work was done, sending samples. Tokenizing and sampling strategies are not
//! part of any test.

mod chat;
mod complete;
mod profiled;
mod serve;

use std::ops::ControlFlow;
use std::time::Instant;

use yardstick_api::{Batch, Error, Rows, Sequence, Session, Span, Token, verify};
use yardstick_record::{Sample, Test};

use crate::clock;

/// A test made ready for repetition: its tokens and its buffers.
pub struct Work {
    test: Test,
    sequences: u32,
    /// (depth + tokens): the depth's filler, then the prompt; the same for every device and sequence.
    tokens: Vec<Token>,
    /// The token each sequence generates from.
    first: Vec<(Sequence, Token)>,
}

/// What a repetition told beside its sample.
#[derive(Debug, PartialEq, Eq)]
pub enum Repetition {
    /// It ran to its end.
    Whole(Sample),
    /// `stop` said so; the partial sample is gone.
    Stopped,
}

impl Work {
    /// Chooses the tokens: fixed by the vocabulary's size, see [`verify::prompt`].
    pub fn new(test: Test, sequences: usize, vocab: usize) -> Work {
        let sequences = sequences.max(1) as u32;
        let tokens = verify::prompt(vocab, test.positions());
        let next = tokens[test.depth().min(tokens.len() - 1)];
        let first = (0..sequences).map(|i| (Sequence(i), next)).collect();
        Work { test, sequences, tokens, first }
    }

    /// Brings every sequence to the test's depth, of which `filled` positions already hold the filler.
    /// Tells how many positions sequence 0 has, after each step.
    pub fn fill(
        &self,
        session: &mut dyn Session,
        filled: usize,
        progress: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let depth = self.test.depth();
        let mut at = filled.min(depth).min(session.length(Sequence(0)));
        session.truncate(Sequence(0), at)?;
        while at < depth {
            let end = (at + 512).min(depth);
            let spans = [Span { sequence: Sequence(0), tokens: &self.tokens[at..end] }];
            session.forward(&Batch { spans: &spans, rows: Rows::None })?;
            session.synchronize()?;
            at = end;
            if progress(at, depth).is_break() {
                return Ok(());
            }
        }
        for sequence in 1..self.sequences {
            session.truncate(Sequence(sequence), 0)?;
            session.copy(Sequence(0), Sequence(sequence))?;
        }
        session.synchronize()
    }

    /// One repetition of any test but `load`, on a session filled to its depth. `stop` is asked at every emit.
    pub fn repeat(
        &self,
        session: &mut dyn Session,
        epoch: Instant,
        stop: &dyn Fn() -> bool,
    ) -> Result<Repetition, Error> {
        let depth = self.test.depth();
        for sequence in 0..self.sequences {
            session.truncate(Sequence(sequence), depth)?;
        }
        session.synchronize()?;
        match self.test {
            Test::Load => Err(Error::Invalid("load is timed with the model closed".to_owned())),
            Test::Prefill { tokens, .. } => self.prefill(session, epoch, tokens),
            Test::FirstToken { tokens, .. } => self.first_token(session, epoch, tokens),
            Test::Generate { tokens, .. } => self.generate(session, epoch, tokens, stop),
            other => Err(Error::Invalid(format!("{other} is not repeated on a session"))),
        }
    }

    fn prefill(
        &self,
        session: &mut dyn Session,
        epoch: Instant,
        tokens: usize,
    ) -> Result<Repetition, Error> {
        let spans = self.spans(tokens);
        let batch = Batch { spans: &spans, rows: Rows::Last };
        let sample = region(epoch, 0, |_, _| {
            session.forward(&batch)?;
            session.synchronize()
        })?;
        self.check_lengths(session, tokens)?;
        Ok(self.whole(sample, tokens))
    }

    fn first_token(
        &self,
        session: &mut dyn Session,
        epoch: Instant,
        tokens: usize,
    ) -> Result<Repetition, Error> {
        let spans = self.spans(tokens);
        let batch = Batch { spans: &spans, rows: Rows::Last };
        let mut sum = 0_u64;
        let sample = region(epoch, 1, |start, stamps| {
            session.forward(&batch)?;
            let logits = session.logits()?;
            sum = (0..logits.rows()).map(|row| u64::from(logits.argmax(row))).sum();
            stamps.push(nanoseconds(start));
            Ok(())
        })?;
        std::hint::black_box(sum);
        self.check_lengths(session, tokens)?;
        Ok(self.whole(sample, tokens))
    }

    fn generate(
        &self,
        session: &mut dyn Session,
        epoch: Instant,
        tokens: usize,
        stop: &dyn Fn() -> bool,
    ) -> Result<Repetition, Error> {
        let (mut emitted, mut stopped) = (0_usize, false);
        let sample = region(epoch, tokens, |start, stamps| {
            session.generate(&self.first, tokens, &mut |_, ids| {
                stamps.push(nanoseconds(start));
                emitted += ids.len();
                stopped = stop();
                if stopped { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })?;
            session.synchronize()
        })?;
        if stopped {
            return Ok(Repetition::Stopped);
        }
        let due = tokens * self.sequences as usize;
        if emitted != due {
            return Err(Error::Device(format!("generated {emitted} tokens, asked for {due}")));
        }
        self.check_lengths(session, tokens)?;
        Ok(self.whole(sample, tokens))
    }

    fn spans(&self, tokens: usize) -> Vec<Span<'_>> {
        let depth = self.test.depth();
        let tokens = &self.tokens[depth..depth + tokens];
        (0..self.sequences).map(|i| Span { sequence: Sequence(i), tokens }).collect()
    }

    fn whole(&self, mut sample: Sample, tokens: usize) -> Repetition {
        sample.tokens = tokens as u64 * u64::from(self.sequences);
        Repetition::Whole(sample)
    }

    /// A device that dropped tokens would look fast.
    fn check_lengths(&self, session: &dyn Session, tokens: usize) -> Result<(), Error> {
        let due = self.test.depth() + tokens;
        for sequence in (0..self.sequences).map(Sequence) {
            let length = session.length(sequence);
            if length != due {
                let sequence = sequence.0;
                let message = format!(
                    "sequence {sequence} holds {length} positions after the test, expected {due}"
                );
                return Err(Error::Device(message));
            }
        }
        Ok(())
    }
}

/// One repetition of `load`: `open` makes a session of a closed file, which then answers one token.
/// The session is returned, since dropping it is not part of loading.
pub fn load(
    epoch: Instant,
    open: impl FnOnce() -> Result<Box<dyn Session>, Error>,
) -> Result<(Sample, Box<dyn Session>), Error> {
    let mut loaded = None;
    let mut sample = region(epoch, 1, |start, stamps| {
        let mut session = open()?;
        let spans = [Span { sequence: Sequence(0), tokens: &[0] }];
        session.forward(&Batch { spans: &spans, rows: Rows::Last })?;
        std::hint::black_box(session.logits()?.argmax(0));
        stamps.push(nanoseconds(start));
        loaded = Some(session);
        Ok(())
    })?;
    sample.tokens = 1;
    Ok((sample, loaded.expect("the region returned early if there is no session")))
}

/// The timed region. Nothing in it allocates on the harness's side: stamps go to a buffer taken before.
fn region(
    epoch: Instant,
    emits: usize,
    body: impl FnOnce(Instant, &mut Vec<u64>) -> Result<(), Error>,
) -> Result<Sample, Error> {
    let mut stamps = Vec::with_capacity(emits);
    let cpu_before = clock::process_cpu_ns();
    let start = Instant::now();
    let result = body(start, &mut stamps);
    let taken = start.elapsed();
    let cpu_after = clock::process_cpu_ns();
    result?;
    Ok(Sample {
        started_ns: start.duration_since(epoch).as_nanos() as u64,
        nanoseconds: taken.as_nanos() as u64,
        tokens: 0,
        cpu_ns: cpu_before.zip(cpu_after).map(|(before, after)| after.saturating_sub(before)),
        emits_ns: stamps,
        marks: Vec::new(),
    })
}

fn nanoseconds(start: Instant) -> u64 {
    start.elapsed().as_nanos() as u64
}

pub use chat::{Answered, turn};
pub use complete::{Completed, Prompt, complete};
pub use profiled::ProfiledPass;
pub use serve::{Clock, RealClock, Served, serve};

#[cfg(test)]
pub(crate) mod tests;
