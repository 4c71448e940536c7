//! A model resident in candle: checks calls whole, cuts them into chunks, keeps lengths and logits.

use std::collections::BTreeMap;
use std::sync::Arc;

use yardstick_api::{
    Batch, Error, Facts, Known, Lengths, Logits, Numerics, Sequence, Session, Step, host,
};
use yardstick_model::Model;

use crate::backend::{DEVICE, VERSION};
use crate::formats::kernel;
use crate::forward::{Engine, forward};
use crate::machine::Tier;
use crate::threads;
use crate::weights::failed;

pub(crate) struct CandleSession {
    pub(crate) engine: Engine,
    pub(crate) model: Arc<Model>,
    pub(crate) chunk: usize,
    pub(crate) threads: usize,
    pub(crate) scratch_bytes: u64,
    pub(crate) lengths: Lengths,
    /// (rows asked for, vocab) of the last call.
    pub(crate) logits: Vec<f32>,
}

impl CandleSession {
    fn vocab(&self) -> usize {
        self.model.architecture().vocab
    }
}

impl Session for CandleSession {
    fn forward(&mut self, batch: &Batch<'_>) -> Result<(), Error> {
        let step = Step::new(batch, &self.lengths, self.vocab())?;
        let architecture = self.model.architecture();
        self.logits.clear();
        for chunk in step.chunks(self.chunk) {
            self.logits.extend(forward(&self.engine, architecture, &chunk).map_err(failed)?);
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
        self.engine.cache.copy(from, to, length).map_err(failed)
    }

    fn length(&self, sequence: Sequence) -> usize {
        self.lengths.get(sequence)
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
            adapter: host::processor(),
            driver: Known::unavailable("a processor has none"),
            threads: self.threads.into(),
            context: self.lengths.context(),
            sequences: self.lengths.sequences(),
            chunk: self.chunk,
            kv: cache.kv,
            numerics: numerics.with_kv(cache.kv),
            mapped_bytes: 0,
            copied_bytes: network.copied_bytes(),
            kv_bytes: cache.bytes(),
            scratch_bytes: self.scratch_bytes,
            streamed_bytes: network.streamed_bytes(self.lengths.sequences()),
            kernels: kernels
                .map(|&(format, _)| (format.name().to_owned(), kernel(format, tier)))
                .collect(),
            notes: BTreeMap::from(notes.map(|(name, value)| (name.to_owned(), value))),
        }
    }
}
