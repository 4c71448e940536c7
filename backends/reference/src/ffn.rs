//! The feed-forward block: `down(silu(gate(x)) * up(x))`, dense or as a mixture of experts.

use yardstick_api::Error;
use yardstick_model::Tensor;

use crate::attention::softmax;
use crate::matmul::matmul;
use crate::memory::zeros;

/// `x` (tokens, embedding) through one gated block: (tokens, embedding).
pub(crate) fn gated(
    threads: usize,
    gate: Tensor<'_>,
    up: Tensor<'_>,
    down: Tensor<'_>,
    x: &[f32],
) -> Result<Vec<f32>, Error> {
    let mut inner = matmul(threads, gate, x)?; // (tokens, width)
    let up = matmul(threads, up, x)?; // (tokens, width)
    for (gate, &up) in inner.iter_mut().zip(&up) {
        *gate = silu(*gate) * up;
    }
    matmul(threads, down, &inner)
}

fn silu(x: f32) -> f32 {
    x / (1.0 + (-x).exp())
}

/// The tensors of a mixture; each holds its experts one after the other.
pub(crate) struct Experts<'a> {
    /// (experts, embedding)
    pub(crate) router: Tensor<'a>,
    /// (experts, width, embedding)
    pub(crate) gate: Tensor<'a>,
    /// (experts, width, embedding)
    pub(crate) up: Tensor<'a>,
    /// (experts, embedding, width)
    pub(crate) down: Tensor<'a>,
    /// Experts stored.
    pub(crate) count: usize,
    /// Experts run per token.
    pub(crate) used: usize,
}

/// `x` (tokens, embedding) through each token's best experts, weighted: (tokens, embedding).
pub(crate) fn mixture(threads: usize, experts: &Experts<'_>, x: &[f32]) -> Result<Vec<f32>, Error> {
    let width = experts.router.cols;
    let scores = matmul(threads, experts.router, x)?; // (tokens, experts)
    let choices: Vec<Vec<(usize, f32)>> =
        scores.chunks_exact(experts.count).map(|scores| choose(scores, experts.used)).collect();
    let mut out = zeros(x.len())?;
    for expert in 0..experts.count {
        // The tokens that chose this expert, together.
        let (tokens, shares): (Vec<usize>, Vec<f32>) = choices
            .iter()
            .enumerate()
            .filter_map(|(t, chosen)| Some((t, chosen.iter().find(|c| c.0 == expert)?.1)))
            .unzip();
        if tokens.is_empty() {
            continue;
        }
        let gathered: Vec<f32> =
            tokens.iter().flat_map(|&t| &x[t * width..(t + 1) * width]).copied().collect();
        let part = |tensor| one_expert(tensor, expert, experts.count);
        let y =
            gated(threads, part(experts.gate), part(experts.up), part(experts.down), &gathered)?;
        for ((&t, &share), y) in tokens.iter().zip(&shares).zip(y.chunks_exact(width)) {
            for (out, &y) in out[t * width..(t + 1) * width].iter_mut().zip(y) {
                *out += share * y;
            }
        }
    }
    Ok(out)
}

/// Softmax over all experts, the best `used` kept and renormalised (Mixtral): expert and share.
fn choose(scores: &[f32], used: usize) -> Vec<(usize, f32)> {
    let mut shares = scores.to_vec();
    softmax(&mut shares);
    let mut ranked: Vec<(usize, f32)> = shares.into_iter().enumerate().collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1)); // stable: the lower index first among equals
    ranked.truncate(used);
    let sum: f32 = ranked.iter().map(|chosen| chosen.1).sum();
    ranked.iter_mut().for_each(|chosen| chosen.1 /= sum);
    ranked
}

fn one_expert(tensor: Tensor<'_>, expert: usize, count: usize) -> Tensor<'_> {
    let rows = tensor.rows / count;
    let bytes = tensor.bytes.len() / count;
    Tensor { rows, bytes: &tensor.bytes[expert * bytes..(expert + 1) * bytes], ..tensor }
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
