//! One transformer layer.

use super::Ffn;

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
    /// Q, K and V are the rows of one tensor, `attn_qkv`, in this order.
    pub fused_qkv: bool,
    /// Q, K and V carry biases (`attn_q.bias`, ..., or `attn_qkv.bias`).
    pub qkv_bias: bool,
    /// `attn_output.bias`
    pub output_bias: bool,
    /// Queries and keys are normalised before they turn.
    pub qk_norm: Option<QkNorm>,
    /// Which of [`super::Architecture::rotary`] turns queries and keys; `None`: they do not turn.
    pub rotary: Option<usize>,
    /// Positions a query sees, its own included; `None`: all before it.
    pub window: Option<usize>,
    /// Scores are `q . k` times this,
    pub attention_scale: f32,
    /// then `cap * tanh(score / cap)`.
    pub softcap: Option<f32>,
    /// What a block computed is normalised before it is added to the stream (`post_attention_norm`, `post_ffw_norm`).
    pub post_norms: bool,
    /// Attention and feed-forward block read the same normalised stream (no `ffn_norm`), and both are added to it.
    pub parallel: bool,
    /// Feed-forward block.
    pub ffn: Ffn,
}

/// What the norm of queries (`attn_q_norm`) and keys (`attn_k_norm`) spans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QkNorm {
    /// Each head; all share one weight, (key_dim).
    Head,
    /// Each head with a weight of its own, (heads, key_dim).
    EachHead,
    /// All heads together, (heads * key_dim).
    Whole,
}

impl Layer {
    /// Rows of Q, K and V.
    pub fn qkv_rows(&self) -> [usize; 3] {
        [self.heads * self.key_dim, self.kv_heads * self.key_dim, self.kv_heads * self.value_dim]
    }
}
