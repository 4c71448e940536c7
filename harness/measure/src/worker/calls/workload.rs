//! The calls of workloads: conversations, and requests in a queue.

use yardstick_api::Sequence;

use super::{Calls, Fault, Stop};
use crate::protocol::{Answer, Message, Queue, Turn};
use crate::timed::{self, RealClock};

/// Requests of one queue; more is a typing error, not a load.
const MOST_REQUESTS: usize = 100_000;

impl Calls<'_> {
    pub(super) fn chat(
        &mut self,
        id: u64,
        turns: &[Turn],
        reuse: bool,
        stop: Stop<'_>,
    ) -> Result<Answer, Fault> {
        let (epoch, output) = (self.epoch, self.output.clone());
        let resident = self.resident()?;
        resident.filled = 0;
        let session = resident.session()?;
        session.truncate(Sequence(0), 0)?;
        let (mut samples, mut ids) = (Vec::new(), Vec::new());
        let mut history = Vec::new();
        for (done, turn) in turns.iter().enumerate() {
            let held = if reuse { history.len() } else { 0 };
            history.extend_from_slice(&turn.prompt);
            let work = (held, &history[held..]);
            let reply = if reuse { &turn.reply[..] } else { &[] };
            match timed::turn(session, epoch, work, turn.n, reply, stop)? {
                Some((sample, generated)) => {
                    samples.push(sample);
                    ids.push(generated);
                }
                None => break,
            }
            history.extend_from_slice(&turn.reply);
            let (done, total) = (done as u64 + 1, turns.len() as u64);
            let _ = output.send(&Message::Progress { id, done, total });
        }
        Ok(Answer::Chatted { samples, ids })
    }

    pub(super) fn serve(
        &mut self,
        id: u64,
        queue: &Queue,
        stop: Stop<'_>,
    ) -> Result<Answer, Fault> {
        let (epoch, output) = (self.epoch, self.output.clone());
        let resident = self.resident()?;
        resident.filled = 0;
        let (slots, chunk) = (resident.options.sequences, resident.options.chunk);
        let session = resident.session()?;
        let context = session.facts().context;
        check(queue, context)?;
        let (total, mut told) = (queue.requests.len() as u64, 0);
        let mut step = |gone: usize| {
            if gone as u64 > told {
                told = gone as u64;
                let _ = output.send(&Message::Progress { id, done: told, total });
            }
            stop()
        };
        let mut clock = RealClock::start(epoch);
        let served = timed::serve(session, queue, (slots, chunk), &mut clock, &mut step)?;
        let served = served.ok_or_else(|| Fault::invalid("the queue was cancelled"))?;
        let timed::Served { requests, busy_ns, skipped_ns } = served;
        Ok(Answer::Served { requests, busy_ns, skipped_ns })
    }
}

fn check(queue: &Queue, context: usize) -> Result<(), Fault> {
    let n = queue.requests.len();
    if n == 0 || n > MOST_REQUESTS {
        return Err(Fault::invalid(format!("found {n} requests, expected 1 to {MOST_REQUESTS}")));
    }
    let wrong = queue.requests.iter().position(|request| {
        request.prompt.is_empty() || request.n == 0 || request.prompt.len() + request.n > context
    });
    match wrong {
        Some(at) => Err(Fault::invalid(format!(
            "request {at} has no prompt, asks for nothing, or does not fit into {context} positions"
        ))),
        None if !queue.requests.is_sorted_by_key(|request| request.at_ns) => {
            Err(Fault::invalid("requests are not in the order of arrival"))
        }
        None => Ok(()),
    }
}
