//! The queue over a session whose every call takes 10 ns on a clock of its own, so that each stamp is known.

use std::cell::Cell;
use std::rc::Rc;

use yardstick_api::{Emit, Facts, Logits};

use super::*;

/// What a call of the session does, by its number from 1.
type Fault = fn(usize) -> Option<Error>;

struct Paced {
    time: Rc<Cell<u64>>,
    lengths: Vec<usize>,
    logits: Vec<f32>,
    /// Tokens of each call, over all spans.
    calls: Vec<usize>,
    fault: Fault,
    best: f32,
}

impl Session for Paced {
    fn forward(&mut self, batch: &Batch<'_>) -> Result<(), Error> {
        self.time.set(self.time.get() + 10);
        self.calls.push(batch.len());
        if let Some(error) = (self.fault)(self.calls.len()) {
            return Err(error);
        }
        for span in batch.spans {
            self.lengths[span.sequence.0 as usize] += span.tokens.len();
        }
        self.logits = batch.spans.iter().flat_map(|_| [0.0, self.best, 0.0]).collect();
        Ok(())
    }
    fn synchronize(&mut self) -> Result<(), Error> {
        Ok(())
    }
    fn logits(&mut self) -> Result<Logits<'_>, Error> {
        Ok(Logits { vocab: 3, values: &self.logits })
    }
    fn generate(
        &mut self,
        _: &[(Sequence, Token)],
        _: usize,
        _: &mut Emit<'_>,
    ) -> Result<(), Error> {
        Err(Error::Invalid("a queue does not generate".to_owned()))
    }
    fn truncate(&mut self, sequence: Sequence, length: usize) -> Result<(), Error> {
        self.lengths[sequence.0 as usize] = length;
        Ok(())
    }
    fn copy(&mut self, _: Sequence, _: Sequence) -> Result<(), Error> {
        Ok(())
    }
    fn length(&self, sequence: Sequence) -> usize {
        self.lengths[sequence.0 as usize]
    }
    fn facts(&self) -> Facts {
        unreachable!("a queue is told its slots and its chunk")
    }
}

struct Simulated {
    time: Rc<Cell<u64>>,
    skipped: u64,
}

impl Clock for Simulated {
    fn now(&self) -> u64 {
        self.time.get()
    }
    fn skip_to(&mut self, at: u64) {
        self.skipped += at - self.time.get();
        self.time.set(at);
    }
    fn skipped(&self) -> u64 {
        self.skipped
    }
    fn began(&self) -> u64 {
        1000
    }
}

struct Bench {
    session: Paced,
    clock: Simulated,
}

fn bench(slots: usize, fault: Fault) -> Bench {
    let time = Rc::new(Cell::new(0));
    let session = Paced {
        time: Rc::clone(&time),
        lengths: vec![0; slots],
        logits: Vec::new(),
        calls: Vec::new(),
        fault,
        best: 1.0,
    };
    Bench { session, clock: Simulated { time, skipped: 0 } }
}

impl Bench {
    fn serve(&mut self, queue: &Queue, chunk: usize) -> Result<Served, Error> {
        let slots = self.session.lengths.len();
        let go_on = &mut |_| false;
        let served = serve(&mut self.session, queue, (slots, chunk), &mut self.clock, go_on)?;
        assert!(self.session.lengths.iter().all(|length| *length == 0), "slots are left empty");
        Ok(served.expect("nobody cancelled it"))
    }
}

/// Requests at these moments, of a prompt and an answer of 3 tokens each.
fn queue(at: &[u64], waiting: usize, timeout_ns: u64) -> Queue {
    let request = |&at_ns: &u64| Arriving { at_ns, prompt: vec![1; 3], n: 3 };
    Queue { requests: at.iter().map(request).collect(), waiting, timeout_ns }
}

fn fates(served: &Served) -> Vec<Fate> {
    served.requests.iter().map(|gone| gone.fate).collect()
}

fn emits(served: &Served, at: usize) -> &[u64] {
    &served.requests[at].sample.as_ref().unwrap().emits_ns
}

fn fine(_: usize) -> Option<Error> {
    None
}

#[test]
fn time_in_which_nobody_is_there_is_skipped_and_no_other() {
    let mut bench = bench(1, fine);
    let served = bench.serve(&queue(&[0, 100], 4, 1000), 8).unwrap();
    assert_eq!((served.busy_ns, served.skipped_ns), (60, 70));
    for at in 0..2 {
        assert_eq!(emits(&served, at), [10, 20, 30], "the prompt in one call, a token each");
        let sample = served.requests[at].sample.as_ref().unwrap();
        assert_eq!((sample.nanoseconds, sample.tokens), (30, 3));
    }
    let started = |at: usize| served.requests[at].sample.as_ref().unwrap().started_ns;
    assert_eq!((started(0), started(1)), (1000, 1030), "on the worker's clock nothing is skipped");
}

