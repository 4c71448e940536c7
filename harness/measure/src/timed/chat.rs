//! One turn of a conversation: its new tokens are prefilled on what sequence 0 holds, and answered greedily.

use std::ops::ControlFlow;
use std::time::Instant;

use yardstick_api::{Batch, Error, Rows, Sequence, Session, Span, Token};
use yardstick_record::Sample;

use super::{nanoseconds, region};

/// A turn that was answered, or `None` where it was cancelled.
pub type Answered = Option<(Sample, Vec<Token>)>;

/// Answers `prompt` with `n` tokens, on the first `held` positions of sequence 0. Inside the clock: prefill and every step, each id
/// at the host. Outside: cutting the sequence back before, and appending `reply` to the prompt in place of what was generated.
pub fn turn(
    session: &mut dyn Session,
    epoch: Instant,
    (held, prompt): (usize, &[Token]),
    n: usize,
    reply: &[Token],
    stop: &dyn Fn() -> bool,
) -> Result<Answered, Error> {
    let sequence = Sequence(0);
    let Some((&last, before)) = prompt.split_last().filter(|_| n > 0) else {
        return Err(Error::Invalid("a turn has a token and asks for one".to_owned()));
    };
    let (end, context) = (held + prompt.len(), session.facts().context);
    if end + n.max(reply.len()) > context {
        let message =
            format!("a turn that ends at {end} and goes on is beyond {context} positions");
        return Err(Error::Invalid(message));
    }
    session.truncate(sequence, held)?;
    session.synchronize()?;
    let (mut ids, mut stopped) = (Vec::with_capacity(n), false);
    let mut sample = region(epoch, n, |start, stamps| {
        if !before.is_empty() {
            let spans = [Span { sequence, tokens: before }];
            session.forward(&Batch { spans: &spans, rows: Rows::None })?;
        }
        session.generate(&[(sequence, last)], n, &mut |_, emitted| {
            stamps.push(nanoseconds(start));
            ids.extend_from_slice(emitted);
            stopped = stop();
            if stopped { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        session.synchronize()
    })?;
    if stopped {
        return Ok(None);
    }
    let length = session.length(sequence);
    // The last token generated need not be in the cache, the ones before it must.
    if ids.len() != n || length + 1 < end + n {
        let message = format!(
            "answered {} tokens of {n} and holds {length} positions, expected {}",
            ids.len(),
            end + n - 1
        );
        return Err(Error::Device(message));
    }
    sample.tokens = n as u64;
    session.truncate(sequence, end)?;
    if !reply.is_empty() {
        let spans = [Span { sequence, tokens: reply }];
        session.forward(&Batch { spans: &spans, rows: Rows::None })?;
    }
    session.synchronize()?;
    Ok(Some((sample, ids)))
}
