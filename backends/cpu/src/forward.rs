//! The forward pass, run by every thread of the crew at once: each phase shares its tasks and ends at a barrier.
//!
//! Why the `unsafe` blocks below and in the other parts of [`Pass`] are sound: within a phase a task writes only rows,
//! columns or tiles of its own, and what a phase reads was written in an earlier one.

use std::ops::Range;

use yardstick_api::Step;
use yardstick_api::mutants::Mutant;
use yardstick_model::arch::NormKind;

use crate::buffer::Buffer;
use crate::engine::{Engine, Scratch};
use crate::kernels::decode;
use crate::kernels::elementwise::{
    add, add_scaled, layer_norm, norm_in_place, rms_norm, scale, soft_cap,
};
use crate::pool::Member;
use crate::product::Job;
use crate::profile::Work;
use crate::weights::{Matrix, NormWeights};

/// One thread in one forward pass.
pub(crate) struct Pass<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) step: &'a Step,
    pub(crate) member: &'a Member<'a>,
}

impl Pass<'_> {
    /// Runs the whole pass; every thread of the crew calls it.
    pub(crate) fn run(&self) {
        let scratch = &mut *self.engine.scratch(self.member.index);
        let layers = &self.engine.network.model().architecture().layers;
        self.begin();
        self.embed();
        self.end("token_embd", None, || self.embedding_work());
        for (i, shape) in layers.iter().enumerate() {
            if i == layers.len() / 2 && self.engine.mutation.is(Mutant::SkipLayer) {
                continue;
            }
            let (weights, layer) = (&self.engine.network.layers[i], Some(i));
            self.queries_keys_values(weights, shape, scratch);
            self.end("attn_qkv", layer, || self.product_work(weights.qkv.iter()));
            if shape.parallel {
                // Reads the stream, so it goes before attention changes that.
                self.inner(weights, scratch);
                self.end("ffn_gate_up", layer, || self.inner_work(weights));
            }
            self.attention(i, weights, shape, scratch);
            self.end("attention", layer, || self.attention_work(shape));
            self.attention_output(weights, shape, scratch);
            self.end("attn_output", layer, || self.product_work([&weights.output]));
            if weights.ffn.mixture.is_some() {
                self.feed_forward(i, weights, scratch);
                self.end("ffn_experts", layer, Work::untold);
                continue;
            }
            if !shape.parallel {
                self.inner(weights, scratch);
                self.end("ffn_gate_up", layer, || self.inner_work(weights));
            }
            self.outer(weights, scratch);
            self.end("ffn_down", layer, || self.product_work([&weights.ffn.down]));
        }
        self.head(scratch);
        self.end("output", None, || self.head_work());
    }

    /// Rows of the chunk.
    pub(crate) fn rows(&self) -> usize {
        self.step.tokens.len()
    }

    /// The tokens' embeddings into the stream, and the angles of their positions.
    fn embed(&self) {
        let Engine { isa, network, sizes, x, angles, rotations, .. } = self.engine;
        let (width, by) = (sizes.embedding, network.model().architecture().embedding_scale);
        self.member.share(self.step.pieces.len(), |piece| {
            let piece = &self.step.pieces[piece];
            let mut place = network.positions.as_ref().map(|_| vec![0.0; width]);
            for (i, row) in piece.rows.clone().enumerate() {
                let token = self.step.tokens[row] as usize;
                let further = self.engine.mutation.is(Mutant::Position) && piece.span == 1;
                let position = piece.position + i + usize::from(further);
                // SAFETY: rows of this piece are this task's.
                let (x, angles) = unsafe {
                    let angles = angles.write(row * sizes.angles..(row + 1) * sizes.angles);
                    (x.write(row * width..(row + 1) * width), angles)
                };
                self.table_row(&network.embedding, token, x);
                if by != 1.0 {
                    scale(*isa, x, by);
                }
                if let (Some(table), Some(place)) = (&network.positions, &mut place) {
                    self.table_row(table, position.min(table.rows - 1), place);
                    add(*isa, x, place);
                }
                rotations.iter().for_each(|rotation| rotation.angles(position, angles));
            }
        });
    }

    /// A row of a table.
    fn table_row(&self, table: &Matrix, row: usize, out: &mut [f32]) {
        let (format, bytes) = self.engine.network.row(table, row);
        decode(self.engine.isa, format, bytes, out);
    }

    /// One row of the stream, normalised.
    pub(crate) fn norm_row(&self, row: usize, norm: &NormWeights, out: &mut [f32]) {
        let Engine { isa, network, sizes, x, .. } = self.engine;
        let width = sizes.embedding;
        // SAFETY: written in an earlier phase.
        let x = unsafe { x.read(row * width..(row + 1) * width) };
        let formula = network.model().architecture().norm;
        match formula.kind {
            NormKind::Rms => rms_norm(*isa, x, &norm.weight, formula.eps, out),
            NormKind::Layer => {
                layer_norm(*isa, x, &norm.weight, &norm.bias, formula.eps, out);
            }
        }
    }

    /// Some values normalised where they are, without bias.
    pub(crate) fn norm_here(&self, values: &mut [f32], weight: &[f32]) {
        let formula = self.engine.network.model().architecture().norm;
        let centred = formula.kind == NormKind::Layer;
        norm_in_place(self.engine.isa, values, weight, centred, formula.eps);
    }

    /// Adds a block's result, the rows of `sum`, to the stream in whole rows, normalised first where the model does;
    /// with `empty` it is zero afterwards.
    pub(crate) fn rows_to_stream(
        &self,
        sum: &Buffer<f32>,
        norm: Option<&NormWeights>,
        empty: bool,
    ) {
        let width = self.engine.sizes.embedding;
        self.member.share(self.rows(), |row| {
            let at = row * width..(row + 1) * width;
            // SAFETY: the row is this task's in both buffers.
            let (x, sum) = unsafe { (self.engine.x.write(at.clone()), sum.write(at)) };
            if let Some(norm) = norm {
                self.norm_here(sum, &norm.weight);
                if !norm.bias.is_empty() {
                    add(self.engine.isa, sum, &norm.bias);
                }
            }
            self.add_block(x, sum);
            if empty {
                sum.fill(0.0);
            }
        });
    }

    /// A block's last product, into the stream.
    pub(crate) fn block_end(
        &self,
        matrix: &Matrix,
        norm: Option<&NormWeights>,
        input: crate::kernels::Input<'_>,
        panel: &mut crate::kernels::integer::Panel,
    ) {
        let product = &self.engine.product;
        let job = Job::whole(matrix, product);
        if norm.is_none() {
            return self
                .products(&[&[job]], input, panel, |_, rows| self.add_to_stream(product, rows));
        }
        self.products(&[&[job]], input, panel, |_, _| {});
        self.rows_to_stream(product, norm, false);
    }

    /// Adds some columns of a product to the stream.
    fn add_to_stream(&self, product: &Buffer<f32>, columns: Range<usize>) {
        let width = self.engine.sizes.embedding;
        for row in 0..self.rows() {
            let at = row * width + columns.start..row * width + columns.end;
            // SAFETY: the columns are this task's in both buffers.
            unsafe { self.add_block(self.engine.x.write(at.clone()), product.read(at)) };
        }
    }

    fn add_block(&self, x: &mut [f32], y: &[f32]) {
        match self.engine.network.model().architecture().residual_scale {
            1.0 => add(self.engine.isa, x, y),
            by => add_scaled(self.engine.isa, x, y, by),
        }
    }

    /// Logits of the wanted rows.
    fn head(&self, scratch: &mut Scratch) {
        let Engine { network, sizes, logits, .. } = self.engine;
        let (wanted, head) = (&self.step.wanted, &network.head);
        if wanted.is_empty() {
            return;
        }
        let shape = (wanted.len(), sizes.embedding);
        let (input, panel) = self.input(scratch, shape, head.forms(), |row, out| {
            self.norm_row(wanted[row], &network.output_norm, out);
        });
        let offset = self.step.logits_before * head.rows;
        let job = Job { offset, ..Job::whole(head, logits) };
        let architecture = network.model().architecture();
        let (by, cap) = (architecture.logit_scale, architecture.logit_softcap);
        self.products(&[&[job]], input, panel, |_, columns| {
            if by == 1.0 && cap.is_none() {
                return;
            }
            for row in 0..wanted.len() {
                let at = offset + row * head.rows;
                // SAFETY: the columns are this task's.
                let logits = unsafe { logits.write(at + columns.start..at + columns.end) };
                scale(self.engine.isa, logits, by);
                if let Some(cap) = cap {
                    soft_cap(self.engine.isa, logits, cap);
                }
            }
        });
    }
}