#[test]
fn a_request_waits_for_a_slot_and_slots_are_answered_together() {
    let mut one = bench(1, fine);
    let served = one.serve(&queue(&[0, 0, 0], 2, 1000), 8).unwrap();
    assert_eq!(emits(&served, 2), [70, 80, 90], "the third waits for two of 30 ns");
    let mut three = bench(3, fine);
    let served = three.serve(&queue(&[0, 0, 0], 0, 1000), 16).unwrap();
    assert_eq!((0..3).map(|at| emits(&served, at)).collect::<Vec<_>>(), [[10, 20, 30]; 3]);
    assert_eq!(three.session.calls, [9, 3, 3], "three prompts, then three tokens a call");
}

#[test]
fn who_finds_the_queue_full_is_turned_away_and_has_no_sample() {
    let served = bench(1, fine).serve(&queue(&[0, 0, 0, 0, 35], 1, 1000), 8).unwrap();
    use Fate::{Done, Rejected};
    assert_eq!(fates(&served), [Done, Done, Rejected, Rejected, Done]);
    assert_eq!(served.requests[2].sample, None);
    assert_eq!(
        emits(&served, 4)[0],
        35,
        "it came at 35, the slot was free at 60, its token there at 70"
    );
}

#[test]
fn who_takes_too_long_is_given_up_waiting_or_half_answered() {
    let served = bench(1, fine).serve(&queue(&[0, 0], 1, 15), 8).unwrap();
    assert_eq!(fates(&served), [Fate::TimedOut, Fate::TimedOut]);
    let half = served.requests[0].sample.as_ref().unwrap();
    assert_eq!((half.emits_ns.as_slice(), half.tokens, half.nanoseconds), (&[10, 20][..], 2, 20));
    let waited = served.requests[1].sample.as_ref().unwrap();
    assert_eq!((waited.tokens, waited.nanoseconds), (0, 20));
}

#[test]
fn prompts_share_a_chunk_and_do_not_hold_up_tokens() {
    let mut bench = bench(2, fine);
    let mut queue = queue(&[0, 15], 2, 10_000);
    queue.requests[1].prompt = vec![1; 7];
    let served = bench.serve(&queue, 3).unwrap();
    // The second arrives within the second call and is read in pieces of 3, 3 and 1.
    assert_eq!(bench.session.calls, [3, 1, 4, 3, 1, 1, 1]);
    assert_eq!(emits(&served, 0), [10, 20, 30]);
    assert_eq!(emits(&served, 1), [35, 45, 55]);
}

#[test]
fn a_failed_call_fails_those_in_it_and_three_in_a_row_the_device() {
    let once: Fault = |call| (call == 2).then(|| Error::Device("once".to_owned()));
    let served = bench(1, once).serve(&queue(&[0, 0], 1, 1000), 8).unwrap();
    assert_eq!(fates(&served), [Fate::Failed, Fate::Done]);
    assert!(served.requests[0].message.as_ref().unwrap().contains("once"));
    let always: Fault = |_| Some(Error::Device("always".to_owned()));
    let error = bench(1, always).serve(&queue(&[0; 9], 9, 1000), 8).unwrap_err();
    assert!(error.to_string().contains("always"), "{error}");
    let lost: Fault = |_| Some(Error::DeviceLost("gone".to_owned()));
    assert!(matches!(bench(1, lost).serve(&queue(&[0], 1, 9), 8), Err(Error::DeviceLost(_))));
}

#[test]
fn logits_that_are_no_numbers_are_a_failed_request() {
    for best in [f32::NAN, f32::INFINITY] {
        let mut bench = bench(1, fine);
        bench.session.best = best;
        let served = bench.serve(&queue(&[0], 1, 1000), 8).unwrap();
        assert_eq!(fates(&served), [Fate::Failed], "{best}");
        assert!(served.requests[0].message.as_ref().unwrap().contains("no numbers"));
    }
}

#[test]
fn a_cancelled_queue_has_no_result() {
    let mut bench = bench(1, fine);
    let queue = queue(&[0, 0], 2, 1000);
    let cancel = &mut |_| true;
    let served = serve(&mut bench.session, &queue, (1, 8), &mut bench.clock, cancel).unwrap();
    assert_eq!(served, None);
}
