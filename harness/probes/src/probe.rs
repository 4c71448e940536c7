//! What a probe is, and how its readings are made.

use std::time::Instant;

use yardstick_api::Known;
use yardstick_record::{Direction, Reading, Track};

/// A meter beside the clock. `start` and `stop` bracket the timed samples of one test and are never called inside a
/// timed region; both may take milliseconds.
pub trait Probe {
    /// Short name, for messages.
    fn name(&self) -> &str;
    /// Begins to watch a process. What cannot be read is remembered and becomes the reason of the readings.
    fn start(&mut self, pid: u32) -> Result<(), Error>;
    /// Every reading of this probe, each a value or a reason, whatever happened to the process.
    fn stop(&mut self) -> Result<Vec<Reading>, Error>;
    /// What it saw from moment to moment between the last start and stop, and when that began; most probes tell ends only.
    fn timeline(&mut self) -> Option<(Instant, Vec<Track>)> {
        None
    }
}

/// A probe used wrongly. A machine that cannot answer is not an error: it is a reading with a reason.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// `stop` without `start`.
    #[error(
        "probe {probe} was stopped before it was started; call start with the worker's process id first"
    )]
    NotStarted {
        /// Which one.
        probe: &'static str,
    },
}

/// What a probe could learn, or why not.
pub(crate) type Learnt<T> = Result<T, String>;

/// The fixed part of a reading.
pub(crate) struct Meter {
    pub(crate) name: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) source: &'static str,
    pub(crate) scope: &'static str,
}

impl Meter {
    /// The reading; less is better for every meter of this crate.
    pub(crate) fn read(&self, value: Learnt<f64>) -> Reading {
        Reading {
            name: self.name.to_owned(),
            value: known(value),
            unit: self.unit.to_owned(),
            better: Some(Direction::Lower),
            source: self.source.to_owned(),
            scope: self.scope.to_owned(),
            precision: None,
        }
    }
}

/// A learnt value as a record keeps it; what is not finite has no place in JSON.
pub(crate) fn known(value: Learnt<f64>) -> Known<f64> {
    match value {
        Ok(value) if value.is_finite() => Known::Value(value),
        Ok(value) => Known::unavailable(format!("not a finite number: {value}")),
        Err(reason) => Known::Unavailable { unavailable: reason },
    }
}

/// How far a counter moved; counters only grow.
pub(crate) fn moved(what: &str, before: u64, after: u64) -> Learnt<u64> {
    after
        .checked_sub(before)
        .ok_or_else(|| format!("{what} went backwards, from {before} to {after}"))
}
