//! Multiplications and additions a token takes: what a prefill speed is multiplied with to be held against a peak.

use super::Model;
use crate::gguf::TensorInfo;

impl Model {
    /// Operations per token, on average over `tokens` computed together at context depth `depth`, of one sequence. Counted are
    /// a multiplication and an addition for
    ///
    /// * every weight of the layers' matrices, of experts only those used,
    /// * every weight of the head, once for all tokens (only the last row's logits are computed),
    /// * every element of the keys and of the values a token attends to: depth + (tokens + 1) / 2 positions on average.
    ///
    /// Embedding rows, norms, rotary embedding and softmax are not counted.
    pub fn operations_per_token(&self, tokens: usize, depth: usize) -> f64 {
        let architecture = self.architecture();
        let layers: f64 = self.gguf().tensors().iter().map(|tensor| self.used(tensor)).sum();
        let head = (architecture.vocab * architecture.embedding) as f64 / tokens.max(1) as f64;
        let positions = depth as f64 + (tokens as f64 + 1.0) / 2.0;
        let attention: f64 = architecture
            .layers
            .iter()
            .map(|layer| (layer.heads * (layer.key_dim + layer.value_dim)) as f64 * positions)
            .sum();
        2.0 * (layers + head + attention)
    }

    /// Weights of a tensor that one token is multiplied with.
    fn used(&self, tensor: &TensorInfo) -> f64 {
        let weights = tensor.weights() as f64;
        match tensor.shape.len() {
            _ if !tensor.name.starts_with("blk.") => 0.0,
            0 | 1 => 0.0,
            2 => weights,
            // Experts are stacked along a third dimension.
            _ => {
                let key = format!("{}.expert_used_count", self.architecture().name);
                let used = self.gguf().unsigned(&key).ok().flatten().unwrap_or(1);
                let experts = tensor.shape[2].max(1) as u64;
                weights * used.min(experts) as f64 / experts as f64
            }
        }
    }
}
