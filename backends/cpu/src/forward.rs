//! The forward pass, run by every thread of the crew at once: each phase shares its tasks and ends at a barrier.
//!
//! Why the `unsafe` blocks below are sound: within a phase a task writes only rows, columns or tiles of its own, and
//! what a phase reads was written in an earlier one.

use std::ops::Range;

use yardstick_model::arch::Layer;

use crate::attention::{self, Head, attend};
use crate::buffer::Buffer;
use crate::engine::{Engine, Piece, Scratch, Step, qkv};
use crate::kernels::activations::Forms;
use crate::kernels::elementwise::{add, rms_norm, silu_times};
use crate::kernels::{FEW, Input, Out, TILE, decode, multiply, task_rows};
use crate::kv::value_width;
use crate::mutants::Mutant;
use crate::pool::Member;
use crate::weights::{LayerWeights, Matrix};

/// One thread in one forward pass.
pub(crate) struct Pass<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) step: &'a Step,
    pub(crate) member: &'a Member<'a>,
}

/// A matrix (or the part that is one expert) and the buffer its product goes to, at an offset in each row.
#[derive(Clone, Copy)]
pub(crate) struct Job<'a> {
    pub(crate) matrix: &'a Matrix,
    pub(crate) first_row: usize,
    pub(crate) rows: usize,
    pub(crate) to: &'a Buffer<f32>,
    /// Row length of `to`.
    pub(crate) stride: usize,
    /// Where in it.
    pub(crate) offset: usize,
}

impl<'a> Job<'a> {
    /// All of a matrix, into rows of its own.
    pub(crate) fn whole(matrix: &'a Matrix, to: &'a Buffer<f32>) -> Job<'a> {
        Job { matrix, first_row: 0, rows: matrix.rows, to, stride: matrix.rows, offset: 0 }
    }

    /// The expert'th part of a matrix of experts.
    pub(crate) fn part(self, expert: usize, experts: usize) -> Job<'a> {
        let rows = self.matrix.rows / experts;
        Job { first_row: expert * rows, rows, stride: rows, ..self }
    }
}

impl<'a> Pass<'a> {
    /// Runs the whole pass; every thread of the crew calls it.
    pub(crate) fn run(&self) {
        let scratch = &mut *self.engine.scratch(self.member.index);
        let layers = &self.engine.network.model().architecture().layers;
        self.embed();
        for (i, shape) in layers.iter().enumerate() {
            if i == layers.len() / 2 && self.engine.mutation.is(Mutant::SkipLayer) {
                continue;
            }
            let weights = &self.engine.network.layers[i];
            self.queries_keys_values(weights, shape, scratch);
            self.attention(i, shape, scratch);
            self.attention_output(weights, shape, scratch);
            self.feed_forward(weights, scratch);
        }
        self.head(scratch);
    }

    /// Rows of the chunk.
    pub(crate) fn rows(&self) -> usize {
        self.step.tokens.len()
    }

    /// The tokens' embeddings into the stream, and the angles of their positions.
    fn embed(&self) {
        let Engine { network, sizes, x, angles, .. } = self.engine;
        let table = network.weights(&network.embedding, 0, network.embedding.rows);
        let (width, stride) = (sizes.embedding, network.embedding.row_bytes());
        self.member.share(self.step.pieces.len(), |piece| {
            let piece = &self.step.pieces[piece];
            for (i, row) in piece.rows.clone().enumerate() {
                let token = self.step.tokens[row] as usize;
                let bytes = &table.bytes[token * stride..(token + 1) * stride];
                let further = self.engine.mutation.is(Mutant::Position) && piece.span == 1;
                let position = piece.position + i + usize::from(further);
                // SAFETY: rows of this piece are this task's.
                unsafe {
                    let x = x.write(row * width..(row + 1) * width);
                    decode(self.engine.isa, table.format, bytes, x);
                    let angles = angles.write(row * sizes.angles..(row + 1) * sizes.angles);
                    self.engine.rotation.angles(position, angles);
                }
            }
        });
    }

