//! A model resident in the runtime: checks calls whole, cuts them into chunks of one sequence, keeps lengths and logits. How a
//! chunk runs is the form's own.

mod calibrate;
mod dynamic;
mod embedding;
mod facts;
mod fixed;
mod make;
mod maker;

use std::sync::Arc;

use yardstick_api::{
    Batch, Error, Facts, Lengths, Logits, Profile, Sequence, Session, Step, Token,
};
use yardstick_model::Model;

pub(crate) use make::load;

use crate::placement::{Recorded, together};

/// Runs chunks of one sequence.
pub(crate) trait Form {
    /// Appends tokens at a position; for each row of `wanted` (ascending), its logits join `logits`.
    fn run(
        &mut self,
        sequence: usize,
        position: usize,
        tokens: &[Token],
        wanted: &[usize],
        logits: &mut Vec<f32>,
    ) -> Result<(), Error>;

    /// Makes the first `length` positions of `to` those of `from`.
    fn copy(&mut self, from: usize, to: usize, length: usize) -> Result<(), Error>;

    /// The runtime's sessions it is made of.
    fn sessions(&mut self) -> Vec<&mut Recorded>;
}

pub(crate) struct OrtSession {
    pub(crate) form: Box<dyn Form>,
    pub(crate) model: Arc<Model>,
    pub(crate) facts: Facts,
    /// Tokens run together.
    pub(crate) chunk: usize,
    pub(crate) lengths: Lengths,
    /// (rows asked for, vocab) of the last call.
    pub(crate) logits: Vec<f32>,
}

impl OrtSession {
    fn vocab(&self) -> usize {
        self.model.architecture().vocab
    }
}

impl Session for OrtSession {
    fn forward(&mut self, batch: &Batch<'_>) -> Result<(), Error> {
        let step = Step::new(batch, &self.lengths, self.vocab())?;
        self.logits.clear();
        self.form.sessions().into_iter().for_each(Recorded::begin);
        for chunk in step.chunks(self.chunk) {
            for piece in &chunk.pieces {
                let inside = chunk.wanted.iter().filter(|row| piece.rows.contains(row));
                let wanted: Vec<usize> = inside.map(|row| row - piece.rows.start).collect();
                let tokens = &chunk.tokens[piece.rows.clone()];
                self.form.run(piece.sequence, piece.position, tokens, &wanted, &mut self.logits)?;
            }
        }
        // Only now that nothing can fail do the sequences grow.
        self.lengths.grow(&step);
        Ok(())
    }

    fn synchronize(&mut self) -> Result<(), Error> {
        Ok(())
    }

    fn logits(&mut self) -> Result<Logits<'_>, Error> {
        Ok(Logits { vocab: self.vocab(), values: &self.logits })
    }

    fn truncate(&mut self, sequence: Sequence, length: usize) -> Result<(), Error> {
        self.lengths.truncate(sequence, length).map(drop)
    }

    fn copy(&mut self, from: Sequence, to: Sequence) -> Result<(), Error> {
        let (from, to, length) = self.lengths.copy(from, to)?;
        match from == to {
            true => Ok(()),
            false => self.form.copy(from, to, length),
        }
    }

    fn length(&self, sequence: Sequence) -> usize {
        self.lengths.get(sequence)
    }

    fn facts(&self) -> Facts {
        self.facts.clone()
    }

    fn profile(&mut self) -> Option<Profile> {
        let profiles = self.form.sessions().into_iter().filter_map(Recorded::profile);
        let profiles: Vec<Profile> = profiles.collect();
        (!profiles.is_empty()).then(|| together(profiles))
    }
}

/// The runtime's error as ours.
pub(crate) fn failed<R>(error: ort::Error<R>) -> Error {
    let message = error.message();
    // What the runtime says when an allocator finds nothing.
    if message.contains("bad allocation") || message.contains("Failed to allocate memory") {
        return Error::OutOfMemory(format!("ONNX Runtime: {message}"));
    }
    Error::Device(format!("ONNX Runtime: {message}"))
}
