//! Requests that arrive in a bounded queue, answered by continuous batching: one call of the session after the other, each with a
//! chunk of every prompt that is not read yet and a token of every answer under way.
//!
//! Arrivals are simulated, the work is not: the queue's clock is the real one, but for time in which nobody is there, which is
//! skipped instead of waited for. No request is there while time is skipped, so that every time of a request is a real one.

use std::collections::VecDeque;
use std::time::Instant;

use yardstick_api::{Batch, Error, Rows, Sequence, Session, Span, Token};
use yardstick_record::{Fate, Sample};

use crate::protocol::{Arriving, Gone, Queue};

/// Failed calls in a row after which the device is given up.
const MOST_FAILURES: usize = 3;

/// The clock of a queue.
pub trait Clock {
    /// Nanoseconds since its start, with what was skipped.
    fn now(&self) -> u64;
    /// Goes to a moment that has not come yet.
    fn skip_to(&mut self, at: u64);
    /// What was skipped so far.
    fn skipped(&self) -> u64;
    /// From the worker's hello to its start.
    fn began(&self) -> u64;
}

/// The one that measures.
pub struct RealClock {
    start: Instant,
    began: u64,
    skipped: u64,
}

impl RealClock {
    /// Starts now.
    pub fn start(epoch: Instant) -> RealClock {
        let start = Instant::now();
        RealClock { start, began: start.duration_since(epoch).as_nanos() as u64, skipped: 0 }
    }
}

impl Clock for RealClock {
    fn now(&self) -> u64 {
        self.start.elapsed().as_nanos() as u64 + self.skipped
    }
    fn skip_to(&mut self, at: u64) {
        self.skipped += at.saturating_sub(self.now());
    }
    fn skipped(&self) -> u64 {
        self.skipped
    }
    fn began(&self) -> u64 {
        self.began
    }
}

/// What became of a queue; of a cancelled one there is nothing.
#[derive(Debug, PartialEq)]
pub struct Served {
    /// In the order of arrival.
    pub requests: Vec<Gone>,
    /// Nanoseconds in which there was something to do.
    pub busy_ns: u64,
    /// Nanoseconds that were skipped.
    pub skipped_ns: u64,
}

/// A request in a slot.
struct Active {
    /// Its place among the requests.
    index: usize,
    /// Tokens of its prompt that were read.
    read: usize,
    /// The newest token.
    next: Token,
    emits: Vec<u64>,
}

/// The queue as it is.
struct Serving<'a> {
    queue: &'a Queue,
    clock: &'a mut dyn Clock,
    /// Of each request, its arrival in the clock's real time.
    arrived: Vec<u64>,
    /// The first that has not arrived.
    next: usize,
    waiting: VecDeque<usize>,
    /// One a sequence.
    slots: Vec<Option<Active>>,
    gone: Vec<Option<Gone>>,
    failures: usize,
}

/// Answers all requests; `slots` sequences, prompts read in pieces of `chunk`. `step` is told after each call how many are gone.
pub fn serve(
    session: &mut dyn Session,
    queue: &Queue,
    (slots, chunk): (usize, usize),
    clock: &mut dyn Clock,
    step: &mut dyn FnMut(usize) -> bool,
) -> Result<Option<Served>, Error> {
    let n = queue.requests.len();
    for sequence in 0..slots {
        session.truncate(Sequence(sequence as u32), 0)?;
    }
    session.synchronize()?;
    let mut serving = Serving {
        queue,
        clock,
        arrived: vec![0; n],
        next: 0,
        waiting: VecDeque::new(),
        slots: (0..slots.max(1)).map(|_| None).collect(),
        gone: (0..n).map(|_| None).collect(),
        failures: 0,
    };
    loop {
        serving.arrive();
        serving.give_up(session)?;
        serving.admit();
        if serving.slots.iter().any(Option::is_some) {
            serving.compute(session, chunk.max(1))?;
        } else if serving.waiting.is_empty() {
            match queue.requests.get(serving.next) {
                Some(request) => serving.clock.skip_to(request.at_ns),
                None => break,
            }
        }
        if step(serving.gone.iter().flatten().count()) {
            return Ok(None);
        }
    }
    let skipped_ns = serving.clock.skipped();
    let busy_ns = serving.clock.now().saturating_sub(skipped_ns);
    let requests: Vec<Gone> = serving.gone.into_iter().flatten().collect();
    match requests.len() == n {
        true => Ok(Some(Served { requests, busy_ns, skipped_ns })),
        false => Err(Error::Invalid("a request was lost in the queue".to_owned())),
    }
}

