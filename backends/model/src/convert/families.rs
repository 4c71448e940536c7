//! The families a checkpoint may be of: one row each. Forward passes are described in [`crate::arch`], not here.

use super::names::{self, Names};
use crate::arch::{FAMILIES, RotaryStyle};

/// What `model_type` of config.json means.
pub(super) struct Source {
    /// `model_type`
    pub(super) model_type: &'static str,
    /// GGUF's `general.architecture`.
    pub(super) architecture: &'static str,
    pub(super) names: Names,
    /// The head is the embedding where config.json does not say.
    pub(super) tied: bool,
    /// Norms are stored less one.
    pub(super) norms_less_one: bool,
    /// Key of the activation, and the names of the one that the forward pass has.
    pub(super) activation: (&'static str, &'static [&'static str]),
    /// Rotary base where config.json does not say.
    pub(super) rope_base: f64,
    /// Window where config.json has no such key; null there is none.
    pub(super) window: Option<u32>,
    /// Keys with one value that the forward pass has, as JSON; absent is fine.
    pub(super) fixed: &'static [(&'static str, &'static str)],
    /// Keys that say whether a tensor of every layer is there.
    pub(super) switches: &'static [Switch],
}

impl Source {
    /// Whether its GGUF files turn neighbours, so that queries and keys are reordered.
    pub(super) fn turns_neighbours(&self) -> bool {
        let family = FAMILIES.iter().find(|family| family.name == self.architecture);
        family.is_some_and(|family| family.rotary == Some(RotaryStyle::Interleaved))
    }
}

/// A key, and the GGUF tensor of a layer that is there when it is true.
pub(super) struct Switch {
    pub(super) key: &'static str,
    pub(super) part: &'static str,
    /// The tensor is there when the key is false.
    pub(super) inverted: bool,
}

const SILU: (&str, &[&str]) = ("hidden_act", &["silu", "swish"]);
const GELU: (&str, &[&str]) = ("hidden_activation", &["gelu_pytorch_tanh"]);

const fn switch(key: &'static str, part: &'static str) -> Switch {
    Switch { key, part, inverted: false }
}

const BIASES: &[Switch] =
    &[switch("attention_bias", "attn_q.bias"), switch("mlp_bias", "ffn_up.bias")];

const LLAMA: Source = Source {
    model_type: "llama",
    architecture: "llama",
    names: names::LLAMA,
    tied: false,
    norms_less_one: false,
    activation: SILU,
    rope_base: 10_000.0,
    window: None,
    fixed: &[],
    switches: BIASES,
};

const GEMMA2: Source = Source {
    model_type: "gemma2",
    architecture: "gemma2",
    names: names::GEMMA,
    tied: true,
    norms_less_one: true,
    activation: GELU,
    window: Some(4096),
    fixed: &[("attention_bias", "false")],
    switches: &[],
    ..LLAMA
};

/// No window and no biases beyond the family's own.
const QWEN: Source = Source { fixed: &[("use_sliding_window", "false")], switches: &[], ..LLAMA };

/// Every family that can be converted.
pub(super) const SOURCES: &[Source] = &[
    LLAMA,
    Source { model_type: "mistral", window: Some(4096), ..LLAMA },
    Source { model_type: "mixtral", names: names::MIXTRAL_NAMES, rope_base: 1e6, ..LLAMA },
    Source { model_type: "qwen2", architecture: "qwen2", ..QWEN },
    Source {
        model_type: "qwen3",
        architecture: "qwen3",
        fixed: &[("use_sliding_window", "false"), ("attention_bias", "false")],
        ..QWEN
    },
    Source {
        model_type: "qwen3_moe",
        architecture: "qwen3moe",
        names: names::EXPERT_NAMES,
        fixed: &[
            ("use_sliding_window", "false"),
            ("attention_bias", "false"),
            ("decoder_sparse_step", "1"),
            ("mlp_only_layers", "[]"),
            ("norm_topk_prob", "true"),
        ],
        ..QWEN
    },
    Source {
        model_type: "olmoe",
        architecture: "olmoe",
        names: names::EXPERT_NAMES,
        fixed: &[("norm_topk_prob", "false"), ("attention_bias", "false")],
        ..QWEN
    },
    GEMMA2,
    Source { model_type: "gemma3_text", architecture: "gemma3", rope_base: 1e6, ..GEMMA2 },
    Source { model_type: "phi3", architecture: "phi3", names: names::PHI3, switches: &[], ..LLAMA },
    Source {
        model_type: "stablelm",
        architecture: "stablelm",
        names: names::STABLELM,
        switches: &[
            switch("use_qkv_bias", "attn_q.bias"),
            switch("qk_layernorm", "attn_q_norm.weight"),
            Switch { key: "use_parallel_residual", part: "ffn_norm.weight", inverted: true },
        ],
        ..LLAMA
    },
    Source {
        model_type: "gpt2",
        architecture: "gpt2",
        names: names::GPT2,
        tied: true,
        activation: ("activation_function", &["gelu_new", "gelu_pytorch_tanh"]),
        fixed: &[
            ("scale_attn_weights", "true"),
            ("scale_attn_by_inverse_layer_idx", "false"),
            ("add_cross_attention", "false"),
        ],
        switches: &[],
        ..LLAMA
    },
    Source {
        model_type: "openelm",
        architecture: "openelm",
        names: names::OPENELM,
        tied: true,
        activation: ("activation_fn_name", &["swish", "silu"]),
        fixed: &[
            ("ffn_with_glu", "true"),
            ("normalize_qk_projections", "true"),
            ("normalization_layer_name", "\"rms_norm\""),
        ],
        switches: &[],
        ..LLAMA
    },
    Source { model_type: "granite", architecture: "granite", ..LLAMA },
    Source {
        model_type: "smollm3",
        architecture: "smollm3",
        tied: true,
        rope_base: 2e6,
        fixed: &[("use_sliding_window", "false")],
        ..LLAMA
    },
];
