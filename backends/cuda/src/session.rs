//! A model resident on a GPU: checks calls whole, cuts them into chunks, keeps lengths and logits, chains tokens.

use std::collections::{BTreeMap, HashMap};

use yardstick_api::{
    Batch, Emit, Error, Facts, Footprint, Known, Logits, Numerics, OperationTime, Profile, Rows,
    Sequence, Session, Span, Step, Token,
};

use crate::forward::{Engine, FEW};
use crate::machine::{Graph, Launch};
use crate::scratch::{CHAIN, HEAD_ROWS};

pub(crate) struct CudaSession {
    pub(crate) engine: Engine,
    pub(crate) device: String,
    pub(crate) chunk: usize,
    /// Most rows of the buffers.
    pub(crate) rows: usize,
    pub(crate) numerics: Numerics,
    pub(crate) footprint: Footprint,
    pub(crate) graphs: HashMap<Recorded, Graph>,
    /// What the GPU's memory lost while this was loaded.
    pub(crate) taken: Known<String>,
    /// (rows asked for, vocab) of the last call.
    pub(crate) logits: Vec<f32>,
    /// Times of the last call, where asked for.
    pub(crate) profile: Option<Profile>,
}

/// Rows of a tile: `TILE_Q` of the kernel `flash`.
const TILE_ROWS: usize = 64;

/// What is recorded for a number of rows.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Recorded {
    /// From tokens to the stream.
    Body(usize),
    /// From tokens to the next tokens.
    Chain(usize),
}

impl CudaSession {
    fn vocab(&self) -> usize {
        self.engine.model.architecture().vocab
    }

    /// Tells the device about rows: tokens, positions, sequences, which are wanted, and tiles, whose number it gives back. One
    /// copy, since they lie together.
    fn describe(&mut self, step: &Step) -> Result<usize, Error> {
        let scratch = &self.engine.scratch;
        let stride = (scratch.positions - scratch.tokens) as usize;
        let mut bytes = vec![0; 6 * stride];
        let mut put = |list: usize, at: usize, value: u32| {
            let at = list * stride + 4 * at;
            bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        };
        for (row, &token) in step.tokens.iter().enumerate() {
            put(0, row, token);
        }
        for piece in &step.pieces {
            for (i, row) in piece.rows.clone().enumerate() {
                put(1, row, (piece.position + i) as u32);
                put(2, row, piece.sequence as u32);
            }
        }
        for (i, &row) in step.wanted.iter().enumerate() {
            put(3, i, row as u32);
        }
        // Tiles of rows that are neighbours in one sequence.
        let mut tiles = 0;
        for piece in &step.pieces {
            for first in piece.rows.clone().step_by(TILE_ROWS) {
                put(4, 2 * tiles, first as u32);
                put(4, 2 * tiles + 1, TILE_ROWS.min(piece.rows.end - first) as u32);
                tiles += 1;
            }
        }
        let to = scratch.tokens;
        self.engine.driver.write(to, &bytes)?;
        Ok(tiles)
    }

    /// Runs launches, timed one by one where that was asked for.
    fn run(&mut self, launches: &[Launch]) -> Result<(), Error> {
        let Some(profile) = &mut self.profile else { return self.engine.driver.run(launches) };
        for (launch, nanoseconds) in launches.iter().zip(self.engine.driver.time(launches)?) {
            match profile.operations.iter_mut().find(|operation| operation.name == launch.name) {
                Some(found) => {
                    found.calls += 1;
                    found.nanoseconds += nanoseconds;
                }
                None => profile.operations.push(OperationTime::timed(launch.name, 1, nanoseconds)),
            }
        }
        Ok(())
    }

    /// The graph of something, recorded when first needed.
    fn graph(&mut self, what: Recorded) -> Result<Graph, Error> {
        if let Some(&graph) = self.graphs.get(&what) {
            return Ok(graph);
        }
        let launches = match what {
            Recorded::Body(rows) => self.engine.program(rows).body(1)?,
            // Every row is a sequence of its own, and a tile.
            Recorded::Chain(rows) => {
                self.engine.program(rows).body(rows)?.head(0, rows)?.chain()?
            }
        };
        let graph = launches.launches();
        let graph = self.engine.driver.record(&graph)?;
        self.graphs.insert(what, graph);
        Ok(graph)
    }

    /// Compiles and records what a call would, so that no timed one does: single rows, batches and prefill.
    pub(crate) fn prepare(&mut self) -> Result<(), Error> {
        for rows in [1, self.engine.cache.lengths.sequences()] {
            self.graph(Recorded::Chain(rows))?;
        }
        for rows in [1, 2, FEW + 1, self.rows] {
            self.engine.program(rows).body(1)?.head(0, rows.min(HEAD_ROWS))?;
        }
        Ok(())
    }

    fn chunk(&mut self, step: &Step) -> Result<(), Error> {
        let (rows, wanted) = (step.tokens.len(), step.wanted.len());
        let tiles = self.describe(step)?;
        if rows <= FEW && self.profile.is_none() {
            let graph = self.graph(Recorded::Body(rows))?;
            self.engine.driver.replay(graph, 1)?;
        } else {
            let launches = self.engine.program(rows).body(tiles)?.launches();
            self.run(&launches)?;
        }
        for first in (0..wanted).step_by(HEAD_ROWS) {
            let count = HEAD_ROWS.min(wanted - first);
            let launches = self.engine.program(rows).head(first, count)?.launches();
            self.run(&launches)?;
            let mut bytes = vec![0; 4 * count * self.vocab()];
            self.engine.driver.read(self.engine.scratch.logits, &mut bytes)?;
            let (values, _) = bytes.as_chunks();
            self.logits.extend(values.iter().map(|&bytes| f32::from_le_bytes(bytes)));
        }
        Ok(())
    }

