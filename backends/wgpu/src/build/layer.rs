//! The steps of one layer.

use yardstick_api::Error;
use yardstick_api::mutants::Mutant;
use yardstick_model::arch::{Activation, Layer};

use super::Builder;
use super::product::{After, Call};
use crate::planes::{UNIT, units};
use crate::weights::{Block, Network};

/// Every product that adds to the stream is one dispatch, so that it leaves one list of sums of squares.
pub(super) fn foldable(network: &Network) -> bool {
    network.layers.iter().all(|blocks| {
        blocks.output.parts.len() == 1
            && match &blocks.ffn {
                Block::Gated { down, .. } | Block::Plain { down, .. } => down.parts.len() == 1,
                Block::Mixture(_) => false,
            }
    })
}

/// Columns with padding.
pub(super) fn padded(width: usize) -> u32 {
    (units(width) * UNIT) as u32
}

impl Builder<'_> {
    pub(super) fn layer(&mut self, layer: usize) -> Result<(), Error> {
        let shape = &self.architecture.layers[layer];
        let folds = self.folds();
        let tile = self.input_tile(layer);
        if !folds || layer == 0 {
            self.norm("attn_norm", Some(layer), tile)?;
        }
        self.qkv(layer, shape, tile, folds && layer > 0)?;
        let out = self.tile(&self.network.layers[layer].output, true);
        self.place(layer, shape)?;
        self.attend(layer, shape, out)?;
        let output = &self.network.layers[layer].output;
        let bias = self.vector(layer, "attn_output.bias");
        let next = self.vector(layer, "ffn_norm.weight").filter(|_| folds);
        self.back(layer, ["attn_output", "post_attention_norm"], output, bias, next, out)?;
        let mixes = matches!(self.network.layers[layer].ffn, Block::Mixture(_));
        if mixes && shape.parallel {
            // The same norm again, row by row.
            self.norm("attn_norm", Some(layer), 1)?;
        } else if !shape.parallel && !folds {
            self.norm("ffn_norm", Some(layer), if mixes { 1 } else { tile })?;
        }
        self.feed_forward(layer, shape, tile, folds)
    }

    pub(super) fn vector(&self, layer: usize, name: &str) -> Option<u32> {
        self.network.vectors.of_layer(layer, name)
    }

    /// Tokens of a tile of the normed stream: what the feed-forward block, which cannot be cut, takes.
    fn input_tile(&self, layer: usize) -> u32 {
        match &self.network.layers[layer].ffn {
            Block::Gated { both, .. } => self.tile(both, false),
            Block::Plain { up, .. } => self.tile(up, false),
            Block::Mixture(_) if self.single => 1,
            Block::Mixture(_) => 16,
        }
    }

    fn qkv(&mut self, layer: usize, shape: &Layer, tile: u32, folded: bool) -> Result<(), Error> {
        let (network, buffers) = (self.network, self.buffers);
        let rows = shape.qkv_rows();
        // Those of q, k and v lie one behind another, as in the architecture's list.
        let bias = self.vector(layer, "attn_qkv.bias").or(self.vector(layer, "attn_q.bias"));
        for product in &network.layers[layer].qkv {
            let call = Call {
                name: "attn_qkv",
                layer: Some(layer),
                matrix: &product.matrix,
                first: product.first as u32,
                input: &buffers.normed,
                output: &buffers.qkv,
                stride: rows.iter().sum::<usize>() as u32,
                out_tile: 0,
                gated: false,
            };
            self.product(call, After { bias, folded, ..After::default() }, tile)?;
        }
        Ok(())
    }

    /// A block's last product, back into the stream: added, or normalised and then added.
    fn back(
        &mut self,
        layer: usize,
        [name, post]: [&'static str; 2],
        matrix: &crate::matrix::Matrix,
        bias: Option<u32>,
        gain: Option<u32>,
        tile: u32,
    ) -> Result<(), Error> {
        let (buffers, scale) = (self.buffers, self.architecture.residual_scale);
        let normed = self.architecture.layers[layer].post_norms;
        let input = if name == "attn_output" { &buffers.attended } else { &buffers.inner };
        let call = Call {
            name,
            layer: Some(layer),
            matrix,
            first: 0,
            input,
            output: if normed { &buffers.block } else { &buffers.stream },
            stride: self.sizes.embedding as u32,
            out_tile: 0,
            gated: false,
        };
        if !normed {
            let after = After { bias, add: true, scale, gain, ..After::default() };
            return self.product(call, after, tile);
        }
        self.product(call, After { bias, ..After::default() }, tile)?;
        let (block, stream) = (&buffers.block, &buffers.stream);
        self.norm_of(post, Some(layer), block, stream, [1, 0], Some(scale))
    }

    fn feed_forward(
        &mut self,
        layer: usize,
        shape: &Layer,
        tile: u32,
        folds: bool,
    ) -> Result<(), Error> {
        let (buffers, network) = (self.buffers, self.network);
        let (first, down, gated) = match &network.layers[layer].ffn {
            Block::Mixture(mixture) => {
                let experts = shape.ffn.experts.ok_or_else(|| {
                    Error::Device("a mixture without a description of its experts".into())
                })?;
                return self.mixture(layer, shape, experts, mixture);
            }
            Block::Gated { both, down } => (both, down, true),
            Block::Plain { up, down } => (up, down, false),
        };
        let inner_tile = self.tile(down, true);
        let call = Call {
            name: if gated { "ffn_gate_up" } else { "ffn_up" },
            layer: Some(layer),
            matrix: first,
            first: 0,
            input: &buffers.normed,
            output: &buffers.inner,
            stride: padded(shape.ffn.width),
            out_tile: inner_tile,
            gated,
        };
        let up_bias = self.vector(layer, "ffn_up.bias");
        let (bias, bias_up) = match gated {
            // Where both are one tensor its bias has the gate's rows first.
            true if self.vector(layer, "ffn_gate.bias").is_none() && fused(shape) => {
                (up_bias, up_bias.map(|at| at + shape.ffn.width as u32))
            }
            true => (self.vector(layer, "ffn_gate.bias"), up_bias),
            false => (up_bias, None),
        };
        let activation = match shape.ffn.activation {
            Activation::Silu => 1,
            Activation::Gelu => 2,
        };
        let after = After { bias, bias_up, activation, folded: folds, ..After::default() };
        self.product(call, after, tile)?;
        let bias = self.vector(layer, "ffn_down.bias");
        let next = match (layer + 1..self.architecture.layers.len()).find(|&i| !self.skips(i)) {
            Some(next) => self.vector(next, "attn_norm.weight"),
            None => network.vectors.find("output_norm.weight"),
        };
        let gain = next.filter(|_| folds);
        self.back(layer, ["ffn_down", "post_ffw_norm"], down, bias, gain, inner_tile)
    }
}

/// Where a fault is made on purpose.
impl Builder<'_> {
    pub(super) fn skips(&self, layer: usize) -> bool {
        self.gpu.mutation.is(Mutant::SkipLayer) && layer == self.architecture.layers.len() / 2
    }
}

fn fused(shape: &Layer) -> bool {
    shape.ffn.gate == yardstick_model::arch::Gate::Fused
}
