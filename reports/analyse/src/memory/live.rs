//! A model's memory on a device as it was looked at in one process: told and seen, first use, growth over requests, what fits.

use serde::Serialize;
use yardstick_api::Known;

use super::growth::MemoryGrowth;
use super::reconciled::Held;
use crate::estimate::sorted;
use crate::median;

/// Everything that was looked at.
#[derive(Clone, Debug, Serialize)]
pub struct LiveMemory {
    /// Model's name.
    pub model: String,
    /// Device that ran.
    pub device: String,
    /// Told and seen.
    pub account: Account,
    /// Ways of loading; empty where nobody asked.
    pub first_use: Vec<FirstUseLine>,
    /// Growth over requests; `None` where nobody asked.
    pub growth: Option<Known<MemoryGrowth>>,
    /// Positions the model was made for; more may fit.
    pub trained_context: usize,
    /// Batches; empty where nobody asked.
    pub fits: Vec<FitLine>,
    /// Bytes that may be taken: the safe share of what is free; null where that is not known.
    pub budget_bytes: Known<u64>,
}

/// What the backend tells, and what the process grew by.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Account {
    /// By the backend's facts.
    pub held: Held,
    /// Growth of the proportional set size from before loading to after use, bytes; or why it is not known.
    pub seen_bytes: Known<f64>,
    /// Growth of memory that is of no file, bytes.
    pub anonymous_bytes: Known<f64>,
    /// Faults of loading and use that read the disk.
    pub major_faults: Known<f64>,
    /// All others.
    pub minor_faults: Known<f64>,
}

impl Account {
    /// Seen less told, bytes.
    pub fn difference(&self) -> Known<f64> {
        self.seen_bytes.clone().map(|seen| seen - self.held.total() as f64)
    }
}

/// A way of loading.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FirstUseLine {
    /// In words: `mapped, packed`.
    pub way: &'static str,
    /// Files were dropped from the page cache first.
    pub cold: bool,
    /// Weights mapped and copied, bytes.
    pub weights: [u64; 2],
    /// Loading.
    pub load_ns: u64,
    /// The first token.
    pub first_ns: u64,
    /// Later ones.
    pub steady_ns: Vec<u64>,
    /// Faults that read the disk: of loading, of the first token, of later ones. Not finite where they cannot be read.
    pub major_faults: [Known<f64>; 3],
}

impl FirstUseLine {
    /// Median of the later tokens, nanoseconds.
    pub fn steady(&self) -> Option<f64> {
        let values: Vec<f64> = self.steady_ns.iter().map(|ns| *ns as f64).collect();
        median(&sorted(&values))
    }

    /// What the first token costs more than a later one, nanoseconds.
    pub fn first_use_cost(&self) -> Option<f64> {
        Some(self.first_ns as f64 - self.steady()?)
    }
}

/// The deepest context of a batch.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FitLine {
    /// Sequences.
    pub batch: usize,
    /// Positions of each, computed.
    pub depth: usize,
    /// Bytes it takes in all, by the backend's plan.
    pub bytes: u64,
    /// Of these keys and values.
    pub kv_bytes: u64,
    /// Why not one position more.
    pub stop: String,
    /// What running it showed; null: computed only, and why.
    pub checked: Known<FitCheck>,
}

/// A batch that was loaded and filled.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FitCheck {
    /// Positions filled of each sequence.
    pub positions: usize,
    /// It was stopped because its time was over.
    pub timed_out: bool,
    /// Growth of the proportional set size, bytes.
    pub seen_bytes: Known<f64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_use_costs_what_it_takes_beyond_the_median_of_later_tokens() {
        let unread = || Known::unavailable("test");
        let line = FirstUseLine {
            way: "mapped",
            cold: true,
            weights: [1, 0],
            load_ns: 1,
            first_ns: 100,
            steady_ns: vec![30, 10, 20],
            major_faults: [unread(), unread(), unread()],
        };
        assert_eq!(line.first_use_cost(), Some(80.0));
        assert_eq!(FirstUseLine { steady_ns: Vec::new(), ..line }.first_use_cost(), None);
    }

    #[test]
    fn what_was_not_seen_has_no_difference() {
        let held = Held { mapped_bytes: 7, copied_bytes: 1, kv_bytes: 1, scratch_bytes: 1 };
        let account = |seen_bytes| Account {
            held,
            seen_bytes,
            anonymous_bytes: Known::unavailable("test"),
            major_faults: Known::unavailable("test"),
            minor_faults: Known::unavailable("test"),
        };
        assert_eq!(account(Known::Value(4.0)).difference(), Known::Value(-6.0));
        assert_eq!(account(Known::unavailable("no /proc")).difference().reason(), Some("no /proc"));
    }
}
