//! The buffers a forward pass works in: how large each is and where it lies. Those whose contents no pass leaves to the next
//! are one allocation, which tests make unreadable between passes; the others are a second one.

use yardstick_api::{Error, Options};
use yardstick_model::Architecture;

use crate::footprint::{product, sum};
use crate::machine::Driver;

/// Rows whose logits are computed together.
pub(crate) const HEAD_ROWS: usize = 16;
/// Rows of a pass at most: grids are at most 65,535 high.
pub(crate) const MOST_ROWS: usize = 1 << 15;
/// Tokens generated between two looks of the host.
pub(crate) const CHAIN: usize = 16;
/// Parts of a context that are attended to side by side, at most.
const MOST_PARTS: usize = 32;
/// Positions of a part at least: `TILE` of the kernels.
const TILE: usize = 64;
/// Query heads a block attends for: `GROUP` of the kernel.
pub(crate) const GROUP: usize = 8;
/// Blocks of 256 threads a processor is given at most.
pub(crate) const RESIDENT: usize = 4;

/// Bytes of every buffer.
pub(crate) struct Sizes {
    bytes: [u64; BUFFERS],
    pub(crate) rows: usize,
}

const BUFFERS: usize = 25;
/// So many of them, the first, are worked in; the others are kept from pass to pass.
const WORKING: usize = 17;

/// Addresses of the buffers, all f32 unless it says otherwise.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scratch {
    /// (rows, embedding): the stream before and after attention.
    pub(crate) x: [u64; 2],
    /// (rows, embedding)
    pub(crate) y: u64,
    /// (rows, heads * key_dim)
    pub(crate) q: u64,
    /// (rows, kv_heads * key_dim)
    pub(crate) k: u64,
    /// (rows, kv_heads * value_dim)
    pub(crate) v: u64,
    /// (rows, heads * value_dim)
    pub(crate) attended: u64,
    /// (rows, width), of experts (rows, used, width)
    pub(crate) h: u64,
    /// (rows, embedding, padded), bf16: what tensor cores read.
    pub(crate) x_half: u64,
    /// (rows, heads * value_dim or width, padded), bf16
    pub(crate) h_half: u64,
    /// (HEAD_ROWS, vocab)
    pub(crate) logits: u64,
    /// (HEAD_ROWS, blocks)
    pub(crate) best_value: u64,
    /// (HEAD_ROWS, blocks), u32
    pub(crate) best_index: u64,
    /// (rows, heads, parts, 2 + value_dim)
    pub(crate) partial: u64,
    /// (rows, experts)
    pub(crate) scores: u64,
    /// (rows, used), u32
    pub(crate) choice: u64,
    /// (rows, used)
    pub(crate) share: u64,
    /// (rows, kv_heads * groups), u32: 0 between launches.
    pub(crate) counters: u64,
    /// (rows), u32
    pub(crate) tokens: u64,
    /// (rows), u32
    pub(crate) positions: u64,
    /// (rows), u32
    pub(crate) sequences: u64,
    /// (rows), u32: rows whose logits are wanted.
    pub(crate) chosen: u64,
    /// (tiles, 2), u32: first rows and counts of tiles of one sequence.
    pub(crate) tiles: u64,
    /// (sequences), u32: steps of a chain.
    pub(crate) steps: u64,
    /// (CHAIN, sequences), u32
    pub(crate) ids: u64,
}

