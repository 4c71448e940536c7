//! A model resident in the reference: checks calls, cuts them into chunks, keeps logits.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use yardstick_api::{
    Batch, Error, Facts, Footprint, Known, Logits, Numerics, Rows, Sequence, Session, Span,
};

use crate::backend::DEVICE;
use crate::forward::{Row, State, forward};
use crate::memory::zeros;

pub(crate) struct ReferenceSession {
    pub(crate) state: State,
    pub(crate) chunk: usize,
    pub(crate) footprint: Footprint,
    /// (rows asked for, vocab) of the last call.
    pub(crate) logits: Vec<f32>,
}

impl ReferenceSession {
    /// The batch as rows, or what is wrong with it.
    fn rows(&self, batch: &Batch<'_>) -> Result<Vec<Row>, Error> {
        if batch.spans.is_empty() {
            return Err(Error::Invalid("no spans".into()));
        }
        if let Rows::Mask(mask) = batch.rows
            && mask.len() != batch.len()
        {
            let (found, expected) = (mask.len(), batch.len());
            return Err(Error::Invalid(format!("a mask of {found} for {expected} rows")));
        }
        let mut rows = Vec::with_capacity(batch.len());
        for (i, span) in batch.spans.iter().enumerate() {
            if batch.spans[..i].iter().any(|earlier| earlier.sequence == span.sequence) {
                return Err(Error::Invalid(format!("sequence {} twice", span.sequence.0)));
            }
            self.span_rows(span, &mut rows)?;
        }
        for row in batch.wanted() {
            rows[row].wanted = true;
        }
        Ok(rows)
    }

    fn span_rows(&self, span: &Span<'_>, rows: &mut Vec<Row>) -> Result<(), Error> {
        let (sequence, length) = self.state.cache.find(span.sequence)?;
        let (vocab, context) =
            (self.state.weights.architecture().vocab, self.state.cache.context());
        if span.tokens.is_empty() {
            return Err(Error::Invalid(format!("no tokens for sequence {sequence}")));
        }
        if span.tokens.len() > context - length {
            let more = span.tokens.len();
            let reason = format!(
                "sequence {sequence} holds {length} positions of {context}, {more} more do not fit"
            );
            return Err(Error::Invalid(reason));
        }
        for (i, &token) in span.tokens.iter().enumerate() {
            if token as usize >= vocab {
                return Err(Error::Invalid(format!("token {token} of a vocabulary of {vocab}")));
            }
            rows.push(Row { sequence, position: length + i, token, wanted: false });
        }
        Ok(())
    }
}

impl Session for ReferenceSession {
    fn forward(&mut self, batch: &Batch<'_>) -> Result<(), Error> {
        let rows = self.rows(batch)?;
        let wanted = rows.iter().filter(|row| row.wanted).count();
        let mut logits = zeros(wanted.saturating_mul(self.state.weights.architecture().vocab))?;
        let mut rest = logits.as_mut_slice();
        for chunk in rows.chunks(self.chunk) {
            let part = forward(&mut self.state, chunk)?;
            let (filled, left) = rest.split_at_mut(part.len());
            filled.copy_from_slice(&part);
            rest = left;
        }
        // Only now that nothing can fail do the sequences grow.
        for row in &rows {
            self.state.cache.set_length(row.sequence, row.position + 1);
        }
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
        let (index, now) = self.state.cache.find(sequence)?;
        if length > now {
            let reason = format!("sequence {index} holds {now} positions, cannot keep {length}");
            return Err(Error::Invalid(reason));
        }
        self.state.cache.set_length(index, length);
        if self.state.cache.is_empty() {
            // What is counted from here on is one run's.
            for word in self.state.touched.iter_mut().flatten() {
                *word.get_mut() = 0;
            }
        }
        Ok(())
    }

    fn copy(&mut self, from: Sequence, to: Sequence) -> Result<(), Error> {
        let ((from, _), (to, _)) = (self.state.cache.find(from)?, self.state.cache.find(to)?);
        self.state.cache.copy(from, to);
        Ok(())
    }

    fn length(&self, sequence: Sequence) -> usize {
        self.state.cache.find(sequence).map_or(0, |(_, length)| length)
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
            context: self.state.cache.context(),
            sequences: self.state.cache.sequences(),
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
    ignored.chain(experts).map(|(name, text)| (name, Known::Value(text))).collect()
}
