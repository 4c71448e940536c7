//! The session as the harness drives it: each call blocks its thread until the asynchronous one is done.

use yardstick_api::{Batch, Emit, Error, Facts, Logits, Profile, Sequence, Session, Token};

use crate::session::WgpuSession;
use crate::wait::block;

/// A session whose calls block.
pub(crate) struct Blocking(pub(crate) WgpuSession);

impl Session for Blocking {
    fn forward(&mut self, batch: &Batch<'_>) -> Result<(), Error> {
        block(self.0.forward(batch))
    }

    fn synchronize(&mut self) -> Result<(), Error> {
        block(self.0.synchronize())
    }

    fn logits(&mut self) -> Result<Logits<'_>, Error> {
        block(self.0.logits())
    }

    fn generate(
        &mut self,
        first: &[(Sequence, Token)],
        n: usize,
        emit: &mut Emit<'_>,
    ) -> Result<(), Error> {
        block(self.0.generate(first, n, emit))
    }

    fn truncate(&mut self, sequence: Sequence, length: usize) -> Result<(), Error> {
        self.0.truncate(sequence, length)
    }

    fn copy(&mut self, from: Sequence, to: Sequence) -> Result<(), Error> {
        self.0.copy(from, to)
    }

    fn length(&self, sequence: Sequence) -> usize {
        self.0.length(sequence)
    }

    fn facts(&self) -> Facts {
        self.0.facts()
    }

    fn profile(&mut self) -> Option<Profile> {
        self.0.profile()
    }
}
