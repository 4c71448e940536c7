//! Architectures as data: what a forward pass must know, read from a GGUF file's metadata.
//!
//! A new model family is one row in a table here and one golden test, not a new forward pass.
//! Fields for families not in the table yet (gemma, phi, stablelm, ...) arrive with them.

mod families;
mod read;
mod rotary;
mod tensors;

pub(crate) use families::{Bias, FAMILIES, Family};
pub use rotary::{Rotary, RotaryStyle};
pub use tensors::TensorSpec;

/// Everything a forward pass needs to know beside the tensors themselves.
#[derive(Clone, Debug, PartialEq)]
pub struct Architecture {
    /// GGUF's `general.architecture`.
    pub name: String,
    /// Rows of the embedding and of the head.
    pub vocab: usize,
    /// Width of the residual stream.
    pub embedding: usize,
    /// Context length the model was trained for.
    pub context: usize,
    /// Epsilon of every RMS norm.
    pub norm_eps: f32,
    /// Rotary embedding.
    pub rotary: Rotary,
    /// The head is the token embedding (no `output.weight`).
    pub tied_head: bool,
    /// One entry a layer.
    pub layers: Vec<Layer>,
}

/// One transformer layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    /// Query heads.
    pub heads: usize,
    /// Key and value heads; divides `heads`.
    pub kv_heads: usize,
    /// Width of a query or key head.
    pub key_dim: usize,
    /// Width of a value head.
    pub value_dim: usize,
    /// Q, K and V carry biases (`attn_q.bias`, ...).
    pub qkv_bias: bool,
    /// Feed-forward block.
    pub ffn: Ffn,
}

/// A gated feed-forward block: `down(silu(gate(x)) * up(x))`, dense or a mixture of experts.
#[derive(Clone, Debug, PartialEq)]
pub enum Ffn {
    /// `ffn_gate`, `ffn_up`: (width, embedding); `ffn_down`: (embedding, width).
    Dense {
        /// Inner width.
        width: usize,
    },
    /// `ffn_gate_inp`: (experts, embedding); `ffn_{gate,up}_exps`: (experts, width, embedding);
    /// `ffn_down_exps`: (experts, embedding, width). Softmax over all experts, the best `used` kept and renormalised (Mixtral).
    Experts {
        /// Experts stored.
        experts: usize,
        /// Experts run per token.
        used: usize,
        /// Inner width of one expert.
        width: usize,
    },
}