impl Sizes {
    pub(crate) fn new(
        architecture: &Architecture,
        options: &Options,
        context: usize,
        processors: u32,
    ) -> Sizes {
        let rows = options.chunk.min(context.saturating_mul(options.sequences));
        let rows = rows.min(MOST_ROWS).max(options.sequences);
        let layers = &architecture.layers;
        let most = |of: &dyn Fn(&yardstick_model::arch::Layer) -> u64| {
            layers.iter().map(of).max().unwrap_or(0)
        };
        let float = |width: u64| (rows as u64).saturating_mul(width).saturating_mul(4);
        let half = |width: u64| {
            let padded = width.saturating_add(31) / 32 * 32;
            (rows as u64).saturating_mul(padded).saturating_mul(2)
        };
        let wide = architecture.embedding as u64;
        let attended = most(&|l| product(&[l.heads, l.value_dim]));
        let experts =
            |l: &yardstick_model::arch::Layer| l.ffn.experts.map_or((0, 1), |e| (e.count, e.used));
        let shared =
            |l: &yardstick_model::arch::Layer| l.ffn.experts.and_then(|e| e.shared).unwrap_or(0);
        let inner = most(&|l| product(&[l.ffn.width, experts(l).1]).max(shared(l) as u64));
        let width = most(&|l| l.ffn.width as u64);
        let blocks = (processors.max(1) as usize * RESIDENT) as u64;
        let head_rows = HEAD_ROWS.max(options.sequences) as u64;
        let partial = most(&|l| {
            let groups = groups(l.heads, l.kv_heads);
            let parts = most_parts(rows, context, groups, processors);
            product(&[l.heads, l.value_dim.saturating_add(2)]).saturating_mul(parts)
        });
        let ids = product(&[CHAIN, options.sequences]);
        let bytes = [
            float(wide),
            float(wide),
            float(wide),
            float(most(&|l| product(&[l.heads, l.key_dim]))),
            float(most(&|l| product(&[l.kv_heads, l.key_dim]))),
            float(most(&|l| product(&[l.kv_heads, l.value_dim]))),
            float(attended),
            float(inner),
            half(wide),
            half(attended.max(width)),
            head_rows.saturating_mul(architecture.vocab as u64).saturating_mul(4),
            head_rows.saturating_mul(blocks).saturating_mul(4),
            head_rows.saturating_mul(blocks).saturating_mul(4),
            partial.saturating_mul(4),
            float(most(&|l| experts(l).0 as u64)),
            float(most(&|l| experts(l).1 as u64)),
            float(most(&|l| experts(l).1 as u64)),
            float(most(&|l| product(&[l.kv_heads, groups(l.heads, l.kv_heads)]))),
            float(1),
            float(1),
            float(1),
            float(1),
            float(2),
            product(&[options.sequences, 4]),
            ids.saturating_mul(4),
        ];
        Sizes { bytes: bytes.map(aligned), rows }
    }

    /// All of them.
    pub(crate) fn bytes(&self) -> u64 {
        sum(self.bytes.into_iter())
    }

    /// Allocates them, in two pieces; counters begin at 0.
    pub(crate) fn allocate(&self, driver: &mut dyn Driver) -> Result<Scratch, Error> {
        let (working, kept) = self.bytes.split_at(WORKING);
        let pieces = [(working, "working memory"), (kept, "lists of rows")];
        let mut a = Vec::with_capacity(BUFFERS);
        for (buffers, what) in pieces {
            let mut next = driver.allocate(sum(buffers.iter().copied()), what)?;
            for bytes in buffers {
                a.push(next);
                next += bytes;
            }
        }
        let counters = usize::try_from(self.bytes[WORKING]).unwrap_or(usize::MAX);
        driver.write(a[WORKING], &vec![0; counters])?;
        Ok(Scratch {
            x: [a[0], a[1]],
            y: a[2],
            q: a[3],
            k: a[4],
            v: a[5],
            attended: a[6],
            h: a[7],
            x_half: a[8],
            h_half: a[9],
            logits: a[10],
            best_value: a[11],
            best_index: a[12],
            partial: a[13],
            scores: a[14],
            choice: a[15],
            share: a[16],
            counters: a[17],
            tokens: a[18],
            positions: a[19],
            sequences: a[20],
            chosen: a[21],
            tiles: a[22],
            steps: a[23],
            ids: a[24],
        })
    }
}

/// Every buffer begins at a multiple of 256 bytes.
fn aligned(bytes: u64) -> u64 {
    bytes.saturating_add(255) / 256 * 256
}

/// Groups of query heads that share a key head.
pub(crate) fn groups(heads: usize, kv_heads: usize) -> usize {
    (heads / kv_heads.max(1)).div_ceil(GROUP)
}

/// Blocks that compute so many pairs of rows: eight a block, and no more than are resident at once.
pub(crate) fn blocks(pairs: usize, processors: u32, resident: usize) -> usize {
    let most = (processors as usize).max(1) * resident.clamp(1, RESIDENT);
    pairs.div_ceil(8).clamp(1, most)
}

/// Parts into which a context is cut for `rows` rows, so that every processor has something to do.
pub(crate) fn parts(rows: usize, context: usize, blocks: usize, processors: u32) -> usize {
    let wanted = 2 * processors as usize / (rows * blocks).max(1);
    wanted.clamp(1, context.div_ceil(TILE).clamp(1, MOST_PARTS))
}

/// The most rows times parts of any call with at most so many rows; one part needs no room.
fn most_parts(rows: usize, context: usize, groups: usize, processors: u32) -> u64 {
    let some = (1..=rows.min(2 * processors as usize)).map(|rows| {
        match parts(rows, context, groups, processors) {
            1 => 0,
            parts => (rows * parts) as u64,
        }
    });
    some.max().unwrap_or(0)
}
