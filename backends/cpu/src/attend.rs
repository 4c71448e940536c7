//! The attention block of the forward pass: Q, K and V, norms and rotation of heads, scores, and back to the stream.

use std::ops::Range;

use yardstick_api::Piece;
use yardstick_api::mutants::Mutant;
use yardstick_model::arch::{Layer, QkNorm};

use crate::attention::{self, Head, Partial, attend};
use crate::cuts::{Cut, Cuts};
use crate::engine::{Engine, Scratch};
use crate::forward::Pass;
use crate::kernels::TILE;
use crate::kernels::activations::Forms;
use crate::kernels::elementwise::scale;
use crate::product::Job;
use crate::weights::LayerWeights;

impl Pass<'_> {
    /// Stream to Q, K and V.
    pub(crate) fn queries_keys_values(
        &self,
        weights: &LayerWeights,
        shape: &Layer,
        scratch: &mut Scratch,
    ) {
        let [q, k, v] = shape.qkv_rows();
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
        self.products(&[&jobs[0], &jobs[1], &jobs[2]], input, panel, |_, _| {});
        if let (Some(QkNorm::Whole), Some([q_norm, k_norm])) = (shape.qk_norm, &weights.qk_norm) {
            self.member.share(self.rows(), |row| {
                let at = row * stride;
                // SAFETY: the row is this task's.
                let row = unsafe { self.engine.qkv.write(at..at + q + k) };
                self.norm_here(&mut row[..q], q_norm);
                self.norm_here(&mut row[q..], k_norm);
            });
        }
    }

    /// The norm of one head of queries (0) or keys (1), where each head has one.
    fn norm_head(
        &self,
        which: usize,
        head: usize,
        weights: &LayerWeights,
        shape: &Layer,
        values: &mut [f32],
    ) {
        let Some(norms) = &weights.qk_norm else { return };
        let first = match shape.qk_norm {
            Some(QkNorm::Head) => 0,
            Some(QkNorm::EachHead) => head * shape.key_dim,
            Some(QkNorm::Whole) | None => return,
        };
        self.norm_here(values, &norms[which][first..first + shape.key_dim]);
    }

    /// Rotates and stores keys and values, then every query attends.
    pub(crate) fn attention(
        &self,
        layer: usize,
        weights: &LayerWeights,
        shape: &Layer,
        scratch: &mut Scratch,
    ) {
        let at = Place { layer, weights, shape };
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
                        (0..shape.kv_heads).for_each(|head| self.store(at, piece, row, head));
                    }
                }
            });
        }
        let cuts = Cuts::new(&self.step.pieces, shape, self.member.threads());
        self.member.share(cuts.tasks, |task| {
            let cut = cuts.at(task);
            let piece = &self.step.pieces[cut.piece];
            let rows = cut.tokens.len() * cut.heads.len();
            let seen = self.sees_of(shape, piece, &cut, cut.tokens.start);
            attention::ask_first(self.head_of(at, piece, &cut), rows, seen);
            if single && cut.newest {
                self.store(at, piece, piece.rows.start, cut.head);
            }
            self.attend(at, piece, &cut, &mut scratch.attention);
        });
    }

    /// Normalises and rotates one head's key of a row and stores it with its value.
    fn store(&self, at: Place<'_>, piece: &Piece, row: usize, head: usize) {
        let Engine { mutation, kv, .. } = self.engine;
        let Place { layer, shape, weights } = at;
        let [q, k, v] = shape.qkv_rows();
        let position = piece.position + row - piece.rows.start;
        let key = row * (q + k + v) + q + head * shape.key_dim;
        let value = row * (q + k + v) + q + k + head * shape.value_dim;
        let stale = mutation.is(Mutant::StaleKv)
            && piece.span == 1
            && layer == self.engine.network.layers.len() / 2;
        // SAFETY: this head of this row is this task's.
        let (key, value) = unsafe {
            let value = self.engine.qkv.read(value..value + shape.value_dim);
            (self.engine.qkv.write(key..key + shape.key_dim), value)
        };
        self.norm_head(1, head, weights, shape, key);
        self.turn(shape, row, key);
        // SAFETY: this head of this position is this task's.
        unsafe {
            if !stale {
                kv.layer(layer).put_key(piece.sequence, head, position, key);
            }
            kv.layer(layer).put_value(piece.sequence, head, position, value);
        }
    }

    /// Rotates one head of a row, where the layer turns at all.
    fn turn(&self, shape: &Layer, row: usize, head: &mut [f32]) {
        let Engine { sizes, rotations, mutation, angles, .. } = self.engine;
        let Some(rotation) = shape.rotary.and_then(|i| rotations.get(i)) else { return };
        // SAFETY: the angles were written in an earlier phase.
        let angles = unsafe { angles.read(row * sizes.angles..(row + 1) * sizes.angles) };
        rotation.rotate(angles, head, mutation.is(Mutant::Rotary));
    }

    /// Some tokens of a piece and query heads of one group against the cache, or a part of it.
    fn attend(&self, place: Place<'_>, piece: &Piece, cut: &Cut, scratch: &mut attention::Scratch) {
        let Engine { isa, partials, .. } = self.engine;
        let Place { shape, .. } = place;
        let value_dim = shape.value_dim;
        let at = self.head_of(place, piece, cut);
        let rows = cut.tokens.len() * cut.heads.len();
        self.queries(place, piece, cut, scratch);
        let token = |i: usize| cut.tokens.start + i / cut.heads.len();
        let sees = |i: usize| self.sees_of(shape, piece, cut, token(i));
        // SAFETY: this head's keys and values were stored in an earlier phase, or by this task.
        unsafe { attend(*isa, at, rows, sees, scratch) };
        if cut.parts == 1 {
            for i in 0..rows {
                // SAFETY: this head of this row is this task's.
                let out = unsafe { self.attended(place, piece, cut, i) };
                out.copy_from_slice(scratch.finish(*isa, i, value_dim));
            }
            return;
        }
        let len = attention::ROWS * attention::partial_len(value_dim);
        let slot = |task: usize| task * len..(task + 1) * len;
        // SAFETY: this task's slot.
        Partial(unsafe { partials.write(slot(cut.task)) }).keep(scratch, rows, value_dim);
        if !self.engine.finished.is_last(cut.unit, cut.parts) {
            return;
        }
        let first = cut.task - cut.part;
        for i in 0..rows {
            let row = i * attention::partial_len(value_dim);
            let row = |part: usize| {
                let at = slot(first + part).start + row;
                // SAFETY: every part has been written, and this task was told after all of them.
                unsafe { partials.read(at..at + attention::partial_len(value_dim)) }
            };
            // SAFETY: only the last of the parts writes this head of this row.
            let out = unsafe { self.attended(place, piece, cut, i) };
            attention::merge(*isa, (0..cut.parts).map(row), out);
        }
    }

    /// What a token of a cut sees of its positions.
    fn sees_of(&self, shape: &Layer, piece: &Piece, cut: &Cut, token: usize) -> Range<usize> {
        let all = self.sees(shape, piece, token);
        all.start.max(cut.positions.start)..all.end.min(cut.positions.end)
    }

    /// The head a cut looks at.
    fn head_of(&self, Place { layer, shape, .. }: Place<'_>, piece: &Piece, cut: &Cut) -> Head<'_> {
        Head {
            kv: self.engine.kv.layer(layer),
            sequence: piece.sequence,
            head: cut.head,
            key_dim: shape.key_dim,
            value_dim: shape.value_dim,
            softcap: shape.softcap,
            pairs: self.engine.pairs,
        }
    }

    /// Where the result of row i of a cut goes.
    ///
    /// # Safety
    /// Nobody else reads or writes it meanwhile.
    #[allow(clippy::mut_from_ref, reason = "disjointness is the caller's promise")]
    unsafe fn attended(&self, place: Place<'_>, piece: &Piece, cut: &Cut, i: usize) -> &mut [f32] {
        let Place { shape, .. } = place;
        let row = piece.rows.start + cut.tokens.start + i / cut.heads.len();
        let head = cut.heads.start + i % cut.heads.len();
        let at = (row * shape.heads + head) * shape.value_dim;
        // SAFETY: the caller's.
        unsafe { self.engine.attended.write(at..at + shape.value_dim) }
    }

    /// The queries of a cut, normalised, rotated and scaled, into the scratch.
    fn queries(
        &self,
        place: Place<'_>,
        piece: &Piece,
        cut: &Cut,
        scratch: &mut attention::Scratch,
    ) {
        let Place { weights, shape, .. } = place;
        let (stride, key_dim) = (shape.qkv_rows().iter().sum::<usize>(), shape.key_dim);
        let temperature = self.engine.network.model().architecture().temperature;
        let rows = cut.tokens.clone().flat_map(|t| cut.heads.clone().map(move |head| (t, head)));
        for ((token, head), query) in rows.zip(scratch.queries.chunks_exact_mut(key_dim)) {
            let row = piece.rows.start + token;
            let at = row * stride + head * key_dim;
            // SAFETY: written in an earlier phase.
            query.copy_from_slice(unsafe { self.engine.qkv.read(at..at + key_dim) });
            self.norm_head(0, head, weights, shape, query);
            self.turn(shape, row, query);
            let hotter = temperature.map_or(1.0, |t| t.at(piece.position + token));
            scale(self.engine.isa, query, shape.attention_scale * hotter);
        }
    }

    /// The positions a token of a piece sees, its own last; the mutants miss the oldest, or see one too many.
    fn sees(&self, shape: &Layer, piece: &Piece, token: usize) -> Range<usize> {
        let mutation = self.engine.mutation;
        let newest = piece.position + piece.rows.len();
        let missed = usize::from(mutation.is(Mutant::WindowOldest) && newest > 1);
        let own = piece.position + token + 1;
        let oldest = shape.window.map_or(0, |window| own.saturating_sub(window)) + missed;
        let end = if mutation.is(Mutant::WindowNewest) { (own + 1).min(newest) } else { own };
        // A row with nothing to see would divide by 0: the first position always sees itself.
        oldest.min(own - 1)..end
    }

    /// Attention's result back into the stream.
    pub(crate) fn attention_output(
        &self,
        weights: &LayerWeights,
        shape: &Layer,
        scratch: &mut Scratch,
    ) {
        let width = shape.heads * shape.value_dim;
        let forms = weights.output.forms();
        let (input, panel) = self.input(scratch, (self.rows(), width), forms, |row, out| {
            // SAFETY: written in an earlier phase.
            out.copy_from_slice(unsafe {
                self.engine.attended.read(row * width..(row + 1) * width)
            });
        });
        self.block_end(&weights.output, weights.post_attention.as_ref(), input, panel);
    }
}

/// A layer: its number, weights and shape.
#[derive(Clone, Copy)]
struct Place<'a> {
    layer: usize,
    weights: &'a LayerWeights,
    shape: &'a Layer,
}
