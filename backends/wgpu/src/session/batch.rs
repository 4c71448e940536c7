//! A batch as rows, or what is wrong with it; and copies of the cache.

use yardstick_api::{Batch, Error, Rows, Sequence, Token};

use super::WgpuSession;

/// One token of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) token: Token,
    pub(super) position: usize,
    pub(super) sequence: usize,
    /// Its logits are wanted.
    pub(super) wanted: bool,
}

impl WgpuSession {
    /// Index and length of a sequence, if there is such a sequence.
    pub(super) fn find(&self, sequence: Sequence) -> Result<(usize, usize), Error> {
        let index = sequence.0 as usize;
        let length = self.lengths.get(index).copied().ok_or_else(|| {
            Error::Invalid(format!("sequence {index} of {} (from 0)", self.lengths.len()))
        })?;
        Ok((index, length))
    }

    /// Room for `count` tokens in a sequence that `seen` has not; its index and length.
    pub(super) fn admit(
        &self,
        sequence: Sequence,
        count: usize,
        seen: &mut [bool],
    ) -> Result<(usize, usize), Error> {
        let (index, length) = self.find(sequence)?;
        let context = self.sizes.context;
        if std::mem::replace(&mut seen[index], true) {
            return Err(Error::Invalid(format!("sequence {index} twice")));
        }
        if count > context - length {
            return Err(Error::Invalid(format!(
                "sequence {index} holds {length} positions of {context}, {count} more do not fit"
            )));
        }
        Ok((index, length))
    }

    /// A token of the vocabulary.
    pub(super) fn known(&self, token: Token) -> Result<Token, Error> {
        let vocab = self.sizes.vocab;
        if token as usize >= vocab {
            return Err(Error::Invalid(format!("token {token} of a vocabulary of {vocab}")));
        }
        Ok(token)
    }

    /// The batch as rows, or what is wrong with it.
    pub(super) fn check(&self, batch: &Batch<'_>) -> Result<Vec<Row>, Error> {
        if batch.spans.is_empty() {
            return Err(Error::Invalid("no spans".into()));
        }
        let (mut rows, mut seen) = (Vec::new(), vec![false; self.lengths.len()]);
        for span in batch.spans {
            if span.tokens.is_empty() {
                return Err(Error::Invalid(format!("no tokens for sequence {}", span.sequence.0)));
            }
            let (sequence, length) = self.admit(span.sequence, span.tokens.len(), &mut seen)?;
            for (i, &token) in span.tokens.iter().enumerate() {
                let token = self.known(token)?;
                rows.push(Row { token, position: length + i, sequence, wanted: false });
            }
        }
        if let Rows::Mask(mask) = batch.rows
            && mask.len() != rows.len()
        {
            let (found, expected) = (mask.len(), rows.len());
            return Err(Error::Invalid(format!("a mask of {found} for {expected} rows")));
        }
        for row in batch.wanted() {
            rows[row].wanted = true;
        }
        Ok(rows)
    }

    /// Copies a sequence's cells to another's place, by way of scratch: a buffer cannot be copied within itself.
    pub(super) fn copy_cache(&self, from: usize, to: usize, length: usize) -> Result<(), Error> {
        let mut encoder = self.gpu.device.create_command_encoder(&Default::default());
        let positions = (self.sizes.context * self.sizes.sequences) as u64;
        let layers = self.model.architecture().layers.iter();
        for (layer, pair) in layers.zip(&self.buffers.cache) {
            for (buffer, bytes) in pair.iter().zip(self.sizes.cache_bytes(layer)) {
                let cell = bytes / positions;
                let at = |sequence: usize| (sequence * self.sizes.context) as u64 * cell;
                let cells = at(from)..at(from) + length as u64 * cell;
                self.copy_within(&mut encoder, buffer, cells, at(to));
            }
        }
        self.gpu.queue.submit([encoder.finish()]);
        self.gpu.fault.check()
    }

    fn copy_within(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        buffer: &wgpu::Buffer,
        from: std::ops::Range<u64>,
        to: u64,
    ) {
        let scratch = &self.buffers.inner;
        for at in from.clone().step_by(scratch.size() as usize) {
            let bytes = scratch.size().min(from.end - at);
            encoder.copy_buffer_to_buffer(buffer, at, scratch, 0, bytes);
            encoder.copy_buffer_to_buffer(scratch, 0, buffer, to + at - from.start, bytes);
        }
    }
}
