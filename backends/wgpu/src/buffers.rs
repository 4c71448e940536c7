//! Buffers of a session besides weights: activations, cache, what a batch says of its rows, and the operations' numbers.

use wgpu::BufferUsages as U;
use yardstick_api::{Error, KvType};
use yardstick_model::arch::{Layer, Rotary};

use crate::gpu::{Gpu, Part, part, whole};
use crate::sizes::{Sizes, TILES};

/// Bytes of a uniform window on activations.
pub(crate) const WINDOW: u64 = 64 << 10;
/// Bytes between the numbers of two operations; every device aligns to 256 or less.
const APART: u64 = 256;

/// A session's buffers.
pub(crate) struct Buffers {
    /// (rows, embedding)
    pub(crate) stream: wgpu::Buffer,
    /// The stream normalised, tiled.
    pub(crate) normed: wgpu::Buffer,
    /// (rows, q + k + v)
    pub(crate) qkv: wgpu::Buffer,
    /// (rows, heads * key_dim): normalised and turned.
    pub(crate) queries: wgpu::Buffer,
    /// (heads * value_dim), tiled.
    pub(crate) attended: wgpu::Buffer,
    /// (heads, splits, value_dim + 2): what splits of a token's attention found.
    pub(crate) partials: wgpu::Buffer,
    /// Inner width of the feed-forward block, tiled.
    pub(crate) inner: wgpu::Buffer,
    /// A product's input in 8 bits.
    pub(crate) quantised: wgpu::Buffer,
    /// (rows, embedding): a block's result before its own norm.
    pub(crate) block: wgpu::Buffer,
    /// (logit rows, vocab)
    pub(crate) logits: wgpu::Buffer,
    /// (rows): token, position, sequence, step.
    pub(crate) rows: wgpu::Buffer,
    /// Rows whose logits are wanted.
    pub(crate) picks: wgpu::Buffer,
    /// (rows, groups): the best of each 1024 logits.
    pub(crate) candidates: wgpu::Buffer,
    /// (rows, experts): the router's scores.
    pub(crate) scores: wgpu::Buffer,
    /// (rows, used): expert and share.
    pub(crate) choices: wgpu::Buffer,
    /// (rows, used, embedding): the experts' results.
    pub(crate) parts: wgpu::Buffer,
    /// (steps, rows): ids chosen.
    pub(crate) ids: wgpu::Buffer,
    /// The two halves of `ids` for the host to read.
    pub(crate) id_staging: [wgpu::Buffer; 2],
    /// The number of each tile, [`APART`] bytes apart.
    pub(crate) tiles: wgpu::Buffer,
    /// (positions, pairs) of each rotary embedding: cosine and sine.
    pub(crate) angles: wgpu::Buffer,
    /// Where each rotary embedding begins in `angles`, pairs.
    pub(crate) turns: Vec<u32>,
    /// Keys and values of each layer.
    pub(crate) cache: Vec<[wgpu::Buffer; 2]>,
    /// For the host to read.
    pub(crate) staging: wgpu::Buffer,
}

impl Buffers {
    pub(crate) fn new(
        gpu: &Gpu,
        sizes: &Sizes,
        layers: &[Layer],
        rotary: &[Rotary],
        chosen_by: usize,
    ) -> Result<Buffers, Error> {
        // A window on the last tile may reach beyond it.
        let tiled = |label, bytes: u64| gpu.storage(label, bytes + WINDOW);
        let cache = |layer: &Layer| {
            let [keys, values] = sizes.cache_bytes(layer);
            Ok([gpu.storage("keys", keys)?, gpu.storage("values", values)?])
        };
        let tiles: Vec<u8> = (0..TILES as u32).flat_map(tile_entry).collect();
        let (turns, angles) = angles(rotary, sizes.context, chosen_by);
        let buffers = Buffers {
            stream: gpu.storage("stream", sizes.stream_bytes())?,
            normed: tiled("normed", sizes.normed_bytes())?,
            qkv: gpu.storage("qkv", sizes.qkv_bytes())?,
            queries: gpu.storage("queries", sizes.qkv_bytes())?,
            attended: tiled("attended", sizes.attended_bytes())?,
            partials: gpu.storage("partials", sizes.partials_bytes())?,
            inner: tiled("inner", sizes.inner_bytes())?,
            quantised: gpu.storage("quantised", sizes.quantised_bytes())?,
            block: gpu.storage("block", sizes.stream_bytes())?,
            logits: gpu.storage("logits", sizes.logits_bytes())?,
            rows: gpu.storage("rows", sizes.rows as u64 * 16)?,
            picks: gpu.storage("picks", sizes.rows as u64 * 4)?,
            candidates: gpu.storage("candidates", sizes.candidates_bytes())?,
            scores: gpu.storage("scores", sizes.scores_bytes())?,
            choices: gpu.storage("choices", sizes.choices_bytes())?,
            parts: gpu.storage("parts", sizes.parts_bytes())?,
            ids: gpu.storage("ids", sizes.ids_bytes())?,
            id_staging: [
                gpu.buffer("ids read", sizes.ids_bytes() / 2, U::MAP_READ)?,
                gpu.buffer("ids read", sizes.ids_bytes() / 2, U::MAP_READ)?,
            ],
            tiles: gpu.storage("tiles", tiles.len() as u64)?,
            angles: gpu.storage("angles", angles.len() as u64)?,
            turns,
            cache: layers.iter().map(cache).collect::<Result<_, Error>>()?,
            staging: gpu.buffer("staging", sizes.staging_bytes(), U::MAP_READ)?,
        };
        gpu.queue.write_buffer(&buffers.tiles, 0, &tiles);
        if !angles.is_empty() {
            gpu.queue.write_buffer(&buffers.angles, 0, &angles);
        }
        Ok(buffers)
    }

