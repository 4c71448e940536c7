//! A model resident on the processor: checks calls, cuts them into chunks, keeps lengths and logits.

use std::collections::BTreeMap;

use yardstick_api::{
    Batch, Error, Facts, Known, KvType, Lengths, Logits, Numerics, Profile, Sequence, Session,
    Step, experts_note, host,
};
use yardstick_model::arch::Layer;

use crate::attention;
use crate::buffer::Buffer;
use crate::ceilings::caches::Caches;
use crate::engine::Engine;
use crate::forward::Pass;
use crate::pool::Pool;
use crate::profile::Recorder;

pub(crate) struct CpuSession {
    pub(crate) engine: Engine,
    pub(crate) pool: Pool,
    pub(crate) device: String,
    /// On what pages the model's own file is, where weights are read from it.
    pub(crate) file_pages: Option<Known<String>>,
    /// How many threads there are, and why.
    pub(crate) granted: String,
    pub(crate) chunk: usize,
    pub(crate) kv: KvType,
    pub(crate) numerics: Numerics,
    /// All but the logits.
    pub(crate) scratch_bytes: u64,
    pub(crate) lengths: Lengths,
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
        if let Some(pages) = &self.file_pages {
            notes.insert("pages of the model's file".to_owned(), pages.clone());
        }
        let kv = self.engine.kv.kind();
        let mut layers = architecture.layers.iter();
        let few = |l: &Layer| attention::pairs_pay(l.heads / l.kv_heads, kv, l.key_dim);
        for (note, bf16) in
            [(Facts::ATTENTION, kv != KvType::F32), (Facts::DECODE_ATTENTION, layers.any(few))]
        {
            if self.engine.pairs && bf16 {
                notes.insert(note.to_owned(), Known::Value(Facts::BF16.to_owned()));
            }
        }
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
}

/// Half-written buffers are left behind, so nothing further is to be believed: the harness starts a new worker.
fn panicked() -> Error {
    Error::DeviceLost("a thread panicked in the forward pass; load the model again".into())
}

impl Session for CpuSession {
    fn forward(&mut self, batch: &Batch<'_>) -> Result<(), Error> {
        let step = Step::new(batch, &self.lengths, self.vocab())?;
        let logits = step.wanted.len().saturating_mul(self.vocab());
        if self.engine.logits.len() < logits {
            self.engine.logits = Buffer::zeroed(logits)?;
        }
        self.logits = 0;
        if let Some(profile) = &self.engine.profile {
            profile.clear();
        }
        for chunk in step.chunks(self.chunk) {
            let engine = &self.engine;
            self.pool
                .run(|member| Pass { engine, step: &chunk, member }.run())
                .map_err(|_| panicked())?;
        }
        // Only now that nothing can fail do the sequences grow.
        self.lengths.grow(&step);
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
        self.lengths.truncate(sequence, length)?;
        if self.lengths.is_empty() {
            // What is counted from here on is one run's.
            self.engine.touched.clear();
        }
        Ok(())
    }

    fn copy(&mut self, from: Sequence, to: Sequence) -> Result<(), Error> {
        let (from, to, length) = self.lengths.copy(from, to)?;
        self.engine.kv.copy(from, to, length);
        Ok(())
    }

    fn length(&self, sequence: Sequence) -> usize {
        self.lengths.get(sequence)
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
            isa: match self.engine.isa {
                isa if isa.amx().is_some() => {
                    format!("amx (prefill), {} (decode)", isa.on(None).name())
                }
                isa => isa.name().to_owned(),
            }
            .into(),
            adapter: host::processor(),
            driver: Known::unavailable("a processor has none"),
            threads: self.pool.threads().into(),
            context: self.engine.kv.context(),
            sequences: self.lengths.sequences(),
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
