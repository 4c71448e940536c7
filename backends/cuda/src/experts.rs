//! The feed-forward block as a mixture of experts: a router chooses for every row, chosen experts run side by side, and their
//! outputs are added by their shares.

use yardstick_api::Error;
use yardstick_model::arch::Layer;

use crate::forward::{Program, THREADS, count, norm_arguments};
use crate::machine::Argument::{Address, Count, Real};
use crate::weights::{ExpertWeights, LayerWeights, NormWeights};

impl Program<'_> {
    /// From the stream `source` to the stream before the next layer.
    pub(crate) fn mixture(
        &mut self,
        shape: &Layer,
        weights: &LayerWeights,
        extra: &ExpertWeights,
        source: u64,
        norm: NormWeights,
        post: Option<NormWeights>,
    ) -> Result<(), Error> {
        let Some(experts) = shape.ffn.experts else { return Ok(()) };
        let [next, stream] = self.scratch.x;
        let scale = self.architecture.residual_scale;
        // Where the block's sum goes, and what it is added to.
        let (mut residual, factor, out) = match post {
            None => (stream, scale, next),
            Some(_) => (0, 1.0, self.scratch.y),
        };
        // `add` scales and takes the stream itself; a norm behind comes only after all of it.
        if let Some([gate, up, down]) = &extra.shared {
            self.gate_up(shape, (Some(gate), up), source, norm, None)?;
            let (h, width) = (self.scratch.h, up.matrix.rows);
            self.project("ffn_down_shexp", down, h, width, residual, factor, out)?;
            residual = out;
        }

        let scratch = self.scratch;
        let mut arguments = vec![Address(source), count(extra.router.cols), count(self.rows)];
        arguments.extend(norm_arguments(self.architecture.norm, norm));
        arguments.extend([
            Address(extra.router.address),
            count(experts.count),
            count(experts.used),
        ]);
        arguments.extend([Count(u32::from(experts.normalised)), Real(experts.scale)]);
        arguments.extend([scratch.scores, scratch.choice, scratch.share].map(Address));
        let defines = vec![("FORMAT", extra.router.format.name().to_owned())];
        let grid = [1, self.rows as u32, 1];
        self.push("ffn_gate_inp", "route", defines, grid, THREADS, arguments)?;

        self.gate_up(shape, (weights.gate.as_ref(), &weights.up), source, norm, Some(experts))?;

        let down = weights.down.matrix;
        let outs = down.rows / experts.count;
        let mut arguments = vec![Address(scratch.h), count(down.cols), count(self.rows)];
        arguments.extend([Address(down.address), count(outs), count(experts.count)]);
        arguments.extend([count(experts.used), Address(scratch.choice), Address(scratch.share)]);
        arguments.extend([Address(residual), Real(factor), Address(out)]);
        let defines = vec![("FORMAT", down.format.name().to_owned())];
        self.push_rows("ffn_down_exps", "mix", defines, outs.div_ceil(2), 1, arguments)?;

        match post {
            None => Ok(()),
            Some(weights) => {
                let cols = self.architecture.embedding;
                self.normalise("post_norm", out, cols, weights, stream, scale, next)
            }
        }
    }
}
