//! The feed-forward block: `down(act(gate(x)) * up(x))`, dense or as a mixture of experts.

use std::sync::atomic::{AtomicU64, Ordering};

use yardstick_api::Error;
use yardstick_model::arch::{Activation, Experts, Ffn, Gate};

use crate::attention::softmax;
use crate::matmul::matmul;
use crate::memory::zeros;
use crate::weights::{Weights, part};

/// Which of a layer's experts ran since the cache was last empty: one bit an expert, 64 a word.
pub(crate) type Touched = Vec<AtomicU64>;

/// `x` (tokens, embedding) through the block: (tokens, embedding).
pub(crate) fn feed_forward(
    weights: &Weights,
    layer: usize,
    touched: &Touched,
    x: &[f32],
) -> Result<Vec<f32>, Error> {
    let ffn = &weights.architecture().layers[layer].ffn;
    match ffn.experts {
        None => dense(weights, layer, ffn, x),
        Some(experts) => mixture(weights, layer, experts, ffn.activation, touched, x),
    }
}

fn dense(weights: &Weights, layer: usize, ffn: &Ffn, x: &[f32]) -> Result<Vec<f32>, Error> {
    let width = ffn.width;
    // (tokens, width)
    let (gate, up) = match ffn.gate {
        Gate::None => (None, weights.product(layer, "ffn_up", x)?),
        Gate::Separate => {
            (Some(weights.product(layer, "ffn_gate", x)?), weights.product(layer, "ffn_up", x)?)
        }
        Gate::Fused => (
            Some(weights.product_of_rows(layer, "ffn_up", 0..width, x)?),
            weights.product_of_rows(layer, "ffn_up", width..2 * width, x)?,
        ),
    };
    weights.product(layer, "ffn_down", &inner(ffn.activation, gate, up))
}

/// `act(gate) * up`, or `act(up)` without a gate.
fn inner(activation: Activation, gate: Option<Vec<f32>>, mut up: Vec<f32>) -> Vec<f32> {
    match gate {
        None => up.iter_mut().for_each(|x| *x = activate(activation, *x)),
        Some(gate) => {
            up.iter_mut().zip(gate).for_each(|(x, gate)| *x *= activate(activation, gate));
        }
    }
    up
}

fn activate(activation: Activation, x: f32) -> f32 {
    match activation {
        Activation::Silu => x / (1.0 + (-x).exp()),
        Activation::Gelu => {
            let root = (2.0 / std::f32::consts::PI).sqrt();
            0.5 * x * (1.0 + (root * x * (1.0 + 0.044_715 * x * x)).tanh())
        }
    }
}

/// Each token through its best experts, weighted, and through the shared one where there is one.
fn mixture(
    weights: &Weights,
    layer: usize,
    experts: Experts,
    activation: Activation,
    touched: &Touched,
    x: &[f32],
) -> Result<Vec<f32>, Error> {
    let width = weights.architecture().embedding;
    let scores = weights.product(layer, "ffn_gate_inp", x)?; // (tokens, experts)
    let choices: Vec<Vec<(usize, f32)>> =
        scores.chunks_exact(experts.count).map(|scores| choose(scores, experts)).collect();
    let mut out = match experts.shared {
        Some(_) => {
            let gate = weights.product(layer, "ffn_gate_shexp", x)?;
            let up = weights.product(layer, "ffn_up_shexp", x)?;
            weights.product(layer, "ffn_down_shexp", &inner(activation, Some(gate), up))?
        }
        None => zeros(x.len())?,
    };
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
        touched[expert / 64].fetch_or(1 << (expert % 64), Ordering::Relaxed);
        let gathered: Vec<f32> =
            tokens.iter().flat_map(|&t| &x[t * width..(t + 1) * width]).copied().collect();
        let y = one_expert(weights, layer, expert, experts.count, activation, &gathered)?;
        for ((&t, &share), y) in tokens.iter().zip(&shares).zip(y.chunks_exact(width)) {
            for (out, &y) in out[t * width..(t + 1) * width].iter_mut().zip(y) {
                *out += share * y;
            }
        }
    }
    Ok(out)
}

/// `x` (tokens, embedding) through one expert: (tokens, embedding).
fn one_expert(
    weights: &Weights,
    layer: usize,
    expert: usize,
    count: usize,
    activation: Activation,
    x: &[f32],
) -> Result<Vec<f32>, Error> {
    let product = |name: &str, x: &[f32]| {
        weights.observe(layer, name, (expert, count), x);
        let tensor = weights.matrix(layer, name)?;
        let rows = tensor.rows / count;
        matmul(weights.threads, part(tensor, expert * rows..(expert + 1) * rows), weights.anew, x)
    };
    let (gate, up) = (product("ffn_gate_exps", x)?, product("ffn_up_exps", x)?);
    product("ffn_down_exps", &inner(activation, Some(gate), up))
}

/// Softmax over all experts, the best kept, renormalised where the model does: expert and share.
fn choose(scores: &[f32], experts: Experts) -> Vec<(usize, f32)> {
    let mut shares = scores.to_vec();
    softmax(&mut shares);
    let mut ranked: Vec<(usize, f32)> = shares.into_iter().enumerate().collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1)); // stable: the lower index first among equals
    ranked.truncate(experts.used);
    let sum: f32 = ranked.iter().map(|chosen| chosen.1).sum();
    let divisor = if experts.normalised { sum } else { 1.0 };
    ranked.iter_mut().for_each(|chosen| chosen.1 *= experts.scale / divisor);
    ranked
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

    #[test]
    fn gelu_is_the_tanh_formula() {
        for (x, y) in [(0.0, 0.0), (1.0, 0.841_192), (-1.0, -0.158_808), (3.0, 2.996_363)] {
            assert!((activate(Activation::Gelu, x) - y).abs() < 1e-5, "{x}");
        }
    }
}
