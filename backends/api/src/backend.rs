//! The two traits: a backend, which knows devices, and a session, a model resident on one.

use std::ops::ControlFlow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use yardstick_model::{Model, ModelInfo};

use crate::{
    Batch, Device, DeviceStatus, Facts, Known, Limit, Logits, Options, Profile, Reached, Rows,
    Sequence, Span, Token, WeightScheme,
};

/// A way of running a model.
pub trait Backend: Sync {
    /// The part of a device id before the colon.
    fn name(&self) -> &str;

    /// Devices usable here and now, and those that are not with the reason and the one-line fix.
    fn devices(&self) -> Vec<DeviceStatus>;

    /// What this model would take on this device with these options, or why it cannot run.
    /// Allocates nothing and does not touch the device.
    fn plan(
        &self,
        device: &Device,
        model: &ModelInfo,
        options: &Options,
    ) -> Result<Footprint, Unsupported>;

    /// Makes the model resident.
    fn load(
        &self,
        device: &Device,
        model: &Arc<Model>,
        options: &Options,
    ) -> Result<Box<dyn Session>, Error>;

    /// Whether this device runs weights rounded anew by this scheme, and then names it in the note [`WeightScheme::NOTE`]. No caller may
    /// plan or load with `options.weights` where it does not.
    fn takes_weights(&self, device: &Device, scheme: WeightScheme) -> bool {
        let _ = (device, scheme);
        false
    }

    /// What this device reaches at a limit with `threads` threads (`None`: as many as a session would use), the best over
    /// access patterns or instructions. Needs no session and runs for about a quarter of a second.
    fn ceiling(&self, device: &Device, limit: Limit, threads: Option<usize>) -> Known<Reached> {
        let _ = threads;
        Known::unavailable(format!("{} does not measure {limit}", device.id))
    }
}

/// Called when generated ids reach the host: the step of the first id, and the ids, step-major
/// (`ids[step * sequences + sequence]`). The caller stamps the time and may stop.
pub type Emit<'a> = dyn FnMut(usize, &[Token]) -> ControlFlow<()> + 'a;

/// A model resident on a device, with its KV cache.
pub trait Session {
    /// Appends tokens to sequences: prefill, decode and batched decode are the same call.
    /// May return before the device has finished. An error leaves every sequence's length as it was.
    fn forward(&mut self, batch: &Batch<'_>) -> Result<(), Error>;

    /// Returns when the device is idle.
    fn synchronize(&mut self) -> Result<(), Error>;

    /// The rows the last `forward` asked for; implies `synchronize`.
    fn logits(&mut self) -> Result<Logits<'_>, Error>;

    /// Greedy generation: appends each sequence's token, `n` times, taking the largest logit as the next.
    /// A device that chains tokens without the host overrides it.
    fn generate(
        &mut self,
        first: &[(Sequence, Token)],
        n: usize,
        emit: &mut Emit<'_>,
    ) -> Result<(), Error> {
        let mut next: Vec<(Sequence, Token)> = first.to_vec();
        let mut ids = vec![0; first.len()];
        for step in 0..n {
            let tokens: Vec<[Token; 1]> = next.iter().map(|&(_, token)| [token]).collect();
            let spans: Vec<Span<'_>> = next
                .iter()
                .zip(&tokens)
                .map(|(&(sequence, _), tokens)| Span { sequence, tokens })
                .collect();
            self.forward(&Batch { spans: &spans, rows: Rows::Last })?;
            let logits = self.logits()?;
            for (row, id) in ids.iter_mut().enumerate() {
                *id = logits.argmax(row);
                next[row].1 = *id;
            }
            if emit(step, &ids).is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Shortens a sequence to `length` positions; 0 empties it.
    fn truncate(&mut self, sequence: Sequence, length: usize) -> Result<(), Error>;

    /// Makes `to` a copy of `from`.
    fn copy(&mut self, from: Sequence, to: Sequence) -> Result<(), Error>;

    /// Positions a sequence holds now.
    fn length(&self, sequence: Sequence) -> usize;

    /// What really runs.
    fn facts(&self) -> Facts;

    /// Per-operation times of the last call, when options.profile was set.
    fn profile(&mut self) -> Option<Profile> {
        None
    }
}

/// Memory a session would take, bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Footprint {
    /// Weights used from the mapped file.
    pub mapped_bytes: u64,
    /// Weights copied or re-laid.
    pub copied_bytes: u64,
    /// KV cache.
    pub kv_bytes: u64,
    /// Scratch.
    pub scratch_bytes: u64,
}

impl Footprint {
    /// Everything.
    pub fn total(&self) -> u64 {
        self.mapped_bytes.saturating_add(self.private())
    }

    /// Everything but the mapped file.
    pub fn private(&self) -> u64 {
        self.copied_bytes.saturating_add(self.kv_bytes).saturating_add(self.scratch_bytes)
    }
}

/// Why a model cannot run on a device with these options: a skipped cell, not a failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{reason}")]
pub struct Unsupported {
    /// The reason, with the numbers.
    pub reason: String,
    /// One line that would change that.
    pub fix: Option<String>,
}

/// What can go wrong while loading or running.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The combination cannot run; see [`Backend::plan`].
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
    /// The caller broke the contract: an empty span, a token beyond the vocabulary, a full sequence.
    #[error("invalid call: {0}")]
    Invalid(String),
    /// The model file changed, vanished or lied.
    #[error(transparent)]
    Model(#[from] yardstick_model::Error),
    /// An allocation failed.
    #[error("out of memory: {0}")]
    OutOfMemory(String),
    /// The device went away.
    #[error("device lost: {0}")]
    DeviceLost(String),
    /// It would run, but not on the device asked for: an invalid cell, never a number.
    #[error("{0}")]
    Misplaced(String),
    /// Anything else the device reports.
    #[error("{0}")]
    Device(String),
}
