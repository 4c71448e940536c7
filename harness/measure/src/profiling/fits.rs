//! What fits: the deepest context of each batch whose footprint, by the backend's own plan, stays within a share of the free
//! memory; computed, and checked by loading it and filling positions.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use yardstick_api::{
    Backend, Batch, Device, Error, Footprint, Options, Rows, Sequence, Session, Span, Unsupported,
};
use yardstick_model::ModelInfo;

/// What stops at a depth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// One position more needs more memory than may be taken.
    Memory,
    /// The model has learned no more positions, or the backend says no for another reason.
    Refused(String),
    /// Deeper than anyone asks.
    Limit,
}

/// The deepest context of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fit {
    /// Sequences.
    pub batch: usize,
    /// Positions of each; 0: not even one.
    pub depth: usize,
    /// What it takes.
    pub footprint: Footprint,
    /// Why not one more.
    pub stop: Stop,
}

/// Positions asked for at most.
const DEEPEST: usize = 1 << 24;

/// Finds it; runs nothing. `budget`: bytes that may be taken.
pub fn deepest(
    backend: &dyn Backend,
    device: &Device,
    info: &ModelInfo,
    options: &Options,
    budget: u64,
) -> Fit {
    let plan = |depth: usize| -> Result<Footprint, Stop> {
        let options = Options { context: Some(depth), ..options.clone() };
        match backend.plan(device, info, &options) {
            Ok(footprint) if footprint.total() <= budget => Ok(footprint),
            Ok(_) => Err(Stop::Memory),
            Err(Unsupported { reason, .. }) => Err(refusal(reason)),
        }
    };
    let (mut low, mut footprint) = (0, Footprint::default());
    let mut high = DEEPEST + 1;
    let mut stop = Stop::Limit;
    let mut next = 1;
    while low + 1 < high {
        match plan(next) {
            Ok(found) => (low, footprint) = (next, found),
            Err(why) => (high, stop) = (next, why),
        }
        // Doubling until something stops, then halving what is between.
        next = if high > DEEPEST { (2 * low).clamp(low + 1, DEEPEST) } else { low.midpoint(high) };
        if low == DEEPEST {
            break;
        }
    }
    Fit { batch: options.sequences, depth: low, footprint, stop }
}

/// A backend's own refusal over memory is one.
fn refusal(reason: String) -> Stop {
    match reason.contains("MiB are available") {
        true => Stop::Memory,
        false => Stop::Refused(reason),
    }
}

/// How far a check came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filled {
    /// Positions of each sequence that were filled.
    pub positions: usize,
    /// Stopped because the time was over, not because it was full.
    pub timed_out: bool,
}

/// Fills every sequence to `depth`, sequence by sequence's chunk, until `time` is over, then one more token in each that has room.
///
/// # Errors
/// What the session says: it does not fit after all.
pub fn fill(
    session: &mut dyn Session,
    batch: usize,
    depth: usize,
    chunk: usize,
    time: Duration,
    progress: &mut dyn FnMut(usize) -> ControlFlow<()>,
) -> Result<Filled, Error> {
    let start = Instant::now();
    let tokens = vec![0; chunk.max(1)];
    let mut positions = 0;
    while positions < depth {
        if start.elapsed() > time || progress(positions).is_break() {
            return Ok(Filled { positions, timed_out: true });
        }
        let more = chunk.clamp(1, depth - positions);
        for sequence in (0..batch as u32).map(Sequence) {
            let spans = [Span { sequence, tokens: &tokens[..more] }];
            session.forward(&Batch { spans: &spans, rows: Rows::Last })?;
            session.synchronize()?;
        }
        positions += more;
    }
    Ok(Filled { positions, timed_out: false })
}