    /// Replays a chain and reads what it chose, step-major. Where operations are timed, they run one by one instead.
    fn link(&mut self, sequences: usize, times: usize) -> Result<Vec<Token>, Error> {
        if self.profile.is_some() {
            let program = self.engine.program(sequences).body(sequences)?;
            let launches = program.head(0, sequences)?.chain()?.launches();
            (0..times).try_for_each(|_| self.run(&launches))?;
        } else {
            let graph = self.graph(Recorded::Chain(sequences))?;
            self.engine.driver.replay(graph, times)?;
        }
        let mut bytes = vec![0; 4 * times * sequences];
        self.engine.driver.read(self.engine.scratch.ids, &mut bytes)?;
        let (ids, _) = bytes.as_chunks();
        Ok(ids.iter().map(|&bytes| Token::from_le_bytes(bytes)).collect())
    }
}

impl Session for CudaSession {
    fn forward(&mut self, batch: &Batch<'_>) -> Result<(), Error> {
        let step = Step::new(batch, &self.engine.cache.lengths, self.vocab())?;
        self.logits.clear();
        self.profile.iter_mut().for_each(|profile| profile.operations.clear());
        for chunk in step.chunks(self.chunk.min(self.rows)) {
            self.chunk(&chunk)?;
        }
        // Only now that nothing can fail do the sequences grow.
        self.engine.cache.lengths.grow(&step);
        Ok(())
    }

    fn synchronize(&mut self) -> Result<(), Error> {
        self.engine.driver.synchronize()
    }

    fn logits(&mut self) -> Result<Logits<'_>, Error> {
        self.synchronize()?;
        Ok(Logits { vocab: self.vocab(), values: &self.logits })
    }

    fn generate(
        &mut self,
        first: &[(Sequence, Token)],
        n: usize,
        emit: &mut Emit<'_>,
    ) -> Result<(), Error> {
        if first.is_empty() || n == 0 {
            return Ok(());
        }
        let tokens: Vec<[Token; 1]> = first.iter().map(|&(_, token)| [token]).collect();
        let spans =
            first.iter().zip(&tokens).map(|(&(sequence, _), tokens)| Span { sequence, tokens });
        let spans: Vec<Span<'_>> = spans.collect();
        let batch = Batch { spans: &spans, rows: Rows::All };
        let lengths = &self.engine.cache.lengths;
        let step = Step::new(&batch, lengths, self.vocab())?;
        let context = lengths.context();
        if let Some(piece) = step.pieces.iter().find(|piece| n > context - piece.position) {
            let (sequence, length) = (piece.sequence, piece.position);
            return Err(Error::Invalid(format!(
                "sequence {sequence} holds {length} positions of {context}, {n} more do not fit"
            )));
        }
        self.profile.iter_mut().for_each(|profile| profile.operations.clear());
        self.describe(&step)?;
        let zeros = vec![0; 4 * first.len()];
        self.engine.driver.write(self.engine.scratch.steps, &zeros)?;
        for done in (0..n).step_by(CHAIN) {
            let times = CHAIN.min(n - done);
            let ids = self.link(first.len(), times)?;
            (0..times).for_each(|_| self.engine.cache.lengths.grow(&step));
            if emit(done, &ids).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn truncate(&mut self, sequence: Sequence, length: usize) -> Result<(), Error> {
        self.engine.cache.lengths.truncate(sequence, length).map(|_| ())
    }

    fn copy(&mut self, from: Sequence, to: Sequence) -> Result<(), Error> {
        let engine = &mut self.engine;
        engine.cache.copy(&mut *engine.driver, from, to)
    }

    fn length(&self, sequence: Sequence) -> usize {
        self.engine.cache.lengths.get(sequence)
    }

    fn facts(&self) -> Facts {
        let (gpu, info) = (self.engine.driver.gpu(), self.engine.model.info());
        let kernels = info.formats.iter().map(|&(format, _)| crate::words::kernel(format));
        Facts {
            device: self.device.clone(),
            isa: gpu.arch().into(),
            adapter: gpu.name.clone().into(),
            driver: gpu.driver.clone(),
            threads: Known::unavailable("a GPU's threads come and go with every kernel"),
            context: self.engine.cache.lengths.context(),
            sequences: self.engine.cache.lengths.sequences(),
            chunk: self.chunk.min(self.rows),
            kv: self.engine.cache.kind,
            numerics: self.numerics.with_kv(self.engine.cache.kind),
            mapped_bytes: 0,
            copied_bytes: self.engine.weights.bytes,
            kv_bytes: self.engine.cache.bytes,
            scratch_bytes: self.footprint.scratch_bytes,
            streamed_bytes: crate::words::streamed(&self.engine),
            kernels: kernels.collect(),
            notes: self.notes(),
        }
    }

    fn profile(&mut self) -> Option<Profile> {
        self.profile.clone()
    }
}

impl CudaSession {
    fn notes(&self) -> BTreeMap<String, Known<String>> {
        let gpu = self.engine.driver.gpu();
        let mut notes = gpu.notes.clone();
        let chain = format!("{CHAIN} tokens a look of the host, each step one recorded graph");
        notes.insert("chained tokens".into(), Known::Value(chain));
        notes.insert("memory taken by loading".into(), self.taken.clone());
        notes.insert("processors".into(), Known::Value(gpu.processors.to_string()));
        let ignored = self.engine.model.architecture().ignored.iter().enumerate();
        notes.extend(
            ignored.map(|(i, text)| (format!("ignored key {}", i + 1), Known::Value(text.clone()))),
        );
        notes
    }
}
