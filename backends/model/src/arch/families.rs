//! The table of model families: one row each.

use super::RotaryStyle;

/// What distinguishes one `general.architecture` from another.
pub(crate) struct Family {
    /// GGUF's name.
    pub(crate) name: &'static str,
    /// Pairing in files of this family (llama.cpp's converter permutes llama's Q and K for neighbours).
    pub(crate) rotary: RotaryStyle,
    /// Biases of Q, K and V.
    pub(crate) qkv_bias: Bias,
    /// Layers may hold experts.
    pub(crate) experts: bool,
    /// May carry `rope_freqs.weight`.
    pub(crate) rope_freqs: bool,
}

/// Whether a bias exists.
#[derive(PartialEq, Eq)]
pub(crate) enum Bias {
    /// Always.
    Present,
    /// Where the file has it, layer by layer.
    AsStored,
}

/// Every family we can run.
pub(crate) const FAMILIES: &[Family] = &[
    Family {
        name: "llama",
        rotary: RotaryStyle::Interleaved,
        qkv_bias: Bias::AsStored,
        experts: true,
        rope_freqs: true,
    },
    Family {
        name: "qwen2",
        rotary: RotaryStyle::Halves,
        qkv_bias: Bias::Present,
        experts: false,
        rope_freqs: false,
    },
];
