//! The forward pass, top to bottom, written down as a list of launches. What runs them, and whether as a graph, is not
//! known here.

use std::sync::Arc;

use yardstick_api::{Error, KvType};
use yardstick_model::arch::{Activation, Experts, Layer, Norm, NormKind, QkNorm};
use yardstick_model::{Architecture, Model};

use crate::cache::Cache;
use crate::machine::Argument::{Address, Count, Real};
use crate::machine::{Argument, Driver, Launch, Unit};
use crate::scratch::{CHAIN, Scratch, blocks, groups, parts};
use crate::weights::{LayerWeights, NormWeights, Product, Weights};

/// Threads of most kernels.
pub(crate) const THREADS: u32 = 256;
/// Threads of the kernels of heads.
pub(crate) const HEAD_THREADS: u32 = 128;
/// Rows that share what is read of the weights, when there is more than one.
const ROWS: usize = 4;
/// Rows up to which every row is multiplied on its own.
pub(crate) const FEW: usize = 8;

/// A model resident on a device.
pub(crate) struct Engine {
    pub(crate) driver: Box<dyn Driver>,
    pub(crate) model: Arc<Model>,
    pub(crate) weights: Weights,
    pub(crate) cache: Cache,
    pub(crate) scratch: Scratch,
    /// Many rows may go by tensor cores, in bf16.
    pub(crate) matrices: bool,
}

/// A list of launches in the making.
pub(crate) struct Program<'e> {
    pub(crate) driver: &'e mut dyn Driver,
    pub(crate) architecture: &'e Architecture,
    pub(crate) weights: &'e Weights,
    pub(crate) cache: &'e Cache,
    pub(crate) scratch: &'e Scratch,
    /// Rows of the stream.
    pub(crate) rows: usize,
    matrices: bool,
    launches: Vec<Launch>,
}

impl Engine {
    /// A program for so many rows, empty.
    pub(crate) fn program(&mut self, rows: usize) -> Program<'_> {
        Program {
            driver: &mut *self.driver,
            architecture: self.model.architecture(),
            weights: &self.weights,
            cache: &self.cache,
            scratch: &self.scratch,
            rows,
            matrices: self.matrices,
            launches: Vec::new(),
        }
    }
}

