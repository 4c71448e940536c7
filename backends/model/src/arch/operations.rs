//! What a token takes: multiplications and additions, with which a prefill speed is held against a peak, and the positions
//! whose keys and values it reads, with which a decode speed is held against the read bandwidth.

use super::{Architecture, Layer, TensorSpec};

impl Architecture {
    /// Operations per token, on average over `tokens` computed together at context depth `depth`, of one sequence. Counted are
    /// a multiplication and an addition for
    ///
    /// * every weight of the layers' matrices, of experts only those used,
    /// * every weight of the head, once for all tokens (only the last row's logits are computed),
    /// * every element of the keys and of the values a token attends to: depth + (tokens + 1) / 2 positions on average, in a
    ///   layer with a sliding window at most as many as it reaches.
    ///
    /// Embedding rows, norms, rotary embedding and softmax are not counted.
    pub fn operations_per_token(&self, tokens: usize, depth: usize) -> f64 {
        let layers: f64 = self.tensors().iter().map(|tensor| self.used(tensor)).sum();
        let head = (self.vocab * self.embedding) as f64 / tokens.max(1) as f64;
        2.0 * (layers + head) + self.attention_operations(tokens, depth)
    }

    /// Those of the attention alone, the last of the list.
    pub fn attention_operations(&self, tokens: usize, depth: usize) -> f64 {
        let width = |layer: &Layer| (layer.heads * (layer.key_dim + layer.value_dim)) as f64;
        let attended = |layer: &Layer| width(layer) * mean_reach(layer.window, tokens, depth);
        2.0 * self.layers.iter().map(attended).sum::<f64>()
    }

    /// Positions whose keys and values a token reads, on average over `tokens` from context depth `depth` and over the layers,
    /// each layer weighted with the width of its cache. With sliding windows it is less than the positions that are held.
    pub fn positions_read(&self, tokens: usize, depth: usize) -> f64 {
        let layers = &self.layers;
        let width = |layer: &Layer| (layer.kv_heads * (layer.key_dim + layer.value_dim)) as f64;
        let all: f64 = layers.iter().map(width).sum();
        let read = |layer: &Layer| width(layer) * mean_reach(layer.window, tokens, depth);
        if all > 0.0 { layers.iter().map(read).sum::<f64>() / all } else { 0.0 }
    }

    /// Weights of a tensor that one token is multiplied with.
    fn used(&self, tensor: &TensorSpec) -> f64 {
        let weights = tensor.shape.iter().product::<usize>() as f64;
        match (tensor.layer, tensor.shape.len()) {
            (None, _) | (_, 0 | 1) => 0.0,
            (Some(_), 2) => weights,
            // Experts are stacked along a third dimension.
            (Some(layer), _) => {
                let (used, stored) = self.layers[layer].ffn.experts_of();
                weights * used as f64 / stored as f64
            }
        }
    }
}

/// Mean of `min(window, depth + i)` over the tokens `i` from 1 to `tokens`: the positions a token attends to with such a window.
fn mean_reach(window: Option<usize>, tokens: usize, depth: usize) -> f64 {
    let (tokens, depth) = (tokens.max(1) as f64, depth as f64);
    let window = window.map_or(f64::INFINITY, |window| window as f64);
    // The first tokens see all there is, the rest the window.
    let whole = (window - depth).clamp(0.0, tokens);
    let windowed = if whole < tokens { (tokens - whole) * window } else { 0.0 };
    (whole * depth + whole * (whole + 1.0) / 2.0 + windowed) / tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_bounds_what_is_read() {
        for (window, tokens, depth) in
            [(None, 4, 0), (None, 1, 100), (Some(8), 4, 0), (Some(8), 20, 3), (Some(8), 5, 50)]
        {
            let reach = |i: usize| (depth + i).min(window.unwrap_or(usize::MAX));
            let expected = (1..=tokens).map(reach).sum::<usize>() as f64 / tokens as f64;
            assert_eq!(mean_reach(window, tokens, depth), expected, "{window:?} {tokens} {depth}");
        }
    }
}
