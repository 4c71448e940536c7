//! The steps of a mixture of experts: every token goes its own way, so products run row by row.

use yardstick_api::Error;
use yardstick_model::arch::{Activation, Experts, Layer};

use super::layer::padded;
use super::{Builder, key};
use crate::buffers::all;
use crate::matrix::Matrix;
use crate::program::Grid;
use crate::shaders::Operation;
use crate::weights::Mixture;

/// A product of rows one by one.
struct Each<'a> {
    name: &'static str,
    matrix: &'a Matrix,
    /// Experts stacked in the matrix.
    stacked: usize,
    /// The router's choice names the expert; else there is one.
    chosen: bool,
    input: &'a wgpu::Buffer,
    output: &'a wgpu::Buffer,
    /// Rows of y for each token, and those of them that share a row of x.
    of_token: u32,
    share: u32,
    /// Padded columns of x, elements between rows of y.
    columns: u32,
    stride: u32,
    gated: bool,
    activation: Activation,
}

impl Builder<'_> {
    /// From the stream, normalised row by row, back into the stream.
    pub(super) fn mixture(
        &mut self,
        layer: usize,
        shape: &Layer,
        experts: Experts,
        mixture: &Mixture,
    ) -> Result<(), Error> {
        let buffers = self.buffers;
        let (width, used) = (shape.ffn.width, experts.used as u32);
        let (embedding, activation) = (self.sizes.embedding, shape.ffn.activation);
        let base = Each {
            name: "ffn_gate_inp",
            matrix: &mixture.router,
            stacked: 1,
            chosen: false,
            input: &buffers.normed,
            output: &buffers.scores,
            of_token: 1,
            share: 1,
            columns: padded(embedding),
            stride: experts.count as u32,
            gated: false,
            activation,
        };
        self.each(layer, &base)?;
        self.route(layer, experts)?;
        let both = Each {
            name: "ffn_gate_up_exps",
            matrix: &mixture.both,
            stacked: experts.count,
            chosen: true,
            output: &buffers.inner,
            of_token: used,
            share: used,
            stride: padded(width),
            gated: true,
            ..base
        };
        self.each(layer, &both)?;
        let down = Each {
            name: "ffn_down_exps",
            matrix: &mixture.down,
            input: &buffers.inner,
            output: &buffers.parts,
            share: 1,
            columns: padded(width),
            stride: embedding as u32,
            gated: false,
            ..both
        };
        self.each(layer, &down)?;
        if let (Some([both, down]), Some(width)) = (&mixture.shared, experts.shared) {
            let one = Each { stacked: 1, chosen: false, of_token: 1, share: 1, ..base };
            let (name, stride) = ("ffn_gate_up_shexp", padded(width));
            let up =
                Each { name, matrix: both, output: &buffers.inner, stride, gated: true, ..one };
            self.each(layer, &up)?;
            let down = Each {
                name: "ffn_down_shexp",
                matrix: down,
                input: &buffers.inner,
                output: &buffers.block,
                columns: padded(width),
                stride: embedding as u32,
                gated: false,
                ..up
            };
            self.each(layer, &down)?;
        }
        self.combine(layer, experts)
    }

    fn each(&mut self, layer: usize, each: &Each<'_>) -> Result<(), Error> {
        let (matrix, pairs) = (each.matrix, self.tunings.of(each.matrix.format).pairs);
        let of_pair = if each.gated { 8 } else { 16 };
        let rows = matrix.rows / each.stacked;
        let of_expert = rows.div_ceil(of_pair) as u32;
        for part in &matrix.parts {
            let from = part.first / of_pair as u32;
            let words = [
                matrix.units,
                of_expert,
                from,
                from + part.pairs,
                rows as u32,
                each.stride,
                each.share,
                each.columns,
                u32::from(each.chosen),
                if each.activation == Activation::Silu { 1 } else { 2 },
                part.supers,
            ];
            let [codes, high, scales] = part.bindings();
            let buffers = [each.input, each.output, &self.buffers.choices].map(all);
            let parts = [&[codes, high, scales][..], &buffers].concat();
            let constants = [("PAIRS", pairs), ("GATED", u32::from(each.gated))];
            let key = key(Operation::ProductEach, Some(matrix.format), &constants);
            let grid = Grid::Several(of_expert.div_ceil(pairs), each.of_token);
            self.step(each.name, Some(layer), key, &words, &parts, grid)?;
            let work = rows as u64 * u64::from(matrix.units) * 64 * u64::from(each.of_token);
            // Of one token; which experts several take is not known beforehand.
            let bytes = part.bytes() / each.stacked as u64 * u64::from(each.of_token);
            self.work(work, bytes);
        }
        Ok(())
    }

    fn route(&mut self, layer: usize, experts: Experts) -> Result<(), Error> {
        let words = [
            experts.count as u32,
            experts.used as u32,
            u32::from(experts.normalised),
            experts.scale.to_bits(),
        ];
        let parts = [&self.buffers.scores, &self.buffers.choices].map(all);
        let key = key(Operation::Route, None, &[]);
        self.step("route", Some(layer), key, &words, &parts, Grid::Each)
    }

    fn combine(&mut self, layer: usize, experts: Experts) -> Result<(), Error> {
        let (buffers, width) = (self.buffers, self.sizes.embedding as u32);
        let scale = self.architecture.residual_scale.to_bits();
        let shared = u32::from(experts.shared.is_some());
        let words = [width, experts.used as u32, shared, scale];
        let parts = [&buffers.parts, &buffers.choices, &buffers.block, &buffers.stream].map(all);
        let key = key(Operation::Combine, None, &[]);
        self.step("combine", Some(layer), key, &words, &parts, Grid::Rows(width.div_ceil(64)))
    }
}