    /// Bytes of everything but the cache.
    pub(crate) fn scratch_bytes(&self) -> u64 {
        let all = [
            &self.stream,
            &self.normed,
            &self.qkv,
            &self.queries,
            &self.attended,
            &self.partials,
            &self.inner,
            &self.quantised,
            &self.block,
            &self.logits,
            &self.rows,
            &self.picks,
            &self.candidates,
            &self.scores,
            &self.choices,
            &self.parts,
            &self.ids,
            &self.tiles,
            &self.angles,
            &self.staging,
        ];
        all.iter().map(|buffer| buffer.size()).sum()
    }

    /// Bytes of the cache.
    pub(crate) fn cache_bytes(&self) -> u64 {
        self.cache.iter().flatten().map(wgpu::Buffer::size).sum()
    }
}

fn tile_entry(tile: u32) -> [u8; APART as usize] {
    let mut entry = [0; APART as usize];
    entry[..4].copy_from_slice(&tile.to_le_bytes());
    entry
}

/// Cosines and sines of every position, computed in f64, and where each rotary embedding begins.
fn angles(rotary: &[Rotary], context: usize, chosen_by: usize) -> (Vec<u32>, Vec<u8>) {
    let (mut turns, mut bytes) = (Vec::new(), Vec::new());
    for rotary in rotary {
        turns.push((bytes.len() / 8) as u32);
        let frequencies = rotary.frequencies(chosen_by);
        for position in 0..context {
            for frequency in &frequencies {
                let (sine, cosine) = (position as f64 * frequency).sin_cos();
                let magnitude = f64::from(rotary.magnitude);
                for value in [cosine * magnitude, sine * magnitude] {
                    bytes.extend((value as f32).to_le_bytes());
                }
            }
        }
    }
    (turns, bytes)
}

/// The numbers of operations, one after another in buffers of a fixed size.
pub(crate) struct Numbers {
    buffers: Vec<wgpu::Buffer>,
    used: u64,
}

/// Where an operation's numbers are.
pub(crate) struct At {
    buffer: usize,
    offset: u64,
}

impl Numbers {
    const BYTES: u64 = 64 << 10;

    pub(crate) fn new() -> Numbers {
        Numbers { buffers: Vec::new(), used: Numbers::BYTES }
    }

    /// Sends an operation's numbers; at most 256 bytes.
    pub(crate) fn put(&mut self, gpu: &Gpu, words: &[u32]) -> Result<At, Error> {
        if self.used + APART > Numbers::BYTES {
            self.buffers.push(gpu.buffer("numbers", Numbers::BYTES, U::UNIFORM)?);
            self.used = 0;
        }
        let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        bytes.resize(APART as usize, 0);
        let at = At { buffer: self.buffers.len() - 1, offset: self.used };
        gpu.queue.write_buffer(&self.buffers[at.buffer], at.offset, &bytes);
        self.used += APART;
        Ok(at)
    }

    pub(crate) fn bind(&self, at: &At) -> Part<'_> {
        part(&self.buffers[at.buffer], at.offset, APART)
    }
}

/// Words of a cache cell's row of one head, and elements of a word. Eight words are read together (shaders/attend.wgsl).
pub(crate) fn words(kv: KvType, dim: usize) -> (u32, u32) {
    let padded = dim.next_multiple_of(16) as u32;
    match kv {
        KvType::F32 => (padded, 1),
        KvType::F16 | KvType::Q8_0 => (padded / 2, 2),
    }
}

/// The window on activations that a binding begins with.
pub(crate) fn window(buffer: &wgpu::Buffer) -> Part<'_> {
    part(buffer, 0, WINDOW)
}

/// A whole buffer; here so that programs read alike.
pub(crate) fn all(buffer: &wgpu::Buffer) -> Part<'_> {
    whole(buffer)
}
