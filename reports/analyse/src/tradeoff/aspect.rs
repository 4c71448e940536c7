//! The aspects: what is weighed against what, and the columns a trade-off has.

use yardstick_record::{Direction, Metric, Test};

/// What a candidate is weighed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Aspect {
    /// Bytes of the file; of keys and values those of one position.
    Size,
    /// Bits of one weight, or of one element of keys and values, scales included.
    BitsPerWeight,
    /// Speed of prefill.
    Prefill,
    /// Speed of generation.
    Decode,
    /// Peak resident memory while generating.
    Memory,
    /// Energy of a generated token.
    Energy,
    /// A score of quality.
    Quality(Metric),
}

impl Aspect {
    /// The name in JSON and CSV.
    pub fn name(self) -> &'static str {
        match self {
            Aspect::Size => "size_bytes",
            Aspect::BitsPerWeight => "bits_per_weight",
            Aspect::Prefill => "prefill_tokens_per_second",
            Aspect::Decode => "decode_tokens_per_second",
            Aspect::Memory => "peak_rss_bytes",
            Aspect::Energy => "joules_per_token",
            Aspect::Quality(metric) => metric.name(),
        }
    }

    /// The unit.
    pub fn unit(self) -> &'static str {
        match self {
            Aspect::Size | Aspect::Memory => "bytes",
            Aspect::BitsPerWeight => "bits",
            Aspect::Prefill | Aspect::Decode => "tokens/s",
            Aspect::Energy => "J/token",
            Aspect::Quality(metric) => metric.unit(),
        }
    }

    /// Which way is better.
    pub fn direction(self) -> Direction {
        match self {
            Aspect::Size | Aspect::BitsPerWeight | Aspect::Memory | Aspect::Energy => {
                Direction::Lower
            }
            Aspect::Prefill | Aspect::Decode => Direction::Higher,
            Aspect::Quality(metric) => metric.direction(),
        }
    }
}

/// A column: an aspect, and by which test on which text it is known.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Column {
    /// What.
    pub aspect: Aspect,
    /// The test; `None` where none is needed, or none was asked for.
    pub test: Option<Test>,
    /// The text or the questions of a test of quality.
    pub data: Option<String>,
    /// What its answers were held against.
    pub reference: Option<String>,
}

impl Column {
    pub(super) fn plain(aspect: Aspect, test: Option<Test>) -> Column {
        Column { aspect, test, data: None, reference: None }
    }
}
