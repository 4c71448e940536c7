//! Names of tensors: GGUF's, and what checkpoints call the same thing.

/// How the weights of a GGUF tensor lie in a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lay {
    /// One tensor, row by row.
    Plain,
    /// GPT-2's Conv1D: (inputs, outputs).
    Transposed,
    /// The first half of the rows of one tensor.
    FirstHalf,
    /// The second half.
    SecondHalf,
    /// One tensor an expert or head, its number in the place of `{}`.
    Stacked,
}

/// GGUF's name without layer and `.weight` or `.bias`, the checkpoint's, and how it lies there.
pub(super) type Name = (&'static str, &'static str, Lay);

/// The names of a family.
pub(super) struct Names {
    /// What may stand before every name; the first that fits the embedding counts.
    pub(super) prefixes: &'static [&'static str],
    /// Before names within a layer, `{}` being its number.
    pub(super) layer: &'static str,
    /// Those of no layer. `lm_head` never has the prefix.
    pub(super) outer: &'static [Name],
    /// Those of a layer, in parts that families share.
    pub(super) inner: &'static [&'static [Name]],
    /// Ends of names of tensors that are not weights: masks and frequencies that old versions saved.
    pub(super) ignored: &'static [&'static str],
}

const OUTER: &[Name] = &[
    ("token_embd", "embed_tokens", Lay::Plain),
    ("output_norm", "norm", Lay::Plain),
    ("output", "lm_head", Lay::Plain),
];
const ATTENTION: &[Name] = &[
    ("attn_norm", "input_layernorm", Lay::Plain),
    ("attn_q", "self_attn.q_proj", Lay::Plain),
    ("attn_k", "self_attn.k_proj", Lay::Plain),
    ("attn_v", "self_attn.v_proj", Lay::Plain),
    ("attn_output", "self_attn.o_proj", Lay::Plain),
    ("attn_q_norm", "self_attn.q_norm", Lay::Plain),
    ("attn_k_norm", "self_attn.k_norm", Lay::Plain),
];
const FFN_NORM: &[Name] = &[("ffn_norm", "post_attention_layernorm", Lay::Plain)];
const FFN: &[Name] = &[
    ("ffn_gate", "mlp.gate_proj", Lay::Plain),
    ("ffn_up", "mlp.up_proj", Lay::Plain),
    ("ffn_down", "mlp.down_proj", Lay::Plain),
];
const POST_NORMS: &[Name] = &[
    ("post_attention_norm", "post_attention_layernorm", Lay::Plain),
    ("ffn_norm", "pre_feedforward_layernorm", Lay::Plain),
    ("post_ffw_norm", "post_feedforward_layernorm", Lay::Plain),
];
const HEAD_NORMS: &[Name] = &[
    ("attn_q_norm", "self_attn.q_layernorm.norms.{}", Lay::Stacked),
    ("attn_k_norm", "self_attn.k_layernorm.norms.{}", Lay::Stacked),
];
const FUSED: &[Name] =
    &[("attn_qkv", "self_attn.qkv_proj", Lay::Plain), ("ffn_up", "mlp.gate_up_proj", Lay::Plain)];
const MIXTRAL: &[Name] = &[
    ("ffn_gate_inp", "block_sparse_moe.gate", Lay::Plain),
    ("ffn_gate_exps", "block_sparse_moe.experts.{}.w1", Lay::Stacked),
    ("ffn_down_exps", "block_sparse_moe.experts.{}.w2", Lay::Stacked),
    ("ffn_up_exps", "block_sparse_moe.experts.{}.w3", Lay::Stacked),
];
const EXPERTS: &[Name] = &[
    ("ffn_gate_inp", "mlp.gate", Lay::Plain),
    ("ffn_gate_exps", "mlp.experts.{}.gate_proj", Lay::Stacked),
    ("ffn_down_exps", "mlp.experts.{}.down_proj", Lay::Stacked),
    ("ffn_up_exps", "mlp.experts.{}.up_proj", Lay::Stacked),
];

