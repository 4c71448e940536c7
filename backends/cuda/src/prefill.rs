//! The forward pass of many rows, by tensor cores: the same steps as `forward`, with activations put down in bf16 between
//! them, and attention by tiles of queries.

use yardstick_api::{Error, KvType};
use yardstick_model::arch::{Activation, Layer};

use crate::forward::{HEAD_THREADS, Program, THREADS, count, norm_arguments, shape_arguments};
use crate::machine::Argument::{Address, Count, Real};
use crate::weights::{LayerWeights, NormWeights, Product};

/// Heads up to this width fit the shared memory of `flash`.
const WIDEST_TILED: usize = 160;
/// Rows of a tile of `matmul`.
const TILE_M: usize = 128;

/// What `matmul` makes of its sums.
enum Outcome {
    /// `residual + scale * y`, f32.
    Add { residual: u64, scale: f32, out: u64 },
    /// The inner activations, bf16, of a gate and of this.
    Gated { up: Product, activation: Activation, out: u64 },
    /// The same without a gate.
    Plain { activation: Activation, out: u64 },
}

impl Program<'_> {
    /// As `body`, for more rows.
    pub(crate) fn prefill(mut self, tiles: usize) -> Result<Self, Error> {
        let architecture = self.architecture;
        self.embed()?;
        for (i, shape) in architecture.layers.iter().enumerate() {
            let weights = &self.weights.layers[i];
            let [before, after] = self.scratch.x;
            let (x_half, h_half, embedding) =
                (self.scratch.x_half, self.scratch.h_half, architecture.embedding);

            // Queries, keys and values of the normalised stream; what they attend to; back into the stream
            self.halve("attn_norm", before, embedding, Some(weights.attn_norm), x_half)?;
            let names = ["attn_q", "attn_k", "attn_v"];
            let outs = [self.scratch.q, self.scratch.k, self.scratch.v];
            for ((name, product), out) in names.into_iter().zip(&weights.qkv).zip(outs) {
                let outcome = Outcome::Add { residual: 0, scale: 1.0, out };
                self.matmul(name, x_half, product, outcome)?;
            }
            let turns = self.turns(shape);
            self.rotate(i, shape, weights, turns)?;
            self.attend_many(i, shape, tiles)?;
            let post = weights.post.map(|post| post[0]);
            self.add_many("attn_output", &weights.output, h_half, before, after, post)?;

            // The feed-forward block, of the same stream where both blocks run side by side; experts row by row
            if let Some(experts) = &weights.experts {
                let own = weights.ffn_norm.map(|norm| (after, norm));
                let (source, norm) = own.unwrap_or((before, weights.attn_norm));
                let post = weights.post.map(|post| post[1]);
                self.mixture(shape, weights, experts, source, norm, post)?;
                continue;
            }
            if let Some(norm) = weights.ffn_norm {
                self.halve("ffn_norm", after, embedding, Some(norm), x_half)?;
            }
            self.gate_up_many(shape, weights)?;
            let post = weights.post.map(|post| post[1]);
            self.add_many("ffn_down", &weights.down, h_half, after, before, post)?;
        }
        Ok(self)
    }

    /// Rows in bf16, normalised where a norm is given, filled up with zeros to whole units.
    fn halve(
        &mut self,
        name: &'static str,
        x: u64,
        cols: usize,
        norm: Option<NormWeights>,
        out: u64,
    ) -> Result<(), Error> {
        let mut arguments = vec![Address(x), count(cols)];
        arguments.extend(match norm {
            Some(weights) => norm_arguments(self.architecture.norm, weights),
            None => [Address(0), Address(0), Real(0.0), Count(0)],
        });
        let padded = cols.next_multiple_of(32);
        arguments.extend([Address(0), Real(1.0), Address(out), count(padded)]);
        let defines = vec![("BITS", "16".to_owned())];
        self.push(name, "normalise", defines, [1, self.rows as u32, 1], THREADS, arguments)
    }

    fn attend_many(&mut self, layer: usize, shape: &Layer, tiles: usize) -> Result<(), Error> {
        let cols = shape.heads * shape.value_dim;
        let tiled = shape.key_dim.max(shape.value_dim) <= WIDEST_TILED
            && self.cache.kind != KvType::F32
            && cols.is_multiple_of(32);
        if !tiled {
            self.attend(layer, shape)?;
            return self.halve("attention", self.scratch.attended, cols, None, self.scratch.h_half);
        }
        let scratch = self.scratch;
        let [keys, values] = self.cache.layer(layer);
        let mut arguments =
            [scratch.q, keys, values, scratch.tiles, scratch.positions, scratch.sequences]
                .map(Address)
                .to_vec();
        let lengths = &self.cache.lengths;
        arguments.extend([count(lengths.context()), count(lengths.sequences())]);
        arguments.extend(shape_arguments(shape));
        arguments.extend([
            count(shape.window.unwrap_or(0).min(u32::MAX as usize)),
            Real(shape.attention_scale),
            Real(shape.softcap.unwrap_or(0.0)),
            Address(scratch.h_half),
            count(cols),
        ]);
        let defines = vec![
            ("CACHE", self.cache_define().to_string()),
            ("DIM_K", shape.key_dim.next_multiple_of(16).to_string()),
            ("DIM_V", shape.value_dim.next_multiple_of(16).to_string()),
        ];
        let grid = [tiles as u32, shape.heads as u32, 1];
        self.push("attention", "flash", defines, grid, HEAD_THREADS, arguments)
    }

    fn gate_up_many(&mut self, shape: &Layer, weights: &LayerWeights) -> Result<(), Error> {
        let (up, activation, out) = (weights.up, shape.ffn.activation, self.scratch.h_half);
        let x = self.scratch.x_half;
        match &weights.gate {
            Some(gate) => {
                self.matmul("ffn_gate_up", x, gate, Outcome::Gated { up, activation, out })
            }
            None => self.matmul("ffn_up", x, &up, Outcome::Plain { activation, out }),
        }
    }

    /// `after = before + residual_scale * [norm](W x + bias)`.
    fn add_many(
        &mut self,
        name: &'static str,
        product: &Product,
        x: u64,
        before: u64,
        after: u64,
        post: Option<NormWeights>,
    ) -> Result<(), Error> {
        let scale = self.architecture.residual_scale;
        let Some(weights) = post else {
            return self.matmul(
                name,
                x,
                product,
                Outcome::Add { residual: before, scale, out: after },
            );
        };
        let (y, cols) = (self.scratch.y, self.architecture.embedding);
        self.matmul(name, x, product, Outcome::Add { residual: 0, scale: 1.0, out: y })?;
        self.normalise("post_norm", y, cols, weights, before, scale, after)
    }

    fn matmul(
        &mut self,
        name: &'static str,
        x: u64,
        product: &Product,
        outcome: Outcome,
    ) -> Result<(), Error> {
        let matrix = product.matrix;
        let padded = matrix.rows.next_multiple_of(32);
        let (mode, columns) = match outcome {
            Outcome::Add { .. } => (0, matrix.rows),
            Outcome::Gated { .. } => (1, 2 * padded),
            Outcome::Plain { .. } => (2, padded),
        };
        let (residual, scale, out) = match outcome {
            Outcome::Add { residual, scale, out } => (residual, scale, out),
            Outcome::Gated { out, .. } | Outcome::Plain { out, .. } => (0, 1.0, out),
        };
        let (up, activation) = match outcome {
            Outcome::Add { .. } => (*product, Activation::Silu),
            Outcome::Plain { activation, .. } => (*product, activation),
            Outcome::Gated { up, activation, .. } => (up, activation),
        };
        let arguments = vec![
            Address(x),
            count(matrix.cols),
            count(self.rows),
            Address(matrix.address),
            Address(up.matrix.address),
            count(matrix.rows),
            Address(product.bias),
            Address(up.bias),
            Address(residual),
            Real(scale),
            Count(u32::from(activation == Activation::Gelu)),
            Address(out),
            count(padded),
        ];
        // Wide tiles read less, narrow ones keep more processors busy.
        let down = self.rows.div_ceil(TILE_M);
        let wide = columns.div_ceil(128) * down >= self.driver.gpu().processors as usize;
        let tile = if wide { 128 } else { 64 };
        let defines = vec![
            ("FORMAT", matrix.format.name().to_owned()),
            ("FORMAT_UP", up.matrix.format.name().to_owned()),
            ("MODE", mode.to_string()),
            ("TILE_N", tile.to_string()),
        ];
        let grid = [columns.div_ceil(tile) as u32, down as u32, 1];
        self.push(name, "matmul", defines, grid, THREADS, arguments)
    }
}