impl Serving<'_> {
    fn request(&self, index: usize) -> &Arriving {
        &self.queue.requests[index]
    }

    /// Takes in who has come by now; who finds no place is turned away.
    fn arrive(&mut self) {
        let now = self.clock.now();
        while let Some(request) = self.queue.requests.get(self.next).filter(|r| r.at_ns <= now) {
            self.arrived[self.next] = request.at_ns.saturating_sub(self.clock.skipped());
            let free = self.slots.iter().filter(|slot| slot.is_none()).count();
            match self.waiting.len() < self.queue.waiting + free {
                true => self.waiting.push_back(self.next),
                false => {
                    let gone = Gone { fate: Fate::Rejected, sample: None, message: None };
                    self.gone[self.next] = Some(gone);
                }
            }
            self.next += 1;
        }
    }

    /// Ends who has waited, or been answered, for too long.
    fn give_up(&mut self, session: &mut dyn Session) -> Result<(), Error> {
        let (now, timeout) = (self.clock.now(), self.queue.timeout_ns);
        let late = |index: usize| now.saturating_sub(self.queue.requests[index].at_ns) > timeout;
        let (over, waiting) =
            self.waiting.iter().copied().partition::<VecDeque<_>, _>(|&i| late(i));
        let slots: Vec<usize> = (0..self.slots.len())
            .filter(|&slot| self.slots[slot].as_ref().is_some_and(|active| late(active.index)))
            .collect();
        self.waiting = waiting;
        for index in over {
            self.end(index, Vec::new(), Fate::TimedOut, None);
        }
        for slot in slots {
            self.free(session, slot, Fate::TimedOut, None)?;
        }
        Ok(())
    }

    fn admit(&mut self) {
        for slot in 0..self.slots.len() {
            if self.slots[slot].is_none()
                && let Some(index) = self.waiting.pop_front()
            {
                let emits = Vec::with_capacity(self.request(index).n);
                self.slots[slot] = Some(Active { index, read: 0, next: 0, emits });
            }
        }
    }

    /// One call of the session for everyone in a slot.
    fn compute(&mut self, session: &mut dyn Session, chunk: usize) -> Result<(), Error> {
        let queue = self.queue;
        let mut spans: Vec<(usize, Vec<Token>)> = Vec::with_capacity(self.slots.len());
        // Prompts share one chunk, so that a long one does not hold up everyone's next token.
        let mut room = chunk;
        for (slot, active) in self.slots.iter().enumerate() {
            let Some(active) = active else { continue };
            let prompt = &queue.requests[active.index].prompt;
            if active.read == prompt.len() {
                spans.push((slot, vec![active.next]));
            } else if room > 0 {
                let piece = &prompt[active.read..(active.read + room).min(prompt.len())];
                room -= piece.len();
                spans.push((slot, piece.to_vec()));
            }
        }
        let answered = ids(session, &spans);
        let now = self.clock.now();
        match answered {
            Ok(ids) => {
                self.failures = 0;
                for ((slot, tokens), id) in spans.iter().zip(ids) {
                    self.take(session, *slot, tokens.len(), id, now)?;
                }
                Ok(())
            }
            Err(error @ (Error::DeviceLost(_) | Error::OutOfMemory(_))) => Err(error),
            Err(error) => {
                self.failures += 1;
                if self.failures >= MOST_FAILURES {
                    return Err(error);
                }
                let message = error.to_string();
                for (slot, _) in spans {
                    self.free(session, slot, Fate::Failed, Some(message.clone()))?;
                }
                Ok(())
            }
        }
    }

    /// A slot's tokens were read; `id` is the answer's next one, if the logits had a largest.
    fn take(
        &mut self,
        session: &mut dyn Session,
        slot: usize,
        read: usize,
        id: Option<Token>,
        now: u64,
    ) -> Result<(), Error> {
        let Some(active) = self.slots[slot].as_mut() else { return Ok(()) };
        let request = &self.queue.requests[active.index];
        if active.read < request.prompt.len() {
            active.read += read;
            if active.read < request.prompt.len() {
                return Ok(());
            }
        }
        let Some(id) = id else {
            let message = "logits that are no numbers".to_owned();
            return self.free(session, slot, Fate::Failed, Some(message));
        };
        active.next = id;
        active.emits.push(now.saturating_sub(request.at_ns));
        match active.emits.len() >= request.n {
            true => self.free(session, slot, Fate::Done, None),
            false => Ok(()),
        }
    }

    fn free(
        &mut self,
        session: &mut dyn Session,
        slot: usize,
        fate: Fate,
        message: Option<String>,
    ) -> Result<(), Error> {
        if let Some(active) = self.slots[slot].take() {
            self.end(active.index, active.emits, fate, message);
        }
        session.truncate(Sequence(slot as u32), 0)
    }

    fn end(&mut self, index: usize, emits_ns: Vec<u64>, fate: Fate, message: Option<String>) {
        let at = self.request(index).at_ns;
        let nanoseconds = match (fate, emits_ns.last()) {
            // Done with its last token, not when the slot was looked at next.
            (Fate::Done, Some(&last)) => last,
            _ => self.clock.now().saturating_sub(at),
        };
        let sample = Sample {
            started_ns: self.clock.began() + self.arrived[index],
            nanoseconds,
            tokens: emits_ns.len() as u64,
            cpu_ns: None,
            emits_ns,
            marks: Vec::new(),
        };
        self.gone[index] = Some(Gone { fate, sample: Some(sample), message });
    }
}

/// Runs the spans; the likeliest next token of each.
fn ids(
    session: &mut dyn Session,
    spans: &[(usize, Vec<Token>)],
) -> Result<Vec<Option<Token>>, Error> {
    let spans: Vec<Span<'_>> = spans
        .iter()
        .map(|(slot, tokens)| Span { sequence: Sequence(*slot as u32), tokens })
        .collect();
    session.forward(&Batch { spans: &spans, rows: Rows::Last })?;
    let logits = session.logits()?;
    if logits.rows() != spans.len() {
        let (found, due) = (logits.rows(), spans.len());
        return Err(Error::Device(format!("gave {found} rows of logits, expected {due}")));
    }
    Ok((0..spans.len()).map(|row| best(logits.row(row))).collect())
}

/// The largest, as [`yardstick_api::Logits::argmax`] has it; none where one is no number or none is finite.
fn best(row: &[f32]) -> Option<Token> {
    let (mut best, mut sound) = ((0, f32::NEG_INFINITY), true);
    for (id, &value) in row.iter().enumerate() {
        sound &= !value.is_nan();
        if value > best.1 {
            best = (id, value);
        }
    }
    (sound && best.1.is_finite()).then_some(best.0 as Token)
}

#[cfg(test)]
mod tests;