/// Where most families start.
pub(super) const LLAMA: Names = Names {
    prefixes: &["model."],
    layer: "layers.{}.",
    outer: OUTER,
    inner: &[ATTENTION, FFN_NORM, FFN],
    ignored: &["rotary_emb.inv_freq"],
};
pub(super) const GEMMA: Names = Names { inner: &[ATTENTION, POST_NORMS, FFN], ..LLAMA };
// The fused names come first: `ffn_up` is one of theirs.
pub(super) const PHI3: Names = Names { inner: &[FUSED, ATTENTION, FFN_NORM, FFN], ..LLAMA };
pub(super) const STABLELM: Names =
    Names { inner: &[HEAD_NORMS, ATTENTION, FFN_NORM, FFN], ..LLAMA };
pub(super) const MIXTRAL_NAMES: Names = Names { inner: &[ATTENTION, FFN_NORM, MIXTRAL], ..LLAMA };
pub(super) const EXPERT_NAMES: Names = Names { inner: &[ATTENTION, FFN_NORM, EXPERTS], ..LLAMA };
pub(super) const GPT2: Names = Names {
    prefixes: &["transformer.", ""],
    layer: "h.{}.",
    outer: &[
        ("token_embd", "wte", Lay::Plain),
        ("position_embd", "wpe", Lay::Plain),
        ("output_norm", "ln_f", Lay::Plain),
        ("output", "lm_head", Lay::Plain),
    ],
    inner: &[&[
        ("attn_norm", "ln_1", Lay::Plain),
        ("attn_qkv", "attn.c_attn", Lay::Transposed),
        ("attn_output", "attn.c_proj", Lay::Transposed),
        ("ffn_norm", "ln_2", Lay::Plain),
        ("ffn_up", "mlp.c_fc", Lay::Transposed),
        ("ffn_down", "mlp.c_proj", Lay::Transposed),
    ]],
    ignored: &["attn.bias", "attn.masked_bias"],
};
pub(super) const OPENELM: Names = Names {
    prefixes: &["transformer."],
    layer: "layers.{}.",
    outer: &[
        ("token_embd", "token_embeddings", Lay::Plain),
        ("output_norm", "norm", Lay::Plain),
        ("output", "lm_head", Lay::Plain),
    ],
    inner: &[&[
        ("attn_norm", "attn_norm", Lay::Plain),
        ("attn_qkv", "attn.qkv_proj", Lay::Plain),
        ("attn_output", "attn.out_proj", Lay::Plain),
        ("attn_q_norm", "attn.q_norm", Lay::Plain),
        ("attn_k_norm", "attn.k_norm", Lay::Plain),
        ("ffn_norm", "ffn_norm", Lay::Plain),
        ("ffn_gate", "ffn.proj_1", Lay::FirstHalf),
        ("ffn_up", "ffn.proj_1", Lay::SecondHalf),
        ("ffn_down", "ffn.proj_2", Lay::Plain),
    ]],
    ignored: &[],
};

/// A checkpoint's name for a GGUF tensor.
pub(super) struct Place {
    /// With `{}` where a number of a stack stands.
    pub(super) name: String,
    pub(super) lay: Lay,
}

impl Names {
    /// Where a GGUF tensor lies: `part` is its name without the layer, `attn_q.weight`.
    pub(super) fn place(&self, prefix: &str, layer: Option<usize>, part: &str) -> Option<Place> {
        let (stem, kind) = part.rsplit_once('.')?;
        let find = |names: &[Name]| names.iter().find(|name| name.0 == stem).copied();
        let (name, lay) = match layer {
            None => {
                let (_, name, lay) = find(self.outer)?;
                let prefix = if name == "lm_head" { "" } else { prefix };
                (format!("{prefix}{name}.{kind}"), lay)
            }
            Some(i) => {
                let (_, name, lay) = self.inner.iter().find_map(|names| find(names))?;
                let layer = self.layer.replacen("{}", &i.to_string(), 1);
                (format!("{prefix}{layer}{name}.{kind}"), lay)
            }
        };
        // A bias is a vector, however its weights lie.
        let lay = if lay == Lay::Transposed && kind == "bias" { Lay::Plain } else { lay };
        Some(Place { name, lay })
    }

    /// Whether a tensor of a checkpoint may be left out.
    pub(super) fn is_ignored(&self, name: &str) -> bool {
        self.ignored.iter().any(|end| name.ends_with(end))
    }
}