impl Program<'_> {
    /// The launches so far.
    pub(crate) fn launches(self) -> Vec<Launch> {
        self.launches
    }

    /// From tokens to the stream behind the last layer; fills the cache at the rows' positions. Many rows go by tensor
    /// cores where there are such; they lie in `tiles` tiles of consecutive rows of one sequence.
    pub(crate) fn body(mut self, tiles: usize) -> Result<Self, Error> {
        if self.rows > FEW && self.matrices {
            return self.prefill(tiles);
        }
        let architecture = self.architecture;
        self.embed()?;
        for (i, shape) in architecture.layers.iter().enumerate() {
            let weights = &self.weights.layers[i];
            let [before, after] = self.scratch.x;

            // Queries, keys and values of the normalised stream; what they attend to; back into the stream
            self.queries_keys_values(i, shape, weights)?;
            self.attend(i, shape)?;
            let post = weights.post.map(|post| post[0]);
            let cols = shape.heads * shape.value_dim;
            self.add(
                "attn_output",
                &weights.output,
                self.scratch.attended,
                cols,
                before,
                after,
                post,
            )?;

            // The feed-forward block, of the same stream where both blocks run side by side
            let (source, norm) =
                weights.ffn_norm.map_or((before, weights.attn_norm), |n| (after, n));
            let post = weights.post.map(|post| post[1]);
            if let Some(experts) = &weights.experts {
                self.mixture(shape, weights, experts, source, norm, post)?;
                continue;
            }
            let both = (weights.gate.as_ref(), &weights.up);
            self.gate_up(shape, both, source, norm, None)?;
            let (h, width) = (self.scratch.h, shape.ffn.width);
            self.add("ffn_down", &weights.down, h, width, after, before, post)?;
        }
        Ok(self)
    }

    pub(crate) fn embed(&mut self) -> Result<(), Error> {
        let (table, scratch) = (self.weights.embedding, self.scratch);
        let arguments = vec![
            Address(table.address),
            count(table.rows),
            count(table.cols),
            Address(self.weights.places),
            Real(self.architecture.embedding_scale),
            Address(scratch.tokens),
            Address(scratch.positions),
            Address(scratch.x[0]),
        ];
        let defines = vec![("FORMAT", table.format.name().to_owned())];
        let grid = [table.cols.div_ceil(8 * THREADS as usize) as u32, self.rows as u32, 1];
        self.push("token_embd", "embed", defines, grid, THREADS, arguments)
    }

    fn queries_keys_values(
        &mut self,
        layer: usize,
        shape: &Layer,
        weights: &LayerWeights,
    ) -> Result<(), Error> {
        let [q, k, v] = &weights.qkv;
        // Norms of heads and blocks of a cache in 8 bits need whole heads, which no warp here has.
        let fused = shape.qk_norm.is_none() && self.cache.kind != KvType::Q8_0;
        let [keys, values] = match fused {
            true => self.cache.layer(layer),
            false => [self.scratch.k, self.scratch.v],
        };
        let turns = self.turns(shape);
        let cols = self.architecture.embedding;
        let mut arguments = vec![Address(self.scratch.x[0]), count(cols), count(self.rows)];
        arguments.extend(norm_arguments(self.architecture.norm, weights.attn_norm));
        arguments.extend([q, k, v].map(|product| Address(product.matrix.address)));
        arguments.extend([q, k, v].map(|product| Address(product.bias)));
        arguments.extend(shape_arguments(shape));
        arguments.extend(turns);
        arguments.extend([
            Address(self.weights.temperature),
            Address(self.scratch.positions),
            Address(self.scratch.sequences),
            count(self.cache.lengths.context()),
            Address(self.scratch.q),
            Address(keys),
            Address(values),
        ]);
        let cache = if fused { self.cache_define() } else { 0 };
        let defines = vec![
            ("FORMAT_Q", q.matrix.format.name().to_owned()),
            ("FORMAT_K", k.matrix.format.name().to_owned()),
            ("FORMAT_V", v.matrix.format.name().to_owned()),
            ("CACHE", cache.to_string()),
        ];
        let pairs = (shape.heads + shape.kv_heads) * shape.key_dim.div_ceil(2)
            + shape.kv_heads * shape.value_dim.div_ceil(2);
        self.push_product("attn_qkv", "qkv", defines, pairs, self.rows, arguments)?;
        if !fused {
            self.rotate(layer, shape, weights, turns)?;
        }
        Ok(())
    }

    /// Norms of heads, angles and the cache, from what the products left in scratch.
    pub(crate) fn rotate(
        &mut self,
        layer: usize,
        shape: &Layer,
        weights: &LayerWeights,
        turns: [Argument; 3],
    ) -> Result<(), Error> {
        let (scratch, norm) = (self.scratch, self.architecture.norm);
        let [q_weight, k_weight] = weights.qk_norm.map_or([0; 2], |(_, weights)| weights);
        let head_norm = match weights.qk_norm {
            None => 0,
            Some((QkNorm::Head, _)) => 1,
            Some((QkNorm::EachHead, _)) => 2,
            Some((QkNorm::Whole, _)) => {
                let [q, k, _] = shape.qkv_rows();
                for (x, width, weight) in [(scratch.q, q, q_weight), (scratch.k, k, k_weight)] {
                    let weights = NormWeights { weight, bias: 0 };
                    self.normalise("attn_qk_norm", x, width, weights, 0, 1.0, x)?;
                }
                0
            }
        };
        let [keys, values] = self.cache.layer(layer);
        let mut arguments = [scratch.q, scratch.k, scratch.v].map(Address).to_vec();
        arguments.extend(shape_arguments(shape));
        arguments.extend([Count(head_norm), Address(q_weight), Address(k_weight), Real(norm.eps)]);
        arguments.push(Count(norm_kind(norm.kind)));
        arguments.extend(turns);
        arguments.extend([
            Address(self.weights.temperature),
            Address(scratch.positions),
            Address(scratch.sequences),
            count(self.cache.lengths.context()),
            count(self.cache.lengths.sequences()),
            Address(keys),
            Address(values),
        ]);
        let defines = vec![("CACHE", self.cache_define().to_string())];
        let grid = [(shape.heads + 2 * shape.kv_heads) as u32, self.rows as u32, 1];
        self.push("rotary", "rotate", defines, grid, HEAD_THREADS, arguments)
    }

    pub(crate) fn attend(&mut self, layer: usize, shape: &Layer) -> Result<(), Error> {
        let scratch = self.scratch;
        let [keys, values] = self.cache.layer(layer);
        let of_heads = shape.kv_heads * groups(shape.heads, shape.kv_heads);
        let parts =
            parts(self.rows, self.cache.lengths.context(), of_heads, self.driver.gpu().processors);
        let mut arguments =
            [scratch.q, keys, values, scratch.positions, scratch.sequences].map(Address).to_vec();
        arguments
            .extend([count(self.cache.lengths.context()), count(self.cache.lengths.sequences())]);
        arguments.extend(shape_arguments(shape));
        arguments.extend([
            count(shape.window.unwrap_or(0).min(u32::MAX as usize)),
            Real(shape.attention_scale),
            Real(shape.softcap.unwrap_or(0.0)),
            Address(scratch.partial),
            Address(scratch.counters),
            Address(scratch.attended),
        ]);
        let defines = vec![("CACHE", self.cache_define().to_string())];
        let grid = [parts as u32, of_heads as u32, self.rows as u32];
        self.push("attention", "attend", defines, grid, HEAD_THREADS, arguments)
    }

    /// `after = before + residual_scale * [norm](W x + bias)`.
    #[expect(clippy::too_many_arguments, reason = "one step of the pass, used twice")]
    pub(crate) fn add(
        &mut self,
        name: &'static str,
        product: &Product,
        x: u64,
        cols: usize,
        before: u64,
        after: u64,
        post: Option<NormWeights>,
    ) -> Result<(), Error> {
        let scale = self.architecture.residual_scale;
        let Some(weights) = post else {
            return self.project(name, product, x, cols, before, scale, after);
        };
        let (y, width) = (self.scratch.y, self.architecture.embedding);
        self.project(name, product, x, cols, 0, 1.0, y)?;
        self.normalise("post_norm", y, width, weights, before, scale, after)
    }

    /// `out = residual + scale * (W x + bias)`.
    #[expect(clippy::too_many_arguments, reason = "the kernel's own arguments")]
    pub(crate) fn project(
        &mut self,
        name: &'static str,
        product: &Product,
        x: u64,
        cols: usize,
        residual: u64,
        scale: f32,
        out: u64,
    ) -> Result<(), Error> {
        let matrix = product.matrix;
        let arguments = vec![
            Address(x),
            count(cols),
            count(self.rows),
            Address(matrix.address),
            count(matrix.rows),
            Address(product.bias),
            Address(residual),
            Real(scale),
            Address(out),
        ];
        let defines = vec![("FORMAT", matrix.format.name().to_owned())];
        self.push_product(name, "project", defines, matrix.rows.div_ceil(2), self.rows, arguments)
    }

    /// `out = residual + scale * norm(x)`, in f32.
    #[expect(clippy::too_many_arguments, reason = "the kernel's own arguments")]
    pub(crate) fn normalise(
        &mut self,
        name: &'static str,
        x: u64,
        cols: usize,
        weights: NormWeights,
        residual: u64,
        scale: f32,
        out: u64,
    ) -> Result<(), Error> {
        let mut arguments = vec![Address(x), count(cols)];
        arguments.extend(norm_arguments(self.architecture.norm, weights));
        arguments.extend([Address(residual), Real(scale), Address(out), count(cols)]);
        let defines = vec![("BITS", "32".to_owned())];
        self.push(name, "normalise", defines, [1, self.rows as u32, 1], THREADS, arguments)
    }

    /// Gate and up, dense or, with a number of experts used, of those that were chosen.
    pub(crate) fn gate_up(
        &mut self,
        shape: &Layer,
        (gate, up): (Option<&Product>, &Product),
        source: u64,
        norm: NormWeights,
        experts: Option<Experts>,
    ) -> Result<(), Error> {
        let (gated, gate) = (gate.is_some(), gate.unwrap_or(up));
        let (count_of, used) = experts.map_or((1, 1), |experts| (experts.count, experts.used));
        let width = up.matrix.rows / count_of;
        let mut arguments =
            vec![Address(source), count(self.architecture.embedding), count(self.rows)];
        arguments.extend(norm_arguments(self.architecture.norm, norm));
        arguments.extend([gate.matrix.address, up.matrix.address].map(Address));
        arguments.extend([gate.bias, up.bias].map(Address));
        let activation = match shape.ffn.activation {
            Activation::Silu => 0,
            Activation::Gelu => 1,
        };
        let choice = experts.map_or(0, |_| self.scratch.choice);
        arguments.extend([count(width), Count(activation), Address(choice)]);
        arguments.extend([count(count_of), count(used), Address(self.scratch.h)]);
        let defines = vec![
            ("FORMAT_GATE", gate.matrix.format.name().to_owned()),
            ("FORMAT_UP", up.matrix.format.name().to_owned()),
            ("GATED", u32::from(gated).to_string()),
        ];
        let pairs = if gated { width } else { width.div_ceil(2) };
        match experts {
            None => {
                self.push_product("ffn_gate_up", "gate_up", defines, pairs, self.rows, arguments)
            }
            Some(_) => {
                let z = used as u32;
                self.push_rows("ffn_gate_up", "gate_up", defines, pairs, z, arguments)
            }
        }
    }

    /// Logits and blocks' bests of `wanted` rows of the stream, those that `chosen` lists from its entry `first`.
    pub(crate) fn head(mut self, first: usize, wanted: usize) -> Result<Self, Error> {
        let (architecture, scratch, head) = (self.architecture, self.scratch, self.weights.head);
        let chosen = scratch.chosen + 4 * first as u64;
        let mut arguments = vec![
            Address(scratch.x[0]),
            count(architecture.embedding),
            count(wanted),
            Address(chosen),
        ];
        arguments.extend(norm_arguments(architecture.norm, self.weights.output_norm));
        arguments.extend([
            Address(head.matrix.address),
            count(architecture.vocab),
            Address(head.bias),
            Real(architecture.logit_scale),
            Real(architecture.logit_softcap.unwrap_or(0.0)),
            Address(scratch.logits),
            Address(scratch.best_value),
            Address(scratch.best_index),
        ]);
        let defines = vec![("FORMAT", head.matrix.format.name().to_owned())];
        let pairs = architecture.vocab.div_ceil(2);
        self.push_product("output", "head", defines, pairs, wanted, arguments)?;
        Ok(self)
    }

    /// The next token of every row, from the bests of the head, whose launch comes just before: put where `body` reads it. And
    /// the step to the next position.
    pub(crate) fn chain(mut self) -> Result<Self, Error> {
        let scratch = self.scratch;
        let blocks = self.launches.last().map_or(1, |head| head.grid[0]);
        let mut arguments = vec![Address(scratch.best_value), Address(scratch.best_index)];
        arguments.extend([Count(blocks), count(self.rows), count(CHAIN)]);
        let places = [scratch.tokens, scratch.positions, scratch.steps, scratch.ids];
        arguments.extend(places.map(Address));
        self.push("argmax", "argmax", vec![], [self.rows as u32, 1, 1], THREADS, arguments)?;
        Ok(self)
    }

    pub(crate) fn turns(&self, shape: &Layer) -> [Argument; 3] {
        let turns = shape.rotary.and_then(|index| self.weights.turns.get(index));
        turns.map_or([Address(0), Count(0), Count(0)], |turns| {
            [Address(turns.address), Count(turns.pairs), Count(turns.style)]
        })
    }

    pub(crate) fn cache_define(&self) -> u32 {
        match self.cache.kind {
            KvType::F32 => 1,
            KvType::F16 => 2,
            KvType::Q8_0 => 3,
        }
    }

    /// A kernel of `stage.cuh`, for `pairs` pairs of rows of a matrix and `rows` rows of activations.
    fn push_product(
        &mut self,
        name: &'static str,
        entry: &'static str,
        mut defines: Vec<(&'static str, String)>,
        pairs: usize,
        rows: usize,
        arguments: Vec<Argument>,
    ) -> Result<(), Error> {
        let together = if rows == 1 { 1 } else { ROWS };
        defines.push(("ROWS", together.to_string()));
        self.push_across(
            name,
            entry,
            defines,
            pairs,
            [rows.div_ceil(together) as u32, 1],
            arguments,
        )
    }

    /// A kernel of `stage.cuh` that takes each row of the stream on its own.
    pub(crate) fn push_rows(
        &mut self,
        name: &'static str,
        entry: &'static str,
        defines: Vec<(&'static str, String)>,
        pairs: usize,
        z: u32,
        arguments: Vec<Argument>,
    ) -> Result<(), Error> {
        self.push_across(name, entry, defines, pairs, [self.rows as u32, z], arguments)
    }

    /// As many blocks across as have something to do and are resident at once: each stages its activations for itself, so that
    /// one which waits for another to end would do so twice as late.
    fn push_across(
        &mut self,
        name: &'static str,
        entry: &'static str,
        defines: Vec<(&'static str, String)>,
        pairs: usize,
        [y, z]: [u32; 2],
        arguments: Vec<Argument>,
    ) -> Result<(), Error> {
        let kernel = self.driver.compile(&Unit { entry, defines })?;
        let resident = self.driver.resident(kernel, THREADS)? as usize;
        let across = blocks(pairs, self.driver.gpu().processors, resident) as u32;
        let (grid, threads) = ([across, y, z], THREADS);
        self.launches.push(Launch { kernel, name, grid, threads, arguments });
        Ok(())
    }

    pub(crate) fn push(
        &mut self,
        name: &'static str,
        entry: &'static str,
        defines: Vec<(&'static str, String)>,
        grid: [u32; 3],
        threads: u32,
        arguments: Vec<Argument>,
    ) -> Result<(), Error> {
        let kernel = self.driver.compile(&Unit { entry, defines })?;
        self.launches.push(Launch { kernel, name, grid, threads, arguments });
        Ok(())
    }
}

pub(crate) fn count(n: usize) -> Argument {
    // Plans refuse what does not fit.
    Count(u32::try_from(n).unwrap_or(u32::MAX))
}

pub(crate) fn norm_kind(kind: NormKind) -> u32 {
    match kind {
        NormKind::Rms => 1,
        NormKind::Layer => 2,
    }
}

pub(crate) fn norm_arguments(norm: Norm, weights: NormWeights) -> [Argument; 4] {
    [Address(weights.weight), Address(weights.bias), Real(norm.eps), Count(norm_kind(norm.kind))]
}

pub(crate) fn shape_arguments(shape: &Layer) -> [Argument; 4] {
    [shape.heads, shape.kv_heads, shape.key_dim, shape.value_dim].map(count)
}
