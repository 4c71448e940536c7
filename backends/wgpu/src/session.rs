//! A model resident on an adapter, asynchronous: checks calls whole, cuts them into chunks, keeps lengths and logits.

mod batch;
mod chain;
mod facts;
mod submit;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

use yardstick_api::mutants::Mutant;
use yardstick_api::{
    Batch, Device, Emit, Error, Facts, KvType, Logits, Numerics, Options, Profile, Sequence, Token,
};
use yardstick_model::Model;

use crate::buffers::{Buffers, Numbers};
use crate::build::Builder;
use crate::gpu::{self, Gpu};
use crate::plan;
use crate::program::Program;
use crate::sizes::{SHALLOW, Sizes};
use crate::tune::Tunings;
use crate::weights::{Network, check_pairs};
use batch::Row;
use submit::{Pace, Profiler, Stage, submit};

/// A model on an adapter. Calls that wait are asynchronous.
pub struct WgpuSession {
    device: String,
    gpu: Arc<Gpu>,
    model: Arc<Model>,
    network: Network,
    buffers: Buffers,
    sizes: Sizes,
    tunings: Tunings,
    single: Program,
    many: Program,
    /// The numbers programs read; kept as long as they are.
    _numbers: Numbers,
    lengths: Vec<usize>,
    /// (rows asked for, vocab) of the last call, as far as they were read.
    logits: Vec<f32>,
    /// Rows of logits still on the device.
    unread: usize,
    kv: KvType,
    pace: Pace,
    /// Times of operations, in profiling runs.
    profiler: Option<Profiler>,
}

impl WgpuSession {
    /// Loads a model that fits; compiled pipelines and tunings are kept in `folder`.
    pub async fn load(
        device: &Device,
        model: &Arc<Model>,
        options: &Options,
        folder: Option<&Path>,
    ) -> Result<WgpuSession, Error> {
        plan::plan(device, model.info(), options)?;
        check_pairs(model)?;
        model.check_unchanged()?;
        WgpuSession::new(&device.id, model, options, folder).await
    }

    pub(crate) async fn new(
        device: &str,
        model: &Arc<Model>,
        options: &Options,
        folder: Option<&Path>,
    ) -> Result<WgpuSession, Error> {
        let gpu = gpu::open(device, folder).await?;
        let architecture = model.architecture();
        let binding = gpu.limits.max_storage_buffer_binding_size;
        let sizes = Sizes::new(architecture, options, binding);
        let network = Network::new(&gpu, model)?;
        let chosen_by = options.rotary_context.unwrap_or(sizes.context);
        let buffers =
            Buffers::new(&gpu, &sizes, &architecture.layers, &architecture.rotary, chosen_by)?;
        let int8 = options.numerics == Some(Numerics::A8);
        let parts = (&network, &buffers, &sizes);
        let tunings = Tunings::measure(&gpu, architecture, parts, int8).await?;
        let mut numbers = Numbers::new();
        let builder = Builder::new(&gpu, architecture, parts, &tunings, &mut numbers);
        let [single, many] = builder.programs()?;
        gpu.queue.submit([]);
        gpu.wait(None).await?;
        gpu.pipelines.keep();
        let profiler = options.profile.then(|| Profiler::new(&gpu)).transpose()?;
        Ok(WgpuSession {
            pace: Pace::new(gpu.found.is_software()),
            profiler,
            device: device.to_owned(),
            model: Arc::clone(model),
            lengths: vec![0; sizes.sequences],
            gpu,
            network,
            buffers,
            sizes,
            tunings,
            single,
            many,
            _numbers: numbers,
            logits: Vec::new(),
            unread: 0,
            kv: options.kv,
        })
    }

    /// The program of one token, or of many.
    pub(crate) fn program(&self, single: bool) -> &Program {
        if single { &self.single } else { &self.many }
    }

    pub(crate) fn gpu(&self) -> &Gpu {
        &self.gpu
    }

    /// A call begins: what the last one left is gone.
    fn begin(&mut self) {
        self.logits.clear();
        self.unread = 0;
        if let Some(profiler) = &mut self.profiler {
            profiler.begin();
        }
    }

    /// Runs rows, at most a chunk of them, and leaves the logits of the wanted ones to be read.
    async fn run(&mut self, rows: &[Row]) -> Result<(), Error> {
        if rows.len() == 1 && self.gpu.mutation.is(Mutant::Lost) {
            self.gpu.device.destroy();
        }
        self.send_rows(rows);
        let single = rows.len() == 1;
        let deep = rows.iter().any(|row| row.position >= SHALLOW);
        self.run_part(single, false, deep, rows.len() as u32).await?;
        let wanted: Vec<u32> =
            (0..).zip(rows).filter(|(_, row)| row.wanted).map(|(i, _)| i).collect();
        for wanted in wanted.chunks(self.sizes.logit_rows) {
            self.fetch().await?;
            let picks: Vec<u8> = wanted.iter().flat_map(|row| row.to_le_bytes()).collect();
            self.gpu.queue.write_buffer(&self.buffers.picks, 0, &picks);
            self.run_part(single, true, deep, wanted.len() as u32).await?;
            self.unread = wanted.len();
        }
        Ok(())
    }

