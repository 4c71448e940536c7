//! A mixture of experts, as candle's models run it: tokens gathered by expert, each expert once.

use candle_core::{Device, Result, Tensor};

use crate::weights::{Experts, Gated};

impl Gated {
    /// `down(silu(gate(x)) * up(x))`: (tokens, embedding) to the same.
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let gate = self.gate.forward(x)?;
        let up = self.up.forward(x)?;
        self.down.forward(&(gate.silu()? * up)?)
    }
}

impl Experts {
    /// (tokens, embedding) to the same.
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let shares = candle_nn::ops::softmax_last_dim(&self.router.forward(x)?)?;
        let chosen: Vec<Vec<(usize, f32)>> =
            shares.to_vec2::<f32>()?.iter().map(|shares| choose(shares, self.used)).collect();
        let mut out = x.zeros_like()?;
        for (i, expert) in self.experts.iter().enumerate() {
            let (tokens, shares) = tokens_of(i, &chosen);
            if tokens.is_empty() {
                continue;
            }
            let count = tokens.len();
            let tokens = Tensor::from_vec(tokens, count, &Device::Cpu)?;
            let shares = Tensor::from_vec(shares, (count, 1), &Device::Cpu)?;
            let y = expert.forward(&x.index_select(&tokens, 0)?)?.broadcast_mul(&shares)?;
            out = out.index_add(&tokens, &y, 0)?;
        }
        Ok(out)
    }
}

/// The tokens that chose an expert, and the share each gives it.
fn tokens_of(expert: usize, chosen: &[Vec<(usize, f32)>]) -> (Vec<u32>, Vec<f32>) {
    let tokens = chosen.iter().enumerate().filter_map(|(token, chosen)| {
        let (_, share) = chosen.iter().find(|(of, _)| *of == expert)?;
        Some((token as u32, *share))
    });
    tokens.unzip()
}

/// The best `used` experts of a token, the lower index first among equals, their shares summing to 1 (Mixtral).
fn choose(shares: &[f32], used: usize) -> Vec<(usize, f32)> {
    let mut ranked: Vec<(usize, f32)> = shares.iter().copied().enumerate().collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
    ranked.truncate(used);
    let sum: f32 = ranked.iter().map(|(_, share)| share).sum();
    ranked.iter_mut().for_each(|(_, share)| *share /= sum);
    ranked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_experts_share_one_and_equals_go_to_the_lower_index() {
        let chosen = choose(&[0.1, 0.4, 0.4, 0.1], 2);
        assert_eq!(chosen.iter().map(|c| c.0).collect::<Vec<_>>(), [1, 2]);
        assert!(chosen.iter().all(|c| (c.1 - 0.5).abs() < 1e-6));
        assert_eq!(tokens_of(2, &[chosen, vec![(0, 1.0)]]), (vec![0], vec![0.5]));
    }
}
