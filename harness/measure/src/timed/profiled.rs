//! A repetition with the profile on: pass by pass, each asked for its operations when its clock has stopped.

use std::time::Instant;

use yardstick_api::{Batch, Error, OperationTime, Rows, Sequence, Session, Span, Token};
use yardstick_record::Test;

use super::{Work, nanoseconds};

/// One forward call and its operations.
#[derive(Clone, Debug)]
pub struct ProfiledPass {
    /// From the call to the logits (`tg`) or to the idle device (`pp`).
    pub nanoseconds: u64,
    /// As the session tells them; empty where it does not (any more).
    pub operations: Vec<OperationTime>,
}

impl Work {
    /// Forward calls of a repetition: the tokens of a `tg`, one otherwise.
    pub fn passes(&self) -> usize {
        match self.test {
            Test::Generate { tokens, .. } => tokens,
            _ => 1,
        }
    }

    /// One repetition of a `pp` or `tg` of a single sequence, on a session filled to its depth. `ask`: whether to ask for
    /// operations, which some devices tell only once.
    ///
    /// # Errors
    /// What the session says, and [`Error::Invalid`] for any other test.
    pub fn repeat_profiled(
        &self,
        session: &mut dyn Session,
        ask: bool,
    ) -> Result<Vec<ProfiledPass>, Error> {
        session.truncate(Sequence(0), self.test.depth())?;
        session.synchronize()?;
        let tell = |session: &mut dyn Session, nanoseconds| {
            let profile = if ask { session.profile() } else { None };
            let operations = profile.map(|profile| profile.operations).unwrap_or_default();
            ProfiledPass { nanoseconds, operations }
        };
        let mut passes = Vec::with_capacity(self.passes());
        match self.test {
            Test::Prefill { tokens, .. } => {
                let spans = self.spans(tokens);
                let start = Instant::now();
                session.forward(&Batch { spans: &spans[..1], rows: Rows::Last })?;
                session.synchronize()?;
                let taken = nanoseconds(start);
                passes.push(tell(session, taken));
            }
            Test::Generate { tokens, .. } => {
                let mut next = self.first.first().map_or(0, |(_, token)| *token);
                for _ in 0..tokens {
                    let taken = step(session, &mut next)?;
                    passes.push(tell(session, taken));
                }
            }
            other => return Err(Error::Invalid(format!("{other} has no passes to profile"))),
        }
        Ok(passes)
    }
}

/// One greedy step, as `Session::generate` makes it; nanoseconds.
fn step(session: &mut dyn Session, next: &mut Token) -> Result<u64, Error> {
    let tokens = [*next];
    let start = Instant::now();
    let spans = [Span { sequence: Sequence(0), tokens: &tokens }];
    session.forward(&Batch { spans: &spans, rows: Rows::Last })?;
    *next = session.logits()?.argmax(0);
    Ok(nanoseconds(start))
}
