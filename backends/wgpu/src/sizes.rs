//! How large everything of a session is, from the description alone: plans and buffers use the same numbers.

use yardstick_api::{KvType, Numerics, Options};
use yardstick_model::Architecture;
use yardstick_model::arch::Layer;

use crate::buffers::words;
use crate::planes::{UNIT, units};

/// Rows computed together at most: longer chunks are cut.
pub(crate) const ROWS: usize = 512;
/// Most tokens of a tile; rows are padded to it.
pub(crate) const TILE: usize = 16;
/// Tiles of [`ROWS`] rows at the narrowest tile.
pub(crate) const TILES: usize = ROWS / 4;
/// Rows of logits kept on the device; more are read back on the way.
const LOGIT_ROWS: usize = 64;
/// Steps of a round of generation; two rounds are under way at once.
pub(crate) const CHAIN: usize = 8;
/// Positions per sequence when the options leave it open: the model's own, up to this many.
const DEFAULT_CONTEXT: usize = 4096;
/// Sums of squares behind a normed row.
pub(crate) const SUMS: usize = 2048;

/// Positions up to which one workgroup a head sees all of them.
pub(crate) const SHALLOW: usize = 512;
/// Workgroups that share the positions of a head, for a token that comes alone and sees many.
pub(crate) const SPLITS: u32 = 8;

/// Sizes of a session.
#[derive(Clone, Debug)]
pub(crate) struct Sizes {
    /// Rows computed together, padded to whole tiles.
    pub(crate) rows: usize,
    /// Rows computed together.
    pub(crate) chunk: usize,
    pub(crate) context: usize,
    pub(crate) sequences: usize,
    pub(crate) kv: KvType,
    pub(crate) embedding: usize,
    pub(crate) vocab: usize,
    qkv: usize,
    attended: usize,
    /// Of all heads what a split of a token's attention leaves.
    partials: usize,
    inner: usize,
    /// Activations of tiles may be in 8 bits.
    int8: bool,
    /// Experts stored and taken, at most.
    experts: [usize; 2],
    /// Rows of logits on the device.
    pub(crate) logit_rows: usize,
    /// Pairs of cosine and sine.
    pairs: u64,
}

/// Positions a sequence holds.
pub(crate) fn context(architecture: &Architecture, options: &Options) -> usize {
    options.context.unwrap_or_else(|| architecture.context.clamp(1, DEFAULT_CONTEXT))
}

/// Padded columns of the inner activations of a token, of all experts it takes.
fn inner(layer: &Layer) -> usize {
    let padded = |width: usize| units(width) * UNIT;
    let of_experts = |experts: yardstick_model::arch::Experts| {
        let taken = padded(layer.ffn.width).saturating_mul(experts.used);
        taken.max(experts.shared.map_or(0, padded))
    };
    layer.ffn.experts.map_or_else(|| padded(layer.ffn.width), of_experts)
}

impl Sizes {
    /// `binding` is the largest binding of the device.
    pub(crate) fn new(architecture: &Architecture, options: &Options, binding: u64) -> Sizes {
        let context = context(architecture, options);
        let rows = options.chunk.min(context.saturating_mul(options.sequences)).min(ROWS);
        let widest =
            |of: fn(&Layer) -> usize| architecture.layers.iter().map(of).max().unwrap_or(0);
        let vocab = architecture.vocab;
        let fits = (binding / 4 / vocab.max(1) as u64).max(1) as usize;
        let logit_rows = LOGIT_ROWS.min(fits / TILE * TILE).max(TILE);
        let turned = architecture.rotary.iter().map(|rotary| (rotary.dims / 2) as u64);
        Sizes {
            rows: rows.next_multiple_of(TILE),
            chunk: rows,
            context,
            sequences: options.sequences,
            kv: options.kv,
            embedding: architecture.embedding,
            vocab,
            qkv: widest(|layer| layer.qkv_rows().iter().sum()),
            attended: widest(|layer| layer.heads * layer.value_dim),
            partials: widest(|layer| layer.heads * (layer.value_dim + 2)),
            inner: widest(inner),
            int8: options.numerics == Some(Numerics::A8),
            experts: [
                widest(|layer| layer.ffn.experts.map_or(0, |experts| experts.count)),
                widest(|layer| layer.ffn.experts.map_or(0, |experts| experts.used)),
            ],
            logit_rows,
            pairs: turned.sum::<u64>().saturating_mul(context as u64),
        }
    }

