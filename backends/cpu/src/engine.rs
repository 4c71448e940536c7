//! What a session keeps between calls: weights, cache, crew and buffers; and what one forward pass is told.

use std::sync::{Mutex, PoisonError};

use yardstick_api::mutants::Mutation;
use yardstick_api::{Error, KvType, Numerics};
use yardstick_model::Architecture;
use yardstick_model::arch::Layer;

use crate::attention;
use crate::buffer::Buffer;
use crate::cuts::{Finished, most_parts};
use crate::kernels::activations::{Forms, Rows, Tiles};
use crate::kernels::integer::Panel;
use crate::kernels::{FEW, Isa, TILE};
use crate::kv::Kv;
use crate::profile::Recorder;
use crate::rotary::Rotation;
use crate::touched::Touched;
use crate::weights::Network;

/// Sizes that follow from the architecture and the options.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    /// Rows of the largest chunk.
    pub(crate) rows: usize,
    pub(crate) embedding: usize,
    /// Widest Q, K and V of a layer together.
    pub(crate) qkv: usize,
    /// Widest attention output.
    pub(crate) attended: usize,
    /// Widest inner width.
    pub(crate) inner: usize,
    /// Longest row of any matrix.
    pub(crate) cols: usize,
    /// Most experts; 0 without any.
    pub(crate) experts: usize,
    /// Most experts that a few rows use together.
    pub(crate) pairs: usize,
    pub(crate) key_dim: usize,
    pub(crate) value_dim: usize,
    /// Rotary values per row.
    pub(crate) angles: usize,
}

impl Sizes {
    /// For chunks of up to `rows`.
    pub(crate) fn new(architecture: &Architecture, rows: usize) -> Sizes {
        let most =
            |of: &dyn Fn(&Layer) -> usize| architecture.layers.iter().map(of).max().unwrap_or(0);
        let shared = |l: &Layer| l.ffn.experts.and_then(|e| e.shared).unwrap_or(0);
        let inner = most(&|l| l.ffn.width.max(shared(l)));
        let experts = most(&|l| l.ffn.experts.map_or(0, |e| e.count));
        let attended = most(&|l| l.heads * l.value_dim);
        Sizes {
            rows,
            embedding: architecture.embedding,
            qkv: most(&|l| l.qkv_rows().iter().sum()),
            attended,
            inner,
            cols: architecture.embedding.max(attended).max(inner),
            experts,
            pairs: FEW * most(&|l| l.ffn.experts.map_or(0, |e| e.used)),
            key_dim: most(&|l| l.key_dim),
            value_dim: most(&|l| l.value_dim),
            angles: architecture.rotary.iter().map(|rotary| rotary.dims).sum(),
        }
    }

    /// Floats of the widest partial result of attention.
    fn partials(&self) -> usize {
        attention::ROWS * attention::partial_len(self.value_dim)
    }

    /// Bytes of buffers, inputs and the threads' work space; saturates.
    pub(crate) fn scratch_bytes(&self, threads: usize, forms: Forms, isa: Isa) -> u64 {
        let mixture = if self.experts > 0 { self.embedding + self.experts } else { 0 };
        let widths = self.embedding + self.qkv + self.attended + self.angles;
        let slots = (self.embedding + 2 * self.inner) as u64 * 4;
        let buffers = (self.rows as u64)
            .saturating_mul((widths + mixture) as u64 * 4)
            .saturating_add((self.rows.max(self.pairs) as u64).saturating_mul(slots));
        let own = Rows::bytes(self.pairs.max(FEW), self.cols)
            + Panel::bytes(self.cols, forms.bytes(), forms.floats() || isa == Isa::Scalar)
            + attention::Scratch::bytes(self.key_dim, self.value_dim)
            + (most_parts(1) * self.partials() * 4) as u64
            + (TILE * self.cols * 4) as u64;
        buffers
            .saturating_add(Tiles::bytes(self.rows, self.cols, forms))
            .saturating_add(own.saturating_mul(threads as u64))
    }
}

