//! The timeline: what else the machine did while a test was measured, span by span.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Track;

/// Evidence of the moment. A point of a track stands at its span's end and tells of the time since the point before, or since the
/// start: of shares their mean, of counts how many, of clocks and temperatures the value at the end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Timeline {
    /// UTC start, RFC 3339.
    pub started: String,
    /// The start on the clock of the samples, nanoseconds since the worker's hello, as near as its parent can tell: it hears
    /// of the hello late, and knows that the samples were taken while it watched. Negative where the watch began before.
    pub started_ns: i64,
    /// By their readings' names: `steal_percent`, `foreign_cpu_percent`, `worker_cpu_percent` (shares of all cores' time),
    /// `major_faults`, `cpu_throttle_events`, `cpu_clock_fastest_mhz`, `hottest_celsius`. Those that nothing tells are left out;
    /// the readings say why.
    pub tracks: Vec<Track>,
}

impl Timeline {
    /// The track of a name.
    pub fn track(&self, name: &str) -> Option<&Track> {
        self.tracks.iter().find(|track| track.name == name)
    }
}
