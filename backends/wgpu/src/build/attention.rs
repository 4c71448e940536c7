//! Attention: the steps between the product that makes queries, keys and values and the one that reads what was attended.

use yardstick_api::mutants::Mutant;
use yardstick_api::{Error, KvType};
use yardstick_model::arch::{Layer, NormKind, QkNorm, Rotary, RotaryStyle};

use super::layer::padded;
use super::{Builder, NONE, key};
use crate::buffers::{all, words};
use crate::program::{Depth, Grid};
use crate::shaders::Operation;
use crate::sizes::{SHALLOW, SPLITS};

/// Query heads of a workgroup, the components of a vector.
const HEADS: usize = 4;
/// Invocations of a workgroup.
const INVOCATIONS: u32 = 64;

/// How the invocations of a workgroup share a head (shaders/attend.wgsl).
struct Team {
    /// Padded elements of a key and of a value.
    key: u32,
    value: u32,
    /// Elements of a word.
    packed: u32,
    /// Invocations a word of a value.
    shares: u32,
}

impl Team {
    fn new(kv: KvType, shape: &Layer) -> Team {
        let (key_words, packed) = words(kv, shape.key_dim);
        let (value_words, _) = words(kv, shape.value_dim);
        // A share of a tile's positions is a multiple of eight.
        let shares = [8, 4, 2].into_iter().find(|shares| shares * value_words <= INVOCATIONS);
        let (key, value) = (key_words * packed, value_words * packed);
        Team { key, value, packed, shares: shares.unwrap_or(1) }
    }

    /// Bytes of workgroup memory: queries, a tile's shares and reductions of it, sums.
    fn bytes(&self) -> u32 {
        16 * (self.key + 2 * INVOCATIONS + self.shares * self.value) + 4
    }
}

/// Bytes of workgroup memory that the attention of a layer takes.
pub(crate) fn workgroup_bytes(kv: KvType, shape: &Layer) -> u32 {
    Team::new(kv, shape).bytes()
}

impl Builder<'_> {
    pub(super) fn place(&mut self, layer: usize, shape: &Layer) -> Result<(), Error> {
        let (buffers, architecture) = (self.buffers, self.architecture);
        let rotary = shape.rotary.map(|i| (&architecture.rotary[i], buffers.turns[i]));
        let span = match shape.qk_norm {
            None => 0,
            Some(QkNorm::Head) => 1,
            Some(QkNorm::EachHead) => 2,
            Some(QkNorm::Whole) => 3,
        };
        let (key_words, packed) = words(self.sizes.kv, shape.key_dim);
        let growth = architecture.temperature;
        let numbers = [
            shape.heads as u32,
            shape.kv_heads as u32,
            shape.key_dim as u32,
            shape.value_dim as u32,
            shape.qkv_rows().iter().sum::<usize>() as u32,
            self.sizes.context as u32,
            key_words,
            words(self.sizes.kv, shape.value_dim).0,
            span,
            u32::from(architecture.norm.kind == NormKind::Layer),
            self.vector(layer, "attn_q_norm.weight").unwrap_or(NONE),
            self.vector(layer, "attn_k_norm.weight").unwrap_or(NONE),
            rotary.map_or(0, |(rotary, _)| rotary.dims as u32),
            rotary.map_or(0, |(rotary, _)| u32::from(self.halves(rotary))),
            rotary.map_or(0, |(rotary, first)| first + self.further(rotary)),
            growth.map_or(0, |growth| growth.length.clamp(1, 1 << 31) as u32),
            growth.map_or(0.0, |growth| growth.scale).to_bits(),
            architecture.norm.eps.to_bits(),
            packed,
        ];
        let [keys, values] = &buffers.cache[layer];
        let nowhere = self.stale(layer).then(|| self.gpu.storage("nowhere", 16)).transpose()?;
        let keys = nowhere.as_ref().unwrap_or(keys);
        let vectors = &self.network.vectors.buffer;
        let queries = &buffers.queries;
        let parts =
            [&buffers.rows, &buffers.qkv, vectors, &buffers.angles, keys, values, queries].map(all);
        let x = (shape.heads + shape.kv_heads) as u32;
        let key = key(Operation::Place, None, &[]);
        self.step("place", Some(layer), key, &numbers, &parts, Grid::Rows(x))
    }

    /// Over the cache of every layer's keys: at once where the queries are many or see few positions, in splits else.
    pub(super) fn attend(&mut self, layer: usize, shape: &Layer, tile: u32) -> Result<(), Error> {
        let far = shape.window.is_none_or(|window| window > SHALLOW);
        if !self.single || !far {
            return self.attend_in(layer, shape, tile, 1);
        }
        self.attend_in(layer, shape, tile, 1)?;
        self.depth(Depth::Shallow);
        self.attend_in(layer, shape, tile, SPLITS)?;
        self.depth(Depth::Deep);
        self.join(layer, shape)?;
        self.depth(Depth::Deep);
        Ok(())
    }

    fn attend_in(
        &mut self,
        layer: usize,
        shape: &Layer,
        tile: u32,
        splits: u32,
    ) -> Result<(), Error> {
        let buffers = self.buffers;
        let numbers = [
            shape.heads as u32,
            shape.kv_heads as u32,
            shape.key_dim as u32,
            shape.value_dim as u32,
            self.sizes.context as u32,
            shape.window.map_or(NONE, |window| window.min(NONE as usize) as u32),
            shape.attention_scale.to_bits(),
            shape.softcap.unwrap_or(0.0).to_bits(),
            tile,
            padded(shape.heads * shape.value_dim),
        ];
        let [keys, values] = &buffers.cache[layer];
        let (attended, partials) = (&buffers.attended, &buffers.partials);
        let parts = [&buffers.rows, &buffers.queries, keys, values, attended, partials].map(all);
        let team = Team::new(self.sizes.kv, shape);
        let constants = [
            ("KEY", team.key),
            ("VALUE", team.value),
            ("PACKED", team.packed),
            ("SHARES", team.shares),
            ("SPLITS", splits),
        ];
        let key = key(Operation::Attend { lanes: self.gpu.lanes }, None, &constants);
        let x = (shape.kv_heads * (shape.heads / shape.kv_heads).div_ceil(HEADS)) as u32;
        let (name, grid) = match splits {
            1 => ("attend", Grid::Rows(x)),
            _ => ("attend_split", Grid::Split(x, splits)),
        };
        self.step(name, Some(layer), key, &numbers, &parts, grid)
    }

    fn join(&mut self, layer: usize, shape: &Layer) -> Result<(), Error> {
        let parts = [all(&self.buffers.partials), all(&self.buffers.attended)];
        let key = key(Operation::Join, None, &[("SPLITS", SPLITS)]);
        let grid = Grid::One(shape.heads as u32);
        self.step("attend_join", Some(layer), key, &[shape.value_dim as u32], &parts, grid)
    }
}

/// Where faults are made on purpose.
impl Builder<'_> {
    fn halves(&self, rotary: &Rotary) -> bool {
        (rotary.style == RotaryStyle::Halves) != self.gpu.mutation.is(Mutant::Rotary)
    }

    /// Pairs of angles between where they are and where they are read.
    fn further(&self, rotary: &Rotary) -> u32 {
        let further = self.gpu.mutation.is(Mutant::Position) && self.single;
        if further { (rotary.dims / 2) as u32 } else { 0 }
    }

    fn stale(&self, layer: usize) -> bool {
        let middle = layer == self.architecture.layers.len() / 2;
        self.gpu.mutation.is(Mutant::StaleKv) && self.single && middle
    }
}