/// Everything a forward pass touches; buffers are (rows, width).
pub(crate) struct Engine {
    pub(crate) isa: Isa,
    /// Attention of many rows multiplies in bf16: weights are not exact either, and the processor has such products.
    pub(crate) pairs: bool,
    pub(crate) network: Network,
    pub(crate) kv: Kv,
    /// One a rotary embedding of the model.
    pub(crate) rotations: Vec<Rotation>,
    pub(crate) touched: Touched,
    pub(crate) mutation: Mutation,
    pub(crate) sizes: Sizes,
    /// The residual stream.
    pub(crate) x: Buffer<f32>,
    pub(crate) qkv: Buffer<f32>,
    pub(crate) attended: Buffer<f32>,
    pub(crate) gate: Buffer<f32>,
    pub(crate) up: Buffer<f32>,
    /// Cosines and sines.
    pub(crate) angles: Buffer<f32>,
    /// Router scores, (rows, experts).
    pub(crate) scores: Buffer<f32>,
    /// A product on its way into the stream; the weighted sum of all experts' products.
    pub(crate) product: Buffer<f32>,
    pub(crate) mixture: Buffer<f32>,
    /// Input of many columns.
    pub(crate) tiles: Tiles,
    /// Attention over parts of a context: (most_parts, ROWS, partial_len)
    pub(crate) partials: Buffer<f32>,
    pub(crate) finished: Finished,
    /// Only when times of operations are asked for.
    pub(crate) profile: Option<Recorder>,
    /// (rows wanted, vocab)
    pub(crate) logits: Buffer<f32>,
    /// One a thread, locked by it alone.
    scratch: Vec<Mutex<Scratch>>,
}

/// One thread's work space.
pub(crate) struct Scratch {
    /// Input of few columns.
    pub(crate) rows: Rows,
    pub(crate) panel: Panel,
    pub(crate) attention: attention::Scratch,
    /// Rows on their way into a tile: (TILE, cols)
    pub(crate) lines: Vec<f32>,
}

impl Engine {
    /// Allocates everything. `rotary_context` chooses long or short rotary factors.
    pub(crate) fn new(
        network: Network,
        isa: Isa,
        mutation: Mutation,
        (sequences, context, kv): (usize, usize, KvType),
        rotary_context: usize,
        rows: usize,
        threads: usize,
    ) -> Result<Engine, Error> {
        let architecture = network.model().architecture();
        let sizes = Sizes::new(architecture, rows);
        let forms = network.forms();
        let mixed = if sizes.experts > 0 { rows } else { 0 };
        let slots = rows.max(sizes.pairs);
        let scratch = (0..threads).map(|_| {
            Ok(Mutex::new(Scratch {
                rows: Rows::new(sizes.pairs.max(FEW), sizes.cols)?,
                panel: Panel::new(sizes.cols, forms.bytes(), forms.floats() || isa == Isa::Scalar)?,
                attention: attention::Scratch::new(sizes.key_dim, sizes.value_dim),
                lines: vec![0.0; TILE * sizes.cols],
            }))
        });
        let pairs = network.numerics() != Numerics::F32 && isa.bf16().is_some();
        Ok(Engine {
            isa,
            pairs,
            mutation,
            kv: Kv::new(&architecture.layers, sequences, context, kv)?,
            rotations: Rotation::all(architecture, rotary_context),
            touched: Touched::new(&architecture.layers),
            x: Buffer::zeroed(rows * sizes.embedding)?,
            qkv: Buffer::zeroed(rows * sizes.qkv)?,
            attended: Buffer::zeroed(rows * sizes.attended)?,
            gate: Buffer::zeroed(slots * sizes.inner)?,
            up: Buffer::zeroed(slots * sizes.inner)?,
            angles: Buffer::zeroed(rows * sizes.angles)?,
            scores: Buffer::zeroed(mixed * sizes.experts)?,
            product: Buffer::zeroed(slots * sizes.embedding)?,
            mixture: Buffer::zeroed(mixed * sizes.embedding)?,
            tiles: Tiles::new(if rows > FEW { rows } else { 0 }, sizes.cols, forms)?,
            partials: Buffer::zeroed(most_parts(threads) * sizes.partials())?,
            finished: Finished::new(threads),
            profile: None,
            logits: Buffer::zeroed(0)?,
            scratch: scratch.collect::<Result<_, Error>>()?,
            sizes,
            network,
        })
    }

    /// The work space of a thread.
    pub(crate) fn scratch(&self, thread: usize) -> std::sync::MutexGuard<'_, Scratch> {
        self.scratch[thread].lock().unwrap_or_else(PoisonError::into_inner)
    }
}
