//! Requests one after another on one session, and the memory that is held after each: what leaves some behind grows.

use std::ops::ControlFlow;

use yardstick_api::{Batch, Error, Rows, Sequence, Session, Span, Token, verify};

/// Tokens of a request's prompt, and of its answer.
const PROMPT: usize = 32;
const ANSWER: usize = 8;

/// Positions a session needs for them.
pub const REQUEST_POSITIONS: usize = PROMPT + ANSWER;

/// Makes `count` requests: an empty sequence, a prompt, an answer. `held` is asked after each.
///
/// # Errors
/// What the session says.
pub fn requests(
    session: &mut dyn Session,
    vocab: usize,
    count: usize,
    held: &mut dyn FnMut() -> f64,
) -> Result<Vec<f64>, Error> {
    let tokens: Vec<Token> = verify::prompt(vocab, PROMPT);
    let sequence = Sequence(0);
    // Taken before: it would be seen as growth.
    let mut after = Vec::with_capacity(count);
    for _ in 0..count {
        session.truncate(sequence, 0)?;
        let spans = [Span { sequence, tokens: &tokens }];
        session.forward(&Batch { spans: &spans, rows: Rows::Last })?;
        let first = session.logits()?.argmax(0);
        session.generate(&[(sequence, first)], ANSWER, &mut |_, _| ControlFlow::Continue(()))?;
        session.synchronize()?;
        after.push(held());
    }
    Ok(after)
}
