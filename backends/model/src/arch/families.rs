//! The table of model families: one row each.

use super::{Activation, Gate, NormKind, QkNorm, RotaryStyle};

/// What distinguishes one `general.architecture` from another; every row states its difference from [`LLAMA`].
pub(crate) struct Family {
    /// GGUF's name.
    pub(crate) name: &'static str,
    /// Formula of every norm.
    pub(crate) norm: NormKind,
    /// Pairing in files of this family (llama.cpp's converter permutes llama's Q and K for neighbours);
    /// `None`: positions are learned.
    pub(crate) rotary: Option<RotaryStyle>,
    /// Rotary base of layers with a window, where it is another one than `rope.freq_base`.
    pub(crate) window_base: Option<f32>,
    /// Every n-th layer does not turn.
    pub(crate) still_every: Option<usize>,
    /// `rope.scaling.finetuned` = false means that nothing turns.
    pub(crate) rotary_switch: bool,
    /// Biases.
    pub(crate) bias: Bias,
    /// Q, K and V in one tensor by practice.
    pub(crate) fused_qkv: bool,
    /// Norms of queries and keys, and whether a file may lack them.
    pub(crate) qk_norm: Option<(QkNorm, Needed)>,
    /// Blocks are normalised behind too.
    pub(crate) post_norms: bool,
    /// Files without `ffn_norm` run both blocks side by side.
    pub(crate) parallel: bool,
    /// Gate of the feed-forward block.
    pub(crate) gate: Gate,
    /// Function of the feed-forward block.
    pub(crate) activation: Activation,
    /// Mixtures of experts.
    pub(crate) experts: ExpertRule,
    /// What `attention.sliding_window` means.
    pub(crate) window: WindowRule,
    /// Soft caps of scores and of logits; the numbers stand in for absent keys, 0 is none.
    pub(crate) softcaps: Option<[f32; 2]>,
    /// `embedding_scale`, `residual_scale`, `attention.scale` and `logit_scale` count.
    pub(crate) scales: bool,
    /// The embedding is multiplied by the square root of its width.
    pub(crate) root_embedding: bool,
    /// In models of this many layers scores are scaled by the embedding's share of a head, not by the head's width
    /// (Gemma 2 27B, Gemma 3 27B).
    pub(crate) shared_scale_layers: Option<usize>,
    /// May carry `rope_freqs.weight`, or `rope_factors_{short,long}.weight`.
    pub(crate) rope_factors: bool,
}

/// Which biases of products there are; norms have them by their kind.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bias {
    /// Where the file has them, tensor by tensor.
    AsStored,
    /// Q, K and V always, others as stored.
    Qkv,
    /// Every product of a layer.
    All,
}

/// Whether a file may lack something.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Needed {
    /// It may not.
    Always,
    /// It may.
    WhereStored,
}

/// Mixtures of experts in a family.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum ExpertRule {
    /// None.
    Dense,
    /// Where `expert_count` is there.
    Optional,
    /// Always.
    Always {
        /// Weights of the experts used are normalised.
        normalised: bool,
    },
}

/// What `attention.sliding_window` means in a family.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum WindowRule {
    /// The key is not honoured, as llama.cpp does; the facts say so.
    Ignored,
    /// Every layer has it.
    EveryLayer,
    /// All but every n-th layer have it (`attention.sliding_window_pattern` says another n, or a bool a layer).
    Pattern {
        /// The n.
        period: usize,
        /// The window where the key is absent; 0 is none.
        default: usize,
    },
}

/// The family all others are told apart from; Mixtral and Mistral are of it.
const LLAMA: Family = Family {
    name: "llama",
    norm: NormKind::Rms,
    rotary: Some(RotaryStyle::Interleaved),
    window_base: None,
    still_every: None,
    rotary_switch: false,
    bias: Bias::AsStored,
    fused_qkv: false,
    qk_norm: None,
    post_norms: false,
    parallel: false,
    gate: Gate::Separate,
    activation: Activation::Silu,
    experts: ExpertRule::Optional,
    window: WindowRule::EveryLayer,
    softcaps: None,
    scales: false,
    root_embedding: false,
    shared_scale_layers: None,
    rope_factors: true,
};

/// As [`LLAMA`] without experts, windows and factors, turning halves: where most families start.
const HALVES: Family = Family {
    rotary: Some(RotaryStyle::Halves),
    experts: ExpertRule::Dense,
    window: WindowRule::Ignored,
    rope_factors: false,
    ..LLAMA
};

const GEMMA2: Family = Family {
    name: "gemma2",
    post_norms: true,
    activation: Activation::Gelu,
    window: WindowRule::Pattern { period: 2, default: 4096 },
    softcaps: Some([50.0, 30.0]),
    root_embedding: true,
    shared_scale_layers: Some(46),
    ..HALVES
};

const HEAD_NORM: Option<(QkNorm, Needed)> = Some((QkNorm::Head, Needed::Always));

/// Every family we can run.
pub(crate) const FAMILIES: &[Family] = &[
    LLAMA,
    Family { name: "mistral3", ..LLAMA },
    Family { name: "qwen2", bias: Bias::Qkv, ..HALVES },
    Family { name: "qwen3", qk_norm: HEAD_NORM, ..HALVES },
    Family {
        name: "qwen3moe",
        qk_norm: HEAD_NORM,
        experts: ExpertRule::Always { normalised: true },
        ..HALVES
    },
    GEMMA2,
    Family {
        name: "gemma3",
        qk_norm: HEAD_NORM,
        window: WindowRule::Pattern { period: 6, default: 0 },
        window_base: Some(10_000.0),
        softcaps: Some([0.0, 0.0]),
        shared_scale_layers: Some(62),
        ..GEMMA2
    },
    Family { name: "phi3", fused_qkv: true, gate: Gate::Fused, rope_factors: true, ..HALVES },
    Family {
        name: "stablelm",
        norm: NormKind::Layer,
        qk_norm: Some((QkNorm::EachHead, Needed::WhereStored)),
        parallel: true,
        ..HALVES
    },
    Family {
        name: "gpt2",
        norm: NormKind::Layer,
        rotary: None,
        bias: Bias::All,
        fused_qkv: true,
        gate: Gate::None,
        activation: Activation::Gelu,
        ..HALVES
    },
    Family { name: "openelm", fused_qkv: true, qk_norm: HEAD_NORM, ..HALVES },
    Family {
        name: "granite",
        scales: true,
        rotary_switch: true,
        window: WindowRule::Ignored,
        ..LLAMA
    },
    Family {
        name: "smollm3",
        still_every: Some(4),
        experts: ExpertRule::Dense,
        window: WindowRule::Ignored,
        rope_factors: false,
        ..LLAMA
    },
    Family {
        name: "olmoe",
        qk_norm: Some((QkNorm::Whole, Needed::Always)),
        experts: ExpertRule::Always { normalised: false },
        ..HALVES
    },
];
