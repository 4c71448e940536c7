//! What a run tells while it runs.

use yardstick_api::Options;
use yardstick_record::{Phase, Record, Test, Verification};

/// Something happened that a person may want to see. Nothing depends on it.
#[derive(Clone, Debug, PartialEq)]
pub enum Event<'a> {
    /// A model is being written or opened.
    Model {
        /// Its name.
        name: &'a str,
        /// Bytes done.
        done: u64,
        /// Bytes in all, 0 where unknown.
        total: u64,
    },
    /// A launch begins.
    Launch {
        /// Its place in the order, from 0.
        index: usize,
        /// Launches in all.
        of: usize,
        /// Device id.
        device: &'a str,
        /// Model's name.
        model: &'a str,
        /// Options asked for.
        options: &'a Options,
    },
    /// The worker begins a phase.
    Phase {
        /// Which.
        phase: Phase,
        /// Of which test, where it is of one.
        test: Option<Test>,
    },
    /// How far the phase is.
    Progress {
        /// Steps done.
        done: u64,
        /// Steps in all, 0 where unknown.
        total: u64,
    },
    /// A member of a pair made a repetition.
    Turn {
        /// Its device, and build.
        member: &'a str,
        /// The round, from 0.
        round: usize,
    },
    /// A launch's answers were judged.
    Verified {
        /// Device id.
        device: &'a str,
        /// Model's name.
        model: &'a str,
        /// Options asked for.
        options: &'a Options,
        /// The verdict.
        verification: &'a Verification,
    },
    /// Something worth a warning that is not in a record.
    Note(&'a str),
}

/// Where a run's records and events go.
pub trait Sink {
    /// Called as soon as a cell is measured. An error ends the run.
    fn record(&mut self, record: Record) -> Result<(), String>;

    /// Called often; must not block.
    fn event(&mut self, event: Event<'_>) {
        let _ = event;
    }
}
