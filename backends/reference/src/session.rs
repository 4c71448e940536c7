//! A model resident in the reference: checks calls, cuts them into chunks, keeps logits.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use yardstick_api::{
    Batch, Error, Facts, Footprint, Known, Lengths, Logits, Numerics, Sequence, Session, Step,
    WeightScheme,
};

use crate::backend::DEVICE;
use crate::forward::{Row, State, forward};
use crate::memory::zeros;

pub(crate) struct ReferenceSession {
    pub(crate) state: State,
    pub(crate) chunk: usize,
    pub(crate) footprint: Footprint,
    pub(crate) lengths: Lengths,
    /// (rows asked for, vocab) of the last call.
    pub(crate) logits: Vec<f32>,
}

/// The rows of a call, one after the other.
fn rows(step: &Step) -> Vec<Row> {
    let mut rows = Vec::with_capacity(step.tokens.len());
    for piece in &step.pieces {
        let tokens = step.tokens[piece.rows.clone()].iter().enumerate();
        let (sequence, first) = (piece.sequence, piece.position);
        rows.extend(tokens.map(|(i, &token)| Row {
            sequence,
            position: first + i,
            token,
            wanted: false,
        }));
    }
    for &row in &step.wanted {
        rows[row].wanted = true;
    }
    rows
}

impl Session for ReferenceSession {
    fn forward(&mut self, batch: &Batch<'_>) -> Result<(), Error> {
        let vocab = self.state.weights.architecture().vocab;
        let step = Step::new(batch, &self.lengths, vocab)?;
        let mut logits = zeros(step.wanted.len().saturating_mul(vocab))?;
        let mut rest = logits.as_mut_slice();
        for chunk in rows(&step).chunks(self.chunk) {
            let part = forward(&mut self.state, chunk)?;
            let (filled, left) = rest.split_at_mut(part.len());
            filled.copy_from_slice(&part);
            rest = left;
        }
        // Only now that nothing can fail do the sequences grow.
        self.lengths.grow(&step);
        self.logits = logits;
        Ok(())
    }

    fn synchronize(&mut self) -> Result<(), Error> {
        Ok(())
    }

    fn logits(&mut self) -> Result<Logits<'_>, Error> {
        Ok(Logits { vocab: self.state.weights.architecture().vocab, values: &self.logits })
    }

    fn truncate(&mut self, sequence: Sequence, length: usize) -> Result<(), Error> {
        self.lengths.truncate(sequence, length)?;
        if self.lengths.is_empty() {
            // What is counted from here on is one run's.
            for word in self.state.touched.iter_mut().flatten() {
                *word.get_mut() = 0;
            }
        }
        Ok(())
    }

    fn copy(&mut self, from: Sequence, to: Sequence) -> Result<(), Error> {
        let (from, to, length) = self.lengths.copy(from, to)?;
        self.state.cache.copy(from, to, length);
        Ok(())
    }

    fn length(&self, sequence: Sequence) -> usize {
        self.lengths.get(sequence)
    }

    fn facts(&self) -> Facts {
        let info = self.state.weights.model().info();
        let kernel = "row decoded to f32, f32 dot products".to_owned();
        let formats = info.formats.iter();
        Facts {
            device: DEVICE.into(),
            isa: format!("{}, as compiled", std::env::consts::ARCH).into(),
            adapter: Known::unavailable("the reference does not ask which processor it runs on"),
            driver: Known::unavailable("a processor has none"),
            threads: self.state.weights.threads.into(),
            context: self.lengths.context(),
            sequences: self.lengths.sequences(),
            chunk: self.chunk,
            kv: self.state.cache.kind(),
            numerics: Numerics::F32.with_kv(self.state.cache.kind()),
            mapped_bytes: self.footprint.mapped_bytes,
            copied_bytes: self.footprint.copied_bytes,
            kv_bytes: self.footprint.kv_bytes,
            scratch_bytes: self.footprint.scratch_bytes,
            streamed_bytes: info.streamed_bytes,
            kernels: formats.map(|(format, _)| (format.name().into(), kernel.clone())).collect(),
            notes: notes(&self.state),
        }
    }
}

/// Keys of the file that count for nothing, and how many experts were run.
fn notes(state: &State) -> BTreeMap<String, Known<String>> {
    let architecture = state.weights.architecture();
    let ignored = architecture.ignored.iter().enumerate();
    let ignored = ignored.map(|(i, text)| (format!("ignored key {}", i + 1), text.clone()));
    let touched = architecture.layers.iter().zip(&state.touched).filter_map(|(layer, touched)| {
        let ran = touched.iter().map(|bits| bits.load(Ordering::Relaxed).count_ones() as usize);
        Some((layer.ffn.experts?, ran.sum()))
    });
    let experts = yardstick_api::experts_note(touched);
    let experts = experts.map(|text| ("experts".to_owned(), text));
    let weights =
        state.weights.anew.map(|anew| (WeightScheme::NOTE.to_owned(), anew.name().to_owned()));
    ignored.chain(experts).chain(weights).map(|(name, text)| (name, Known::Value(text))).collect()
}
