//! A model resident on the processor: checks calls, cuts them into chunks, keeps lengths and logits.

use std::collections::BTreeMap;

use yardstick_api::{
    Batch, Error, Facts, Known, KvType, Logits, Numerics, Profile, Rows, Sequence, Session,
    experts_note,
};

use crate::buffer::Buffer;
use crate::ceilings::caches::Caches;
use crate::engine::{Engine, Piece, Step};
use crate::forward::Pass;
use crate::memory;
use crate::pool::Pool;
use crate::profile::Recorder;

pub(crate) struct CpuSession {
    pub(crate) engine: Engine,
    pub(crate) pool: Pool,
    pub(crate) device: String,
    /// How many threads there are, and why.
    pub(crate) granted: String,
    pub(crate) chunk: usize,
    pub(crate) kv: KvType,
    pub(crate) numerics: Numerics,
    /// All but the logits.
    pub(crate) scratch_bytes: u64,
    /// Positions each sequence holds.
    pub(crate) lengths: Vec<usize>,
    /// Rows of logits held.
    pub(crate) logits: usize,
}

impl CpuSession {
    /// How threads are placed, keys of the file that count for nothing, and how many experts ran.
    fn notes(&self, affinity: Known<String>) -> BTreeMap<String, Known<String>> {
        let architecture = self.engine.network.model().architecture();
        let ignored = architecture.ignored.iter().enumerate();
        let ignored = ignored.map(|(i, text)| (format!("ignored key {}", i + 1), text.clone()));
        let experts = experts_note(self.engine.touched.counts(&architecture.layers));
        let experts = experts.map(|text| ("experts".to_owned(), text));
        let mut notes: BTreeMap<String, Known<String>> =
            ignored.chain(experts).map(|(name, text)| (name, Known::Value(text))).collect();
        notes.insert("affinity".to_owned(), affinity);
        notes.insert("threads".to_owned(), Known::Value(self.granted.clone()));
        let switches = self.pool.involuntary_switches().map(|count| count.to_string());
        let unknown = || Known::unavailable("the system does not count them");
        let switches = switches.map_or_else(unknown, Known::Value);
        notes.insert("involuntary_switches".to_owned(), switches);
        notes.insert("packed".to_owned(), self.engine.network.packing());
        notes.insert("cache_level".to_owned(), Known::Value(self.cache_level()));
        notes
    }

    fn vocab(&self) -> usize {
        self.engine.network.model().architecture().vocab
    }

    /// Which cache level holds the weights and the KV cache. A decode step goes through all of it once, so what does not fit
    /// together does not stay: the level is that of the whole, not of each.
    fn cache_level(&self) -> String {
        let caches = Caches::detect();
        let weights = self.engine.network.model().info().streamed_bytes;
        let (kv, threads) = (self.engine.kv.bytes(), self.pool.threads());
        let level = |bytes| caches.level(bytes, threads);
        let (empty, full) = (level(weights), level(weights.saturating_add(kv)));
        let kib = |bytes| bytes >> 10;
        format!(
            "{empty} with an empty KV cache, {full} with a full one: {} KiB of weights a token, {} KiB of KV; {caches}",
            kib(weights),
            kib(kv)
        )
    }

    /// Index and length of a sequence, if there is such a sequence.
    fn find(&self, sequence: Sequence) -> Result<(usize, usize), Error> {
        let index = sequence.0 as usize;
        let length = self.lengths.get(index).copied().ok_or_else(|| {
            Error::Invalid(format!("sequence {index} of {} (from 0)", self.lengths.len()))
        })?;
        Ok((index, length))
    }

    /// The batch as one step of any length, or what is wrong with it.
    fn check(&self, batch: &Batch<'_>) -> Result<Step, Error> {
        if batch.spans.is_empty() {
            return Err(Error::Invalid("no spans".into()));
        }
        let mut step = Step::default();
        let mut seen = vec![false; self.lengths.len()];
        for span in batch.spans {
            let (sequence, length) = self.find(span.sequence)?;
            let (count, context) = (span.tokens.len(), self.engine.kv.context());
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
            let rows = first..first + count;
            step.pieces.push(Piece { sequence, position: length, rows, span: count });
        }
        if let Rows::Mask(mask) = batch.rows
            && mask.len() != step.tokens.len()
        {
            let (found, expected) = (mask.len(), step.tokens.len());
            return Err(Error::Invalid(format!("a mask of {found} for {expected} rows")));
        }
        step.wanted = batch.wanted();
        Ok(step)
    }
}

/// Rows `from .. to` of a step as a step of their own.
fn cut(step: &Step, from: usize, to: usize) -> Step {
    let pieces = step.pieces.iter().filter_map(|piece| {
        let (start, end) = (piece.rows.start.max(from), piece.rows.end.min(to));
        (start < end).then(|| Piece {
            position: piece.position + start - piece.rows.start,
            rows: start - from..end - from,
            ..piece.clone()
        })
    });
    let inside = |row: &&usize| (from..to).contains(*row);
    Step {
        tokens: step.tokens[from..to].to_vec(),
        pieces: pieces.collect(),
        wanted: step.wanted.iter().filter(inside).map(|row| row - from).collect(),
        logits_before: step.wanted.iter().filter(|&&row| row < from).count(),
    }
}