    fn values(&self, width: usize) -> u64 {
        (self.rows as u64).saturating_mul(width as u64).saturating_mul(4)
    }

    pub(crate) fn stream_bytes(&self) -> u64 {
        self.values(self.embedding)
    }

    pub(crate) fn normed_bytes(&self) -> u64 {
        self.values(units(self.embedding) * UNIT) + SUMS as u64 * 4
    }

    pub(crate) fn qkv_bytes(&self) -> u64 {
        self.values(self.qkv)
    }

    pub(crate) fn attended_bytes(&self) -> u64 {
        self.values(units(self.attended) * UNIT)
    }

    pub(crate) fn partials_bytes(&self) -> u64 {
        (self.partials as u64).saturating_mul(u64::from(SPLITS) * 4)
    }

    pub(crate) fn inner_bytes(&self) -> u64 {
        self.values(self.inner)
    }

    /// Bytes of activations in 8 bits: records of 11 words for 32 columns (shaders/quantise.wgsl).
    pub(crate) fn quantised_bytes(&self) -> u64 {
        let padded = |width: usize| units(width) * UNIT;
        let widest = padded(self.embedding).max(padded(self.attended)).max(self.inner);
        if self.int8 { self.values(widest) / 32 * 11 } else { 0 }
    }

    pub(crate) fn logits_bytes(&self) -> u64 {
        (self.logit_rows as u64).saturating_mul(self.vocab as u64).saturating_mul(4)
    }

    pub(crate) fn scores_bytes(&self) -> u64 {
        self.values(self.experts[0])
    }

    pub(crate) fn choices_bytes(&self) -> u64 {
        self.values(self.experts[1]).saturating_mul(2)
    }

    pub(crate) fn parts_bytes(&self) -> u64 {
        self.values(self.experts[1].saturating_mul(self.embedding))
    }

    /// Groups of 1024 logits in a row.
    pub(crate) fn groups(&self) -> usize {
        self.vocab.div_ceil(1024)
    }

    pub(crate) fn candidates_bytes(&self) -> u64 {
        (self.logit_rows as u64).saturating_mul(self.groups() as u64).saturating_mul(8)
    }

    pub(crate) fn ids_bytes(&self) -> u64 {
        (2 * CHAIN * self.logit_rows * 4) as u64
    }

    pub(crate) fn staging_bytes(&self) -> u64 {
        self.logits_bytes()
    }

    /// Bytes of a layer's keys and of its values.
    pub(crate) fn cache_bytes(&self, layer: &Layer) -> [u64; 2] {
        let positions = (self.context as u64).saturating_mul(self.sequences as u64);
        [layer.key_dim, layer.value_dim].map(|dim| {
            let row = (layer.kv_heads as u64).saturating_mul(u64::from(words(self.kv, dim).0));
            positions.saturating_mul(row).saturating_mul(4)
        })
    }

    /// An upper bound on everything but weights and cache.
    pub(crate) fn scratch_bytes(&self) -> u64 {
        let activations = [
            self.stream_bytes().saturating_mul(2),
            self.normed_bytes(),
            self.qkv_bytes().saturating_mul(2),
            self.attended_bytes(),
            self.partials_bytes(),
            self.inner_bytes(),
            self.quantised_bytes(),
            self.scores_bytes(),
            self.choices_bytes(),
            self.parts_bytes(),
            self.logits_bytes(),
            self.candidates_bytes(),
            self.staging_bytes(),
            self.pairs.saturating_mul(8),
            // Windows, rows, picks, ids, tiles and numbers.
            4 << 20,
        ];
        activations.iter().fold(0, |sum: u64, &bytes| sum.saturating_add(bytes))
    }

    /// Bytes of the largest single buffer.
    pub(crate) fn largest(&self, layers: &[Layer]) -> u64 {
        let cache = layers.iter().flat_map(|layer| self.cache_bytes(layer)).max().unwrap_or(0);
        let wide = self
            .inner_bytes()
            .max(self.qkv_bytes())
            .max(self.parts_bytes())
            .max(self.attended_bytes());
        cache.max(wide).max(self.pairs.saturating_mul(8)).max(self.logits_bytes())
    }
}