    /// Makes the input of a product from `count` rows that `fill` writes: few are made by each thread for itself,
    /// many are shared and end at a barrier.
    pub(crate) fn input<'s>(
        &self,
        scratch: &'s mut Scratch,
        (count, cols): (usize, usize),
        forms: Forms,
        fill: impl Fn(usize, &mut [f32]),
    ) -> (Input<'s>, &'s mut crate::kernels::integer::Panel)
    where
        'a: 's,
    {
        let isa = self.engine.isa;
        let Scratch { rows, panel, lines, .. } = scratch;
        if count <= FEW {
            rows.reset(cols);
            for row in 0..count {
                fill(row, &mut lines[..cols]);
                rows.fill(isa, row, &lines[..cols], forms);
            }
            return (Input::Rows(rows, count), panel);
        }
        let tiles = &self.engine.tiles;
        self.member.share(count.div_ceil(TILE), |tile| {
            let columns = (count - tile * TILE).min(TILE);
            for (i, line) in lines.chunks_exact_mut(cols).take(columns).enumerate() {
                fill(tile * TILE + i, line);
            }
            // SAFETY: the tile is this task's.
            unsafe { tiles.fill(isa, tile, &lines[..columns * cols], cols, forms) };
        });
        (Input::Tiles(tiles, count), panel)
    }

    /// Shares a product's rows among the crew. `done` runs after each task with the rows it finished.
    pub(crate) fn products(
        &self,
        jobs: &[&[Job<'_>]],
        input: Input<'_>,
        panel: &mut crate::kernels::integer::Panel,
        done: impl Fn(usize, Range<usize>),
    ) {
        // Each entry of `jobs` is one job, or two of equally many rows done together.
        let few = matches!(input, Input::Rows(..));
        let bytes =
            |jobs: &[Job<'_>]| jobs.iter().map(|j| j.rows * j.matrix.row_bytes()).sum::<usize>();
        let total: usize = jobs.iter().map(|jobs| bytes(jobs)).sum();
        let each = |jobs: &[Job<'_>]| {
            let row = jobs.iter().map(|job| job.matrix.row_bytes()).sum();
            task_rows(row, few, total / self.member.threads())
        };
        let tasks = |jobs: &[Job<'_>]| jobs[0].rows.div_ceil(each(jobs));
        self.member.share(jobs.iter().map(|jobs| tasks(jobs)).sum(), |mut task| {
            for (i, jobs) in jobs.iter().enumerate() {
                let count = tasks(jobs);
                if task >= count {
                    task -= count;
                    continue;
                }
                let first = task * each(jobs);
                let rows = first..(first + each(jobs)).min(jobs[0].rows);
                jobs.iter().for_each(|job| self.product(job, rows.clone(), input, panel));
                done(i, rows);
                break;
            }
        });
    }

    fn product(
        &self,
        job: &Job<'_>,
        rows: Range<usize>,
        input: Input<'_>,
        panel: &mut crate::kernels::integer::Panel,
    ) {
        let weights = self.engine.network.weights(job.matrix, job.first_row, job.rows);
        // SAFETY: the rows are this task's.
        let out = unsafe { Out::new(job.to, job.offset, job.stride) };
        multiply(self.engine.isa, &weights, rows, input, &out, panel);
    }

    /// Stream to Q, K and V, biases added.
    fn queries_keys_values(&self, weights: &LayerWeights, shape: &Layer, scratch: &mut Scratch) {
        let [q, k, v] = qkv(shape);
        let stride = q + k + v;
        let offsets = [0, q, q + k];
        let forms = weights.qkv.iter().fold(Forms::default(), |f, matrix| f.and(matrix.forms()));
        let (input, panel) = self.normalised(&weights.attn_norm, scratch, forms);
        let job = |i: usize| Job {
            stride,
            offset: offsets[i],
            ..Job::whole(&weights.qkv[i], &self.engine.qkv)
        };
        let jobs = [[job(0)], [job(1)], [job(2)]];
        self.products(&[&jobs[0], &jobs[1], &jobs[2]], input, panel, |i, rows| {
            let Some(biases) = &weights.qkv_bias else { return };
            for row in 0..self.rows() {
                let at = row * stride + offsets[i];
                // SAFETY: the columns are this task's.
                let out = unsafe { self.engine.qkv.write(at + rows.start..at + rows.end) };
                add(self.engine.isa, out, &biases[i][rows.clone()]);
            }
        });
    }

    /// The stream, normalised, as input of a product.
    pub(crate) fn normalised<'s>(
        &self,
        norm: &[f32],
        scratch: &'s mut Scratch,
        forms: Forms,
    ) -> (Input<'s>, &'s mut crate::kernels::integer::Panel)
    where
        'a: 's,
    {
        let width = self.engine.sizes.embedding;
        self.input(scratch, (self.rows(), width), forms, |row, out| self.norm_row(row, norm, out))
    }

    /// One row of the stream, normalised.
    pub(crate) fn norm_row(&self, row: usize, norm: &[f32], out: &mut [f32]) {
        let Engine { isa, network, sizes, x, .. } = self.engine;
        let width = sizes.embedding;
        // SAFETY: written in an earlier phase.
        let x = unsafe { x.read(row * width..(row + 1) * width) };
        rms_norm(*isa, x, norm, network.model().architecture().norm_eps, out);
    }

    /// Rotates and stores keys and values, then every query attends.
    fn attention(&self, layer: usize, shape: &Layer, scratch: &mut Scratch) {
        let group = shape.heads / shape.kv_heads;
        // Single tokens: one task stores a head's key and value and attends at once, without a barrier in between.
        let single =
            self.step.pieces.iter().all(|piece| piece.rows.len() == 1) && group <= attention::ROWS;
        if !single {
            self.member.share(self.rows().div_ceil(TILE), |tile| {
                let rows = tile * TILE..((tile + 1) * TILE).min(self.rows());
                for piece in &self.step.pieces {
                    let from = rows.start.max(piece.rows.start);
                    for row in from..rows.end.min(piece.rows.end) {
                        (0..shape.kv_heads).for_each(|h| self.store(layer, shape, piece, row, h));
                    }
                }
            });
        }
        // Tokens of a task, so that its rows fit; a wider group is cut in several.
        let tokens = (attention::ROWS / group).max(1);
        let parts = group.div_ceil(attention::ROWS);
        let tasks = |piece: &Piece| piece.rows.len().div_ceil(tokens) * shape.kv_heads * parts;
        self.member.share(self.step.pieces.iter().map(tasks).sum(), |mut task| {
            for piece in &self.step.pieces {
                let count = tasks(piece);
                if task >= count {
                    task -= count;
                    continue;
                }
                let (part, task) = (task % parts, task / parts);
                let (head, task) = (task % shape.kv_heads, task / shape.kv_heads);
                // The last tokens see most: they go first.
                let from = (piece.rows.len().div_ceil(tokens) - 1 - task) * tokens;
                let rows = from..(from + tokens).min(piece.rows.len());
                if single {
                    self.store(layer, shape, piece, piece.rows.start, head);
                }
                let heads = part * attention::ROWS..((part + 1) * attention::ROWS).min(group);
                self.attend(layer, shape, piece, rows, head, heads, &mut scratch.attention);
                break;
            }
        });
    }

    /// Rotates one head's key of a row and stores it with its value.
    fn store(&self, layer: usize, shape: &Layer, piece: &Piece, row: usize, head: usize) {
        let Engine { sizes, mutation, rotation, kv, .. } = self.engine;
        let [q, k, v] = qkv(shape);
        let position = piece.position + row - piece.rows.start;
        let key = row * (q + k + v) + q + head * shape.key_dim;
        let value = row * (q + k + v) + q + k + head * shape.value_dim;
        let stale = mutation.is(Mutant::StaleKv)
            && piece.span == 1
            && layer == self.engine.network.layers.len() / 2;
        // SAFETY: this head of this row is this task's; the angles were written in an earlier phase.
        unsafe {
            let key = self.engine.qkv.write(key..key + shape.key_dim);
            let value = self.engine.qkv.read(value..value + shape.value_dim);
            let angles = self.engine.angles.read(row * sizes.angles..(row + 1) * sizes.angles);
            rotation.rotate(angles, key, mutation.is(Mutant::Rotary));
            if !stale {
                kv.layer(layer).put_key(piece.sequence, head, position, key);
            }
            kv.layer(layer).put_value(piece.sequence, head, position, value);
        }
    }

    /// `tokens` of a piece and the query `heads` of one group against the cache.
    #[allow(clippy::too_many_arguments, reason = "a task is that many coordinates")]
    fn attend(
        &self,
        layer: usize,
        shape: &Layer,
        piece: &Piece,
        tokens: Range<usize>,
        kv_head: usize,
        heads: Range<usize>,
        scratch: &mut attention::Scratch,
    ) {
        let Engine { isa, sizes, mutation, rotation, kv, .. } = self.engine;
        let stride: usize = qkv(shape).iter().sum();
        let (key_dim, value_dim) = (shape.key_dim, shape.value_dim);
        let first_head = kv_head * (shape.heads / shape.kv_heads) + heads.start;
        let factor = (1.0 / (key_dim as f64).sqrt()) as f32;
        let rows = || tokens.clone().flat_map(|token| heads.clone().map(move |g| (token, g)));
        for (i, (token, g)) in rows().enumerate() {
            let row = piece.rows.start + token;
            let at = row * stride + (first_head + g - heads.start) * key_dim;
            let query = &mut scratch.queries[i * key_dim..(i + 1) * key_dim];
            // SAFETY: written in earlier phases.
            unsafe {
                query.copy_from_slice(self.engine.qkv.read(at..at + key_dim));
                let angles = self.engine.angles.read(row * sizes.angles..(row + 1) * sizes.angles);
                rotation.rotate(angles, query, mutation.is(Mutant::Rotary));
            }
            query.iter_mut().for_each(|q| *q *= factor);
        }
        let at = Head {
            kv: kv.layer(layer),
            sequence: piece.sequence,
            head: kv_head,
            key_dim,
            value_dim,
        };
        let newest = piece.position + piece.rows.len();
        let oldest = usize::from(mutation.is(Mutant::WindowOldest) && newest > 1);
        let end = |i: usize| {
            let own = piece.position + tokens.start + i / heads.len() + 1;
            if mutation.is(Mutant::WindowNewest) { (own + 1).min(newest) } else { own }
        };
        // A row with nothing to see would divide by 0: the first position always sees itself.
        let oldest = if end(0) <= oldest { 0 } else { oldest };
        // SAFETY: this head's keys and values were stored in an earlier phase, or by this task.
        unsafe { attend(*isa, at, rows().count(), oldest, end, scratch) };
        let width = value_width(value_dim);
        for (i, (token, g)) in rows().enumerate() {
            let row = piece.rows.start + token;
            let at = row * shape.heads * value_dim + (first_head + g - heads.start) * value_dim;
            // SAFETY: this head of this row is this task's.
            let out = unsafe { self.engine.attended.write(at..at + value_dim) };
            out.copy_from_slice(&scratch.sums[i * width..i * width + value_dim]);
        }
    }

    /// Attention's result back into the stream.
    fn attention_output(&self, weights: &LayerWeights, shape: &Layer, scratch: &mut Scratch) {
        let width = shape.heads * shape.value_dim;
        let forms = weights.output.forms();
        let (input, panel) = self.input(scratch, (self.rows(), width), forms, |row, out| {
            // SAFETY: written in an earlier phase.
            out.copy_from_slice(unsafe {
                self.engine.attended.read(row * width..(row + 1) * width)
            });
        });
        let product = &self.engine.product;
        let job = Job::whole(&weights.output, product);
        self.products(&[&[job]], input, panel, |_, rows| self.add_to_stream(product, rows));
    }

    /// Adds some columns of a product to the stream.
    pub(crate) fn add_to_stream(&self, product: &Buffer<f32>, columns: Range<usize>) {
        let width = self.engine.sizes.embedding;
        for row in 0..self.rows() {
            let at = row * width + columns.start..row * width + columns.end;
            // SAFETY: the columns are this task's in both buffers.
            unsafe { add(self.engine.isa, self.engine.x.write(at.clone()), product.read(at)) };
        }
    }

    /// Logits of the wanted rows.
    fn head(&self, scratch: &mut Scratch) {
        let Engine { network, sizes, .. } = self.engine;
        let (wanted, head) = (&self.step.wanted, &network.head);
        if wanted.is_empty() {
            return;
        }
        let shape = (wanted.len(), sizes.embedding);
        let (input, panel) = self.input(scratch, shape, head.forms(), |row, out| {
            self.norm_row(wanted[row], &network.output_norm, out);
        });
        let offset = self.step.logits_before * head.rows;
        let job = Job { offset, ..Job::whole(head, &self.engine.logits) };
        self.products(&[&[job]], input, panel, |_, _| {});
    }

    /// `silu(gate) * up` in the columns of a task, `rows` rows of `width`.
    pub(crate) fn silu(&self, rows: usize, width: usize, columns: Range<usize>) {
        for row in 0..rows {
            let at = row * width + columns.start..row * width + columns.end;
            // SAFETY: the columns are this task's in both buffers.
            unsafe {
                let (gate, up) = (self.engine.gate.write(at.clone()), self.engine.up.read(at));
                silu_times(self.engine.isa, gate, up);
            }
        }
    }
}