    /// Runs a program's body or head for so many rows.
    async fn run_part(
        &mut self,
        single: bool,
        head: bool,
        deep: bool,
        rows: u32,
    ) -> Result<(), Error> {
        let program = if single { &self.single } else { &self.many };
        let steps = if head { &program.head } else { &program.body };
        let stages = [Stage { steps, rows, deep }];
        match &mut self.profiler {
            Some(profiler) => profiler.run(&self.gpu, &stages).await,
            None => submit(&self.gpu, &mut self.pace, &stages),
        }
    }

    /// Tells the device what a batch's rows are; the padding of the last tile repeats the last row.
    fn send_rows(&self, rows: &[Row]) {
        let words = |row: &Row| [row.token, row.position as u32, row.sequence as u32, 0];
        let bytes: Vec<u8> = rows.iter().flat_map(words).flat_map(u32::to_le_bytes).collect();
        self.gpu.queue.write_buffer(&self.buffers.rows, 0, &bytes);
    }

    /// Reads the logits that are still on the device.
    async fn fetch(&mut self) -> Result<(), Error> {
        if self.unread == 0 {
            return Ok(());
        }
        let bytes = (self.unread * self.sizes.vocab * 4) as u64;
        let read = self.copy_out(&self.buffers.logits, bytes).await?;
        self.pace.note_idle();
        let values = read.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        self.logits.extend(values);
        self.unread = 0;
        Ok(())
    }

    /// The first bytes of a buffer, once everything submitted is done.
    async fn copy_out(&self, buffer: &wgpu::Buffer, bytes: u64) -> Result<Vec<u8>, Error> {
        let mut encoder = self.gpu.device.create_command_encoder(&Default::default());
        encoder.copy_buffer_to_buffer(buffer, 0, &self.buffers.staging, 0, bytes);
        self.gpu.queue.submit([encoder.finish()]);
        self.gpu.read(&self.buffers.staging, bytes, None).await
    }
}

/// What [`yardstick_api::Session`] asks, for callers that must not block.
impl WgpuSession {
    /// Runs a batch.
    pub async fn forward(&mut self, batch: &Batch<'_>) -> Result<(), Error> {
        let rows = self.check(batch)?;
        self.begin();
        for chunk in rows.chunks(self.sizes.chunk) {
            self.run(chunk).await?;
        }
        // Only now that nothing can fail do the sequences grow.
        for span in batch.spans {
            self.lengths[span.sequence.0 as usize] += span.tokens.len();
        }
        Ok(())
    }

    /// Waits until all is done.
    pub async fn synchronize(&mut self) -> Result<(), Error> {
        self.gpu.wait(None).await?;
        self.pace.note_idle();
        Ok(())
    }

    /// The logits of the last batch's wanted rows.
    pub async fn logits(&mut self) -> Result<Logits<'_>, Error> {
        self.fetch().await?;
        self.gpu.wait(None).await?;
        Ok(Logits { vocab: self.sizes.vocab, values: &self.logits })
    }

    /// Generates greedily from the first tokens.
    pub async fn generate(
        &mut self,
        first: &[(Sequence, Token)],
        n: usize,
        emit: &mut Emit<'_>,
    ) -> Result<(), Error> {
        self.chain(first, n, emit).await
    }

    /// Cuts a sequence.
    pub fn truncate(&mut self, sequence: Sequence, length: usize) -> Result<(), Error> {
        let (index, now) = self.find(sequence)?;
        if length > now {
            let reason = format!("sequence {index} holds {now} positions, cannot keep {length}");
            return Err(Error::Invalid(reason));
        }
        self.lengths[index] = length;
        Ok(())
    }

    /// Copies a sequence.
    pub fn copy(&mut self, from: Sequence, to: Sequence) -> Result<(), Error> {
        let ((from, length), (to, _)) = (self.find(from)?, self.find(to)?);
        if from != to && length > 0 {
            self.copy_cache(from, to, length)?;
        }
        self.lengths[to] = length;
        Ok(())
    }

    /// Positions a sequence holds.
    pub fn length(&self, sequence: Sequence) -> usize {
        self.find(sequence).map_or(0, |(_, length)| length)
    }

    /// What really runs.
    pub fn facts(&self) -> Facts {
        self.describe()
    }

    /// Times of operations since the last call began, where it is a profiling run.
    pub fn profile(&mut self) -> Option<Profile> {
        self.profiler.as_ref().map(Profiler::profile)
    }
}
