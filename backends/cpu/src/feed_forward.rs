//! The feed-forward block of the forward pass: `down(act(gate(x)) * up(x))`, dense or a mixture of experts.

use std::ops::Range;

use yardstick_api::mutants::Mutant;
use yardstick_model::arch::{Activation, Experts};

use crate::engine::{Engine, Scratch};
use crate::forward::Pass;
use crate::kernels::elementwise::{add_scaled, gelu, gelu_times, silu, silu_times};
use crate::kernels::integer::Panel;
use crate::kernels::{FEW, Input};
use crate::product::Job;
use crate::weights::{FfnWeights, LayerWeights, Mixture, NormWeights};

impl Pass<'_> {
    /// Stream to stream.
    pub(crate) fn feed_forward(&self, layer: usize, weights: &LayerWeights, scratch: &mut Scratch) {
        match &weights.ffn.mixture {
            None => {
                self.inner(weights, scratch);
                self.outer(weights, scratch);
            }
            Some(mixture) => self.experts(layer, weights, mixture, scratch),
        }
    }

    /// First half of a dense block: stream to inner rows.
    pub(crate) fn inner(&self, weights: &LayerWeights, scratch: &mut Scratch) {
        let norm = weights.ffn_norm.as_ref().unwrap_or(&weights.attn_norm);
        let ffn = &weights.ffn;
        let (input, panel) = self.normalised(norm, scratch, ffn.forms());
        self.gate_and_up(ffn, None, self.rows(), input, panel);
    }

    /// Second half: inner rows to stream.
    pub(crate) fn outer(&self, weights: &LayerWeights, scratch: &mut Scratch) {
        let ffn = &weights.ffn;
        let shape = (self.rows(), ffn.width);
        let (input, panel) = self.input(scratch, shape, ffn.down.forms(), |row, out| {
            self.inner_row(row, ffn, out);
        });
        self.block_end(&ffn.down, weights.post_ffn.as_ref(), input, panel);
    }

    /// `act(gate) * up`, or `act(up)`, of `rows` rows into the buffer `gate`; `part` is an expert of so many.
    fn gate_and_up(
        &self,
        ffn: &FfnWeights,
        part: Option<(usize, usize)>,
        rows: usize,
        input: Input<'_>,
        panel: &mut Panel,
    ) {
        let Engine { gate, up, .. } = self.engine;
        let job = |matrix, to| {
            let job = Job::whole(matrix, to);
            part.map_or(job, |(expert, experts)| job.part(expert, experts))
        };
        let width = ffn.width;
        match &ffn.gate {
            Some(matrix) => {
                let jobs = [job(matrix, gate), job(&ffn.up, up)];
                self.products(&[&jobs], input, panel, |_, columns| {
                    self.activate_times(ffn.activation, rows, width, columns);
                });
            }
            None => self.products(&[&[job(&ffn.up, gate)]], input, panel, |_, columns| {
                self.activate(ffn.activation, rows, width, columns);
            }),
        }
    }

    /// `act(gate) * up` in the columns of a task, `rows` rows of `width`.
    fn activate_times(&self, kind: Activation, rows: usize, width: usize, columns: Range<usize>) {
        let Engine { isa, gate, up, .. } = self.engine;
        for row in 0..rows {
            let at = row * width + columns.start..row * width + columns.end;
            // SAFETY: the columns are this task's in both buffers.
            let (gate, up) = unsafe { (gate.write(at.clone()), up.read(at)) };
            match kind {
                Activation::Silu => silu_times(*isa, gate, up),
                Activation::Gelu => gelu_times(*isa, gate, up),
            }
        }
    }

    /// `act(gate)` in the columns of a task.
    fn activate(&self, kind: Activation, rows: usize, width: usize, columns: Range<usize>) {
        let Engine { isa, gate, .. } = self.engine;
        for row in 0..rows {
            let at = row * width + columns.start..row * width + columns.end;
            // SAFETY: the columns are this task's.
            let gate = unsafe { gate.write(at) };
            match kind {
                Activation::Silu => silu(*isa, gate),
                Activation::Gelu => gelu(*isa, gate),
            }
        }
    }

    /// A row of what [`Pass::gate_and_up`] made.
    fn inner_row(&self, row: usize, ffn: &FfnWeights, out: &mut [f32]) {
        // SAFETY: written in an earlier phase.
        out.copy_from_slice(unsafe {
            self.engine.gate.read(row * ffn.width..(row + 1) * ffn.width)
        });
        if self.engine.mutation.is(Mutant::Subscale) {
            out.chunks_mut(256).for_each(drop_subscale);
        }
    }

    /// Every token through its best experts, and through the shared one where there is one.
    fn experts(
        &self,
        layer: usize,
        weights: &LayerWeights,
        mixture: &Mixture,
        scratch: &mut Scratch,
    ) {
        let Engine { scores, mixture: sums, .. } = self.engine;
        let norm = weights.ffn_norm.as_ref().unwrap_or(&weights.attn_norm);
        let Mixture { experts, router, shared } = mixture;
        let (input, panel) = self.normalised(norm, scratch, router.forms());
        self.products(&[&[Job::whole(router, scores)]], input, panel, |_, _| {});
        let choices: Vec<Vec<(usize, f32)>> = (0..self.rows())
            .map(|row| {
                // SAFETY: written in an earlier phase.
                let scores = unsafe { scores.read(row * experts.count..(row + 1) * experts.count) };
                choose(scores, *experts)
            })
            .collect();
        if self.rows() <= FEW {
            self.experts_of_few(layer, &weights.ffn, *experts, norm, &choices, scratch);
        } else {
            self.experts_of_many(layer, &weights.ffn, *experts, norm, &choices, scratch);
        }
        if let Some(shared) = shared {
            let all: Vec<(usize, f32)> = (0..self.rows()).map(|row| (row, 1.0)).collect();
            self.one_expert(shared, None, norm, &all, scratch);
        }
        self.rows_to_stream(sums, weights.post_ffn.as_ref(), true);
    }

    /// Decode: every expert of every row at once, so that small products do not wait for each other.
    fn experts_of_few(
        &self,
        layer: usize,
        ffn: &FfnWeights,
        experts: Experts,
        norm: &NormWeights,
        choices: &[Vec<(usize, f32)>],
        scratch: &mut Scratch,
    ) {
        let Engine { gate, up, product, mixture, sizes, isa, .. } = self.engine;
        let (width, inner) = (sizes.embedding, ffn.width);
        let Some(gates) = &ffn.gate else { return };
        // Row, expert and share, each with a slot of its own in the buffers.
        let pairs: Vec<(usize, usize, f32)> = choices
            .iter()
            .enumerate()
            .flat_map(|(row, chosen)| chosen.iter().map(move |&(e, share)| (row, e, share)))
            .collect();
        if self.member.index == 0 {
            pairs.iter().for_each(|pair| self.engine.touched.note(layer, pair.1));
        }
        let slot = |matrix, to, p: usize, stride: usize, column: usize| {
            let job = Job::whole(matrix, to).part(pairs[p].1, experts.count);
            Job { offset: p * stride, column: Some(column), ..job }
        };
        let jobs: Vec<[Job<'_>; 2]> = (0..pairs.len())
            .map(|p| {
                [(gates, gate), (&ffn.up, up)].map(|(m, to)| slot(m, to, p, inner, pairs[p].0))
            })
            .collect();
        let jobs: Vec<&[Job<'_>]> = jobs.iter().map(|jobs| jobs.as_slice()).collect();
        let (input, panel) = self.normalised(norm, scratch, ffn.forms());
        self.products(&jobs, input, panel, |p, columns| {
            let columns = p * inner + columns.start..p * inner + columns.end;
            self.activate_times(ffn.activation, 1, inner, columns);
        });

        let jobs: Vec<[Job<'_>; 1]> =
            (0..pairs.len()).map(|p| [slot(&ffn.down, product, p, width, p)]).collect();
        let jobs: Vec<&[Job<'_>]> = jobs.iter().map(|jobs| jobs.as_slice()).collect();
        let shape = (pairs.len(), inner);
        let (input, panel) = self.few_rows(scratch, shape, ffn.down.forms(), |p, out| {
            self.inner_row(p, ffn, out);
        });
        self.products(&jobs, input, panel, |_, _| {});
        self.member.share(self.rows(), |row| {
            // SAFETY: the row is this task's, and the products were written in an earlier phase.
            let sum = unsafe { mixture.write(row * width..(row + 1) * width) };
            for (p, &(_, _, share)) in pairs.iter().enumerate().filter(|(_, pair)| pair.0 == row) {
                // SAFETY: as above.
                let product = unsafe { product.read(p * width..(p + 1) * width) };
                add_scaled(*isa, sum, product, share);
            }
        });
    }

    /// Prefill: expert after expert, each over the rows that chose it.
    fn experts_of_many(
        &self,
        layer: usize,
        ffn: &FfnWeights,
        experts: Experts,
        norm: &NormWeights,
        choices: &[Vec<(usize, f32)>],
        scratch: &mut Scratch,
    ) {
        for expert in 0..experts.count {
            let mine: Vec<(usize, f32)> = choices
                .iter()
                .enumerate()
                .filter_map(|(row, chosen)| Some((row, chosen.iter().find(|c| c.0 == expert)?.1)))
                .collect();
            if mine.is_empty() {
                continue;
            }
            if self.member.index == 0 {
                self.engine.touched.note(layer, expert);
            }
            let part = Some((expert, experts.count));
            self.one_expert(ffn, part, norm, &mine, scratch);
        }
    }

    /// Adds an expert's result for the rows `mine`, each with its share, to the mixture.
    fn one_expert(
        &self,
        ffn: &FfnWeights,
        part: Option<(usize, usize)>,
        norm: &NormWeights,
        mine: &[(usize, f32)],
        scratch: &mut Scratch,
    ) {
        let Engine { product, mixture, sizes, .. } = self.engine;
        let width = sizes.embedding;
        let shape = (mine.len(), width);
        let (input, panel) = self.input(scratch, shape, ffn.forms(), |row, out| {
            self.norm_row(mine[row].0, norm, out);
        });
        self.gate_and_up(ffn, part, mine.len(), input, panel);

        let shape = (mine.len(), ffn.width);
        let (input, panel) = self.input(scratch, shape, ffn.down.forms(), |row, out| {
            self.inner_row(row, ffn, out);
        });
        let job = Job::whole(&ffn.down, product);
        let job = part.map_or(job, |(expert, experts)| job.part(expert, experts));
        self.products(&[&[job]], input, panel, |_, columns| {
            for (i, &(row, share)) in mine.iter().enumerate() {
                let to = row * width + columns.start..row * width + columns.end;
                let from = i * width + columns.start..i * width + columns.end;
                // SAFETY: the columns are this task's in both buffers.
                let (sums, product) = unsafe { (mixture.write(to), product.read(from)) };
                sums.iter_mut().zip(product).for_each(|(sum, y)| *sum += share * y);
            }
        });
    }
}

/// Softmax over all experts, the best kept, renormalised where the model does: expert and share;
/// the lower index first among equals.
fn choose(scores: &[f32], experts: Experts) -> Vec<(usize, f32)> {
    let best = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let weights = scores.iter().map(|&score| (score - best).exp());
    let mut ranked: Vec<(usize, f32)> = weights.enumerate().collect();
    let all: f32 = ranked.iter().map(|chosen| chosen.1).sum();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
    ranked.truncate(experts.used);
    let chosen: f32 = ranked.iter().map(|chosen| chosen.1).sum();
    let by = experts.scale / if experts.normalised { chosen } else { all };
    ranked.iter_mut().for_each(|chosen| chosen.1 *= by);
    ranked
}

/// Gives the second 32 values the 8-bit scale of the first.
fn drop_subscale(values: &mut [f32]) {
    let largest = |values: &[f32]| values.iter().fold(0.0_f32, |a, b| a.max(b.abs()));
    if values.len() >= 64 && largest(&values[32..64]) > 0.0 {
        let wrong = largest(&values[..32]) / largest(&values[32..64]);
        values[32..64].iter_mut().for_each(|value| *value *= wrong);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_experts_share_one_and_equals_go_to_the_lower_index() {
        let experts = Experts { count: 4, used: 2, normalised: true, scale: 1.0, shared: None };
        let scores = [0.0, 1.0, 1.0, -1.0];
        let chosen = choose(&scores, experts);
        assert_eq!(chosen.iter().map(|c| c.0).collect::<Vec<_>>(), [1, 2]);
        assert!(chosen.iter().all(|c| (c.1 - 0.5).abs() < 1e-6));
        let raw = choose(&scores, Experts { normalised: false, scale: 2.0, ..experts });
        let total: f32 = scores.iter().map(|s| s.exp()).sum();
        assert!((raw[0].1 - 2.0 * 1.0_f32.exp() / total).abs() < 1e-6, "{raw:?}");
    }
}
