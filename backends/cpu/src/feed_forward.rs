//! The feed-forward block of the forward pass: `down(silu(gate(x)) * up(x))`, dense or a mixture of experts.

use crate::engine::{Engine, Scratch};
use crate::forward::{Job, Pass};
use crate::kernels::elementwise::add;
use crate::mutants::Mutant;
use crate::weights::{FfnWeights, LayerWeights};

impl Pass<'_> {
    /// Stream to stream.
    pub(crate) fn feed_forward(&self, weights: &LayerWeights, scratch: &mut Scratch) {
        match &weights.ffn.router {
            None => self.dense(weights, scratch),
            Some(_) => self.experts(weights, scratch),
        }
    }

    fn dense(&self, weights: &LayerWeights, scratch: &mut Scratch) {
        let Engine { gate, up, product, .. } = self.engine;
        let ffn = &weights.ffn;
        let forms = ffn.gate.forms().and(ffn.up.forms());
        let (input, panel) = self.normalised(&weights.ffn_norm, scratch, forms);
        let jobs = [Job::whole(&ffn.gate, gate), Job::whole(&ffn.up, up)];
        self.products(&[&jobs], input, panel, |_, rows| self.silu(self.rows(), ffn.width, rows));

        let shape = (self.rows(), ffn.width);
        let (input, panel) = self.input(scratch, shape, ffn.down.forms(), |row, out| {
            self.inner_row(row, ffn, out);
        });
        let job = Job::whole(&ffn.down, product);
        self.products(&[&[job]], input, panel, |_, rows| self.add_to_stream(product, rows));
    }

    /// A row of `silu(gate) * up`.
    fn inner_row(&self, row: usize, ffn: &FfnWeights, out: &mut [f32]) {
        // SAFETY: written in an earlier phase.
        out.copy_from_slice(unsafe {
            self.engine.gate.read(row * ffn.width..(row + 1) * ffn.width)
        });
        if self.engine.mutation.is(Mutant::Subscale) {
            out.chunks_mut(256).for_each(drop_subscale);
        }
    }

    /// Softmax over all experts, the best `used` kept and renormalised (Mixtral). Experts run one after the other,
    /// each over the tokens that chose it.
    fn experts(&self, weights: &LayerWeights, scratch: &mut Scratch) {
        let Engine { gate, up, product, mixture, sizes, scores, isa, .. } = self.engine;
        let ffn = &weights.ffn;
        let Some(router) = &ffn.router else { return };
        let (input, panel) = self.normalised(&weights.ffn_norm, scratch, router.forms());
        self.products(&[&[Job::whole(router, scores)]], input, panel, |_, _| {});
        let choices: Vec<Vec<(usize, f32)>> = (0..self.rows())
            .map(|row| {
                // SAFETY: written in an earlier phase.
                choose(unsafe { scores.read(row * ffn.experts..(row + 1) * ffn.experts) }, ffn.used)
            })
            .collect();
        let width = sizes.embedding;
        for e in 0..ffn.experts {
            let mine: Vec<(usize, f32)> = choices
                .iter()
                .enumerate()
                .filter_map(|(row, chosen)| Some((row, chosen.iter().find(|c| c.0 == e)?.1)))
                .collect();
            if mine.is_empty() {
                continue;
            }
            let shape = (mine.len(), width);
            let forms = ffn.gate.forms().and(ffn.up.forms());
            let (input, panel) = self.input(scratch, shape, forms, |row, out| {
                self.norm_row(mine[row].0, &weights.ffn_norm, out);
            });
            let part = |matrix, to| Job::whole(matrix, to).part(e, ffn.experts);
            let jobs = [part(&ffn.gate, gate), part(&ffn.up, up)];
            self.products(&[&jobs], input, panel, |_, rows| self.silu(mine.len(), ffn.width, rows));

            let shape = (mine.len(), ffn.width);
            let (input, panel) = self.input(scratch, shape, ffn.down.forms(), |row, out| {
                self.inner_row(row, ffn, out);
            });
            self.products(&[&[part(&ffn.down, product)]], input, panel, |_, columns| {
                for (i, &(row, share)) in mine.iter().enumerate() {
                    // SAFETY: the columns are this task's in both buffers.
                    unsafe {
                        let to = row * width + columns.start..row * width + columns.end;
                        let from = i * width + columns.start..i * width + columns.end;
                        for (sum, y) in mixture.write(to).iter_mut().zip(product.read(from)) {
                            *sum += share * y;
                        }
                    }
                }
            });
        }
        self.member.share(self.rows(), |row| {
            let at = row * width..(row + 1) * width;
            // SAFETY: the row is this task's in both buffers.
            unsafe {
                let sum = mixture.write(at.clone());
                add(*isa, self.engine.x.write(at), sum);
                sum.fill(0.0);
            }
        });
    }
}

/// Expert and share of the best `used`; the lower index first among equals.
fn choose(scores: &[f32], used: usize) -> Vec<(usize, f32)> {
    let best = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let shares = scores.iter().map(|&score| (score - best).exp());
    let mut ranked: Vec<(usize, f32)> = shares.enumerate().collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
    ranked.truncate(used);
    let sum: f32 = ranked.iter().map(|chosen| chosen.1).sum();
    ranked.iter_mut().for_each(|chosen| chosen.1 /= sum);
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
        let chosen = choose(&[0.0, 1.0, 1.0, -1.0], 2);
        assert_eq!(chosen.iter().map(|c| c.0).collect::<Vec<_>>(), [1, 2]);
        assert!(chosen.iter().all(|c| (c.1 - 0.5).abs() < 1e-6));
    }
}
