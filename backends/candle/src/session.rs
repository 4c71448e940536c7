//! A model resident in candle: checks calls whole, cuts them into chunks, keeps lengths and logits.

use std::collections::BTreeMap;
use std::sync::Arc;

use yardstick_api::{Batch, Error, Facts, Known, Logits, Numerics, Rows, Sequence, Session};
use yardstick_model::Model;

use crate::backend::{DEVICE, VERSION};
use crate::formats::kernel;
use crate::forward::{Engine, Piece, Step, forward};
use crate::machine::{self, Tier};
use crate::threads;
use crate::weights::failed;

pub(crate) struct CandleSession {
    pub(crate) engine: Engine,
    pub(crate) model: Arc<Model>,
    pub(crate) chunk: usize,
    pub(crate) threads: usize,
    pub(crate) scratch_bytes: u64,
    /// (rows asked for, vocab) of the last call.
    pub(crate) logits: Vec<f32>,
}

impl CandleSession {
    fn vocab(&self) -> usize {
        self.model.architecture().vocab
    }

    /// Index and length of a sequence, if there is such a sequence.
    fn find(&self, sequence: Sequence) -> Result<(usize, usize), Error> {
        let (index, lengths) = (sequence.0 as usize, &self.engine.cache.lengths);
        let length = lengths.get(index).copied().ok_or_else(|| {
            Error::Invalid(format!("sequence {index} of {} (from 0)", lengths.len()))
        })?;
        Ok((index, length))
    }

    /// The batch as one step of any length, or what is wrong with it.
    fn check(&self, batch: &Batch<'_>) -> Result<Step, Error> {
        if batch.spans.is_empty() {
            return Err(Error::Invalid("no spans".into()));
        }
        let mut step = Step::default();
        let mut seen = vec![false; self.engine.cache.lengths.len()];
        for span in batch.spans {
            let (sequence, length) = self.find(span.sequence)?;
            let (count, context) = (span.tokens.len(), self.engine.cache.context);
            if count == 0 {
                return Err(Error::Invalid(format!("no tokens for sequence {sequence}")));
            }
            if std::mem::replace(&mut seen[sequence], true) {
                return Err(Error::Invalid(format!("sequence {sequence} twice")));
            }
            if count > context - length {
                return Err(Error::Invalid(format!(
                    "sequence {sequence} holds {length} positions of {context}, {count} more do not fit"
                )));
            }
            let vocab = self.vocab();
            if let Some(token) = span.tokens.iter().find(|&&token| token as usize >= vocab) {
                return Err(Error::Invalid(format!("token {token} of a vocabulary of {vocab}")));
            }
            let first = step.tokens.len();
            step.tokens.extend_from_slice(span.tokens);
            step.pieces.push(Piece { sequence, position: length, rows: first..first + count });
        }
        if let Rows::Mask(mask) = batch.rows
            && mask.len() != step.tokens.len()
        {
            let (found, expected) = (mask.len(), step.tokens.len());
            return Err(Error::Invalid(format!("a mask of {found} for {expected} rows")));
        }
        step.wanted = batch.wanted().into_iter().map(|row| row as u32).collect();
        Ok(step)
    }
}

/// Rows `from .. to` of a step as a step of their own.
fn cut(step: &Step, from: usize, to: usize) -> Step {
    let pieces = step.pieces.iter().filter_map(|piece| {
        let (start, end) = (piece.rows.start.max(from), piece.rows.end.min(to));
        (start < end).then(|| Piece {
            sequence: piece.sequence,
            position: piece.position + start - piece.rows.start,
            rows: start - from..end - from,
        })
    });
    let inside = step.wanted.iter().map(|&row| row as usize).filter(|row| (from..to).contains(row));
    Step {
        tokens: step.tokens[from..to].to_vec(),
        pieces: pieces.collect(),
        wanted: inside.map(|row| (row - from) as u32).collect(),
    }
}

impl Session for CandleSession {
    fn forward(&mut self, batch: &Batch<'_>) -> Result<(), Error> {
        let step = self.check(batch)?;
        let (rows, architecture) = (step.tokens.len(), self.model.architecture());
        self.logits.clear();
        for from in (0..rows).step_by(self.chunk) {
            let chunk = cut(&step, from, rows.min(from.saturating_add(self.chunk)));
            self.logits.extend(forward(&self.engine, architecture, &chunk).map_err(failed)?);
        }
        // Only now that nothing can fail do the sequences grow.
        for piece in &step.pieces {
            self.engine.cache.lengths[piece.sequence] += piece.rows.len();
        }
        Ok(())
    }

    fn synchronize(&mut self) -> Result<(), Error> {
        Ok(())
    }

    fn logits(&mut self) -> Result<Logits<'_>, Error> {
        Ok(Logits { vocab: self.vocab(), values: &self.logits })
    }

    fn truncate(&mut self, sequence: Sequence, length: usize) -> Result<(), Error> {
        let (index, now) = self.find(sequence)?;
        if length > now {
            let reason = format!("sequence {index} holds {now} positions, cannot keep {length}");
            return Err(Error::Invalid(reason));
        }
        self.engine.cache.lengths[index] = length;
        Ok(())
    }

    fn copy(&mut self, from: Sequence, to: Sequence) -> Result<(), Error> {
        let ((from, _), (to, _)) = (self.find(from)?, self.find(to)?);
        self.engine.cache.copy(from, to).map_err(failed)
    }

    fn length(&self, sequence: Sequence) -> usize {
        self.find(sequence).map_or(0, |(_, length)| length)
    }

    fn facts(&self) -> Facts {
        let (network, cache) = (&self.engine.network, &self.engine.cache);
        let info = self.model.info();
        let tier = Tier::detect();
        let numerics = if network.is_dense() { Numerics::F32 } else { Numerics::A8 };
        let kernels = info.formats.iter();
        let notes = [
            ("candle", Known::Value(VERSION.to_owned())),
            ("weights", Known::Value("copied from the mapped file; tiles beside the copy".into())),
            ("threads of dense products", Known::Value(threads::of_rayon().to_string())),
        ];
        Facts {
            device: DEVICE.into(),
            isa: tier.name().to_owned().into(),
            adapter: machine::processor(),
            driver: Known::unavailable("a processor has none"),
            threads: self.threads.into(),
            context: cache.context,
            sequences: cache.lengths.len(),
            chunk: self.chunk,
            kv: cache.kv,
            numerics: numerics.with_kv(cache.kv),
            mapped_bytes: 0,
            copied_bytes: network.copied_bytes(),
            kv_bytes: cache.bytes(),
            scratch_bytes: self.scratch_bytes,
            streamed_bytes: network.streamed_bytes(cache.lengths.len()),
            kernels: kernels
                .map(|&(format, _)| (format.name().to_owned(), kernel(format, tier)))
                .collect(),
            notes: BTreeMap::from(notes.map(|(name, value)| (name.to_owned(), value))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_keep_positions_rows_and_logits_apart() {
        let piece = |sequence, position, rows| Piece { sequence, position, rows };
        let step = Step {
            tokens: (0..10).collect(),
            pieces: vec![piece(1, 5, 0..4), piece(0, 0, 4..10)],
            wanted: vec![0, 3, 6, 9],
        };
        let middle = cut(&step, 3, 7);
        assert_eq!(middle.tokens, [3, 4, 5, 6]);
        assert_eq!(middle.wanted, [0, 3]);
        assert_eq!(middle.pieces, [piece(1, 8, 0..1), piece(0, 0, 1..4)]);
    }
}