/// Half-written buffers are left behind, so nothing further is to be believed: the harness starts a new worker.
fn panicked() -> Error {
    Error::DeviceLost("a thread panicked in the forward pass; load the model again".into())
}

impl Session for CpuSession {
    fn forward(&mut self, batch: &Batch<'_>) -> Result<(), Error> {
        let step = self.check(batch)?;
        let logits = step.wanted.len().saturating_mul(self.vocab());
        if self.engine.logits.len() < logits {
            self.engine.logits = Buffer::zeroed(logits)?;
        }
        self.logits = 0;
        if let Some(profile) = &self.engine.profile {
            profile.clear();
        }
        let rows = step.tokens.len();
        for from in (0..rows).step_by(self.chunk) {
            let chunk = cut(&step, from, rows.min(from.saturating_add(self.chunk)));
            let engine = &self.engine;
            self.pool
                .run(|member| Pass { engine, step: &chunk, member }.run())
                .map_err(|_| panicked())?;
        }
        // Only now that nothing can fail do the sequences grow.
        for piece in &step.pieces {
            self.lengths[piece.sequence] += piece.span;
        }
        self.logits = step.wanted.len();
        Ok(())
    }

    fn synchronize(&mut self) -> Result<(), Error> {
        Ok(())
    }

    fn logits(&mut self) -> Result<Logits<'_>, Error> {
        let vocab = self.vocab();
        Ok(Logits { vocab, values: &self.engine.logits.all_mut()[..self.logits * vocab] })
    }

    fn truncate(&mut self, sequence: Sequence, length: usize) -> Result<(), Error> {
        let (index, now) = self.find(sequence)?;
        if length > now {
            let reason = format!("sequence {index} holds {now} positions, cannot keep {length}");
            return Err(Error::Invalid(reason));
        }
        self.lengths[index] = length;
        if self.lengths.iter().all(|&length| length == 0) {
            // What is counted from here on is one run's.
            self.engine.touched.clear();
        }
        Ok(())
    }

    fn copy(&mut self, from: Sequence, to: Sequence) -> Result<(), Error> {
        let ((from, length), (to, _)) = (self.find(from)?, self.find(to)?);
        self.engine.kv.copy(from, to, length);
        self.lengths[to] = length;
        Ok(())
    }

    fn length(&self, sequence: Sequence) -> usize {
        self.find(sequence).map_or(0, |(_, length)| length)
    }

    fn profile(&mut self) -> Option<Profile> {
        self.engine.profile.as_ref().map(Recorder::profile)
    }

    fn facts(&self) -> Facts {
        let network = &self.engine.network;
        let info = network.model().info();
        let affinity = match self.pool.is_pinned() {
            true => Known::Value("each thread keeps to processors of its own".to_owned()),
            false => Known::unavailable("threads are placed by the system"),
        };
        Facts {
            device: self.device.clone(),
            isa: match self.engine.amx {
                Some(_) => format!("amx-int8 (prefill), {} (decode)", self.engine.isa.name()),
                None => self.engine.isa.name().to_owned(),
            }
            .into(),
            adapter: memory::processor(),
            driver: Known::unavailable("a processor has none"),
            threads: self.pool.threads().into(),
            context: self.engine.kv.context(),
            sequences: self.lengths.len(),
            chunk: self.chunk,
            kv: self.kv,
            numerics: self.numerics,
            mapped_bytes: info.tensor_bytes,
            copied_bytes: network.copied_bytes(),
            kv_bytes: self.engine.kv.bytes(),
            scratch_bytes: self.scratch_bytes + self.engine.logits.bytes(),
            streamed_bytes: info.streamed_bytes,
            kernels: network.kernels(self.engine.isa),
            notes: self.notes(affinity),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_keep_positions_rows_and_logits_apart() {
        let piece = |sequence, position, rows: std::ops::Range<usize>| Piece {
            sequence,
            position,
            span: rows.len(),
            rows,
        };
        let step = Step {
            tokens: (0..10).collect(),
            pieces: vec![piece(1, 5, 0..4), piece(0, 0, 4..10)],
            wanted: vec![0, 3, 6, 9],
            logits_before: 0,
        };
        let middle = cut(&step, 3, 7);
        assert_eq!(middle.tokens, [3, 4, 5, 6]);
        assert_eq!((middle.wanted, middle.logits_before), (vec![0, 3], 1));
        let [a, b] = &middle.pieces[..] else { panic!("two pieces") };
        assert_eq!((a.sequence, a.position, a.rows.clone(), a.span), (1, 8, 0..1, 4));
        assert_eq!((b.sequence, b.position, b.rows.clone(), b.span), (0, 0, 1..4, 6));
    }
}
