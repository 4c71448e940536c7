//! Mixes: which tensor of a model gets which format. Quantises nothing itself.
//!
//! The rules are those by which llama.cpp's quantiser picks formats, so a `Q4_K_M` here is what users mean
//! by it. Left out: what it does for Falcon.

use crate::Format;
use crate::Format::{
    BF16, F16, F32, IQ4_NL, Q2_K, Q3_K, Q4_0, Q4_1, Q4_K, Q5_0, Q5_1, Q5_K, Q6_K, Q8_0,
};

/// A recipe of formats for a whole model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(non_camel_case_types, reason = "the field writes the names this way")]
pub enum Mix {
    /// One format wherever shape and role allow. `Q2_K` and `IQ4_NL` lift some tensors, as always.
    Plain(Format),
    /// Q3_K.
    Q3_K_S,
    /// Q3_K, with attention values and outputs and `ffn_down` in Q4_K or Q5_K.
    Q3_K_M,
    /// Q3_K, with attention values and outputs and `ffn_down` in Q5_K.
    Q3_K_L,
    /// Q4_K, with the first attention values and `ffn_down` in Q5_K.
    Q4_K_S,
    /// Q4_K, with half of the attention values and `ffn_down` in Q6_K.
    Q4_K_M,
    /// Q5_K.
    Q5_K_S,
    /// Q5_K, with half of the attention values and `ffn_down` in Q6_K.
    Q5_K_M,
}

/// What a mix must know of the model a tensor belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Network {
    /// Layers (`block_count`).
    pub layers: usize,
    /// No `output.weight`: the embedding is the head too.
    pub tied_head: bool,
    /// Experts per layer, 0 for a dense model.
    pub experts: usize,
    /// Attention heads that share one key and value head.
    pub heads_per_kv: usize,
    /// What llama.cpp calls a 70B model: 80 layers, and heads share keys and values.
    pub seventy: bool,
    /// Quantised with an importance matrix.
    pub importance: bool,
}

/// Name and `general.file_type` (llama.cpp's number) of every mix.
static MIXES: [(&str, u32, Mix); 21] = [
    ("F32", 0, Mix::Plain(F32)),
    ("F16", 1, Mix::Plain(F16)),
    ("BF16", 32, Mix::Plain(BF16)),
    ("Q4_0", 2, Mix::Plain(Q4_0)),
    ("Q4_1", 3, Mix::Plain(Q4_1)),
    ("Q5_0", 8, Mix::Plain(Q5_0)),
    ("Q5_1", 9, Mix::Plain(Q5_1)),
    ("Q8_0", 7, Mix::Plain(Q8_0)),
    ("Q2_K", 10, Mix::Plain(Q2_K)),
    // The plain K formats carry the number of llama.cpp's small mix, the nearest it has.
    ("Q3_K", 11, Mix::Plain(Q3_K)),
    ("Q3_K_S", 11, Mix::Q3_K_S),
    ("Q3_K_M", 12, Mix::Q3_K_M),
    ("Q3_K_L", 13, Mix::Q3_K_L),
    ("Q4_K", 14, Mix::Plain(Q4_K)),
    ("Q4_K_S", 14, Mix::Q4_K_S),
    ("Q4_K_M", 15, Mix::Q4_K_M),
    ("Q5_K", 16, Mix::Plain(Q5_K)),
    ("Q5_K_S", 16, Mix::Q5_K_S),
    ("Q5_K_M", 17, Mix::Q5_K_M),
    ("Q6_K", 18, Mix::Plain(Q6_K)),
    ("IQ4_NL", 25, Mix::Plain(IQ4_NL)),
];

/// When a rule applies.
enum When {
    Always,
    /// The first `n` layers.
    Below(usize),
    /// The first `layers / n` layers.
    First(usize),
    /// First and last eighth of the layers, and every third between.
    MoreBits,
    /// Four or more heads share a value head, so that the tensor is small.
    Shared,
    /// The first `layers / n` layers, quantised with an importance matrix or without.
    FirstIf(usize, bool),
    /// Eight experts: the attention is a small part of the model.
    EightExperts,
}

/// The first rule that matches mix, part and layer decides.
struct Rule {
    mixes: &'static [Mix],
    parts: &'static [&'static str],
    when: When,
    format: Format,
}

/// Shorthand for a row of [`RULES`].
const fn rule(
    mixes: &'static [Mix],
    parts: &'static [&'static str],
    when: When,
    format: Format,
) -> Rule {
    Rule { mixes, parts, when, format }
}

/// A fused projection contains the values.
const VALUES: &[&str] = &["attn_v.weight", "attn_qkv.weight"];
const DOWN: &[&str] = &["ffn_down"];
const OUTPUT: &[&str] = &["attn_output.weight"];
/// The mixes whose bulk is below five bits and not one of the legacy formats.
const LOW: &[Mix] = &[
    Mix::Plain(Q2_K),
    Mix::Plain(Q3_K),
    Mix::Q3_K_S,
    Mix::Q3_K_M,
    Mix::Plain(Q4_K),
    Mix::Q4_K_S,
    Mix::Q4_K_M,
    Mix::Plain(IQ4_NL),
];
/// Every mix.
const ANY: &[Mix] = &[];

static RULES: [Rule; 23] = [
    rule(ANY, &["attn_v.weight", "attn_qkv.weight", "attn_k.weight"], When::EightExperts, Q8_0),
    rule(LOW, OUTPUT, When::EightExperts, Q5_K),
    rule(&[Mix::Q3_K_L], OUTPUT, When::EightExperts, Q3_K),
    rule(&[Mix::Plain(Q2_K)], VALUES, When::Shared, Q4_K),
    rule(&[Mix::Plain(Q2_K)], VALUES, When::Always, Q3_K),
    rule(&[Mix::Plain(Q2_K)], DOWN, When::Always, Q3_K),
    rule(&[Mix::Plain(Q2_K)], OUTPUT, When::Always, Q3_K),
    rule(&[Mix::Q3_K_M], VALUES, When::Below(2), Q5_K),
    rule(&[Mix::Q3_K_M], VALUES, When::Always, Q4_K),
    rule(&[Mix::Q3_K_M], DOWN, When::First(16), Q5_K),
    rule(&[Mix::Q3_K_M], DOWN, When::Always, Q4_K),
    rule(&[Mix::Q3_K_M], OUTPUT, When::Always, Q4_K),
    rule(&[Mix::Q3_K_L], VALUES, When::Always, Q5_K),
    rule(&[Mix::Q3_K_L], DOWN, When::Always, Q5_K),
    rule(&[Mix::Q3_K_L], OUTPUT, When::Always, Q5_K),
    rule(&[Mix::Q4_K_S], VALUES, When::Below(4), Q5_K),
    rule(&[Mix::Q4_K_S], DOWN, When::First(8), Q5_K),
    rule(&[Mix::Q4_K_M, Mix::Q5_K_M], VALUES, When::MoreBits, Q6_K),
    rule(&[Mix::Q4_K_M, Mix::Q5_K_M], DOWN, When::MoreBits, Q6_K),
    rule(&[Mix::Plain(IQ4_NL)], VALUES, When::Shared, Q5_K),
    rule(&[Mix::Plain(IQ4_NL)], DOWN, When::FirstIf(8, false), Q5_K),
    // A guard against immense errors in the first layers, which importances can make.
    rule(&[Mix::Plain(Q4_0)], DOWN, When::FirstIf(8, true), Q4_1),
    rule(&[Mix::Plain(Q5_0)], DOWN, When::FirstIf(8, true), Q5_1),
];

/// Small tensors to which a rounding error does much harm: kept in F32.
const KEPT: &[&str] =
    &["_norm.weight", "ffn_gate_inp.weight", "position_embd.weight", "token_types.weight"];

impl Mix {
    /// Every mix, by name.
    pub fn all() -> impl Iterator<Item = (&'static str, Mix)> {
        MIXES.iter().map(|&(name, _, mix)| (name, mix))
    }

    /// The mix of a name, `"Q4_K_M"`.
    pub fn from_name(name: &str) -> Option<Mix> {
        Mix::all().find(|(other, _)| *other == name).map(|(_, mix)| mix)
    }

    /// The name, as users and file names have it.
    pub fn name(self) -> &'static str {
        self.row().0
    }

    /// `general.file_type`.
    pub fn file_type(self) -> u32 {
        self.row().1
    }

    /// The format of most tensors.
    pub fn base(self) -> Format {
        match self {
            Mix::Plain(format) => format,
            Mix::Q3_K_S | Mix::Q3_K_M | Mix::Q3_K_L => Q3_K,
            Mix::Q4_K_S | Mix::Q4_K_M => Q4_K,
            Mix::Q5_K_S | Mix::Q5_K_M => Q5_K,
        }
    }

    /// The format of one tensor; `shape` is in GGUF order, row length first.
    pub fn format_of(self, tensor: &str, shape: &[usize], network: &Network) -> Format {
        let base = self.base();
        if shape.iter().skip(1).all(|&n| n <= 1)
            || !tensor.ends_with("weight")
            || KEPT.iter().any(|k| tensor.contains(k))
        {
            return F32;
        }
        if matches!(base, F32 | F16 | BF16) {
            return base;
        }
        fit_row(self.wanted(tensor, shape[0], network), shape[0])
    }

    /// The format by role, whatever the row length.
    fn wanted(self, tensor: &str, row: usize, network: &Network) -> Format {
        let base = self.base();
        let embedding = tensor == "token_embd.weight";
        if tensor == "output.weight" || (embedding && network.tied_head) {
            let coarse = base == Q8_0 || !row.is_multiple_of(base.block_len());
            return if coarse { Q8_0 } else { Q6_K };
        }
        if embedding {
            return base;
        }
        let layer = layer_of(tensor).unwrap_or(0);
        let rule = RULES.iter().find(|rule| rule.applies(self, tensor, layer, network));
        let wanted = rule.map_or(base, |rule| rule.format);
        // Eight heads share a value head of these models: more bits for it cost little.
        let values = VALUES.iter().any(|part| tensor.contains(part));
        if network.seventy && values && matches!(wanted, Q3_K | Q4_K) { Q5_K } else { wanted }
    }

    fn row(self) -> &'static (&'static str, u32, Mix) {
        let found = MIXES.iter().find(|(_, _, mix)| *mix == self);
        found.expect("the table has a row for every mix: tested")
    }
}

impl Rule {
    fn applies(&self, mix: Mix, tensor: &str, layer: usize, network: &Network) -> bool {
        (self.mixes.is_empty() || self.mixes.contains(&mix))
            && self.parts.iter().any(|part| tensor.contains(part))
            && self.when.holds(layer, network)
    }
}

impl When {
    fn holds(&self, layer: usize, network: &Network) -> bool {
        let layers = network.layers;
        match *self {
            When::Always => true,
            When::Below(n) => layer < n,
            When::FirstIf(part, importance) => {
                layer < layers / part && network.importance == importance
            }
            When::First(part) => layer < layers / part,
            When::MoreBits => more_bits(layer, layers),
            When::Shared => network.heads_per_kv >= 4,
            When::EightExperts => network.experts == 8,
        }
    }
}

/// First and last eighth of the layers, and every third between.
fn more_bits(layer: usize, layers: usize) -> bool {
    let eighth = layers / 8;
    // The order matters: the last test needs `layer >= eighth`.
    layer < eighth || layer >= layers.saturating_mul(7) / 8 || (layer - eighth) % 3 == 2
}

/// `12` of `blk.12.attn_v.weight`.
fn layer_of(tensor: &str) -> Option<usize> {
    tensor.strip_prefix("blk.")?.split('.').next()?.parse().ok()
}

/// The format itself where rows are whole blocks, else what stands in for it, else F16.
fn fit_row(wanted: Format, row: usize) -> Format {
    if row.is_multiple_of(wanted.block_len()) {
        return wanted;
    }
    let stand_in = match wanted {
        Q2_K | Q3_K => Q4_0,
        Q4_K => Q5_0,
        Q5_K => Q5_1,
        Q6_K => Q8_0,
        _ => F16,
    };
    if row.is_multiple_of(stand_in.block_len()) { stand_in } else { F16 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DENSE: Network = Network {
        layers: 16,
        tied_head: false,
        experts: 0,
        heads_per_kv: 4,
        seventy: false,
        importance: false,
    };

    #[test]
    fn every_format_and_every_mix_has_a_name_and_a_file_type() {
        let plain = Format::ALL.into_iter().map(Mix::Plain);
        for mix in plain.chain(MIXES.map(|row| row.2)) {
            assert_eq!(Mix::from_name(mix.name()), Some(mix));
        }
        assert_eq!(Mix::Q4_K_M.file_type(), 15);
        assert_eq!(Mix::from_name("Q4_K_XL"), None);
    }

    #[test]
    fn roles_and_shapes_choose_the_format() {
        let cases: [(Mix, &str, &[usize], Format); 17] = [
            (Mix::Q4_K_M, "output.weight", &[2048, 32000], Q6_K),
            (Mix::Q4_K_M, "token_embd.weight", &[2048, 32000], Q4_K),
            (Mix::Q4_K_M, "output.weight", &[576, 32000], Q8_0),
            (Mix::Plain(Q8_0), "output.weight", &[2048, 32000], Q8_0),
            (Mix::Plain(F16), "output.weight", &[2048, 32000], F16),
            (Mix::Plain(F16), "blk.3.ffn_norm.weight", &[2048], F32),
            (Mix::Plain(F16), "blk.3.ffn_gate_inp.weight", &[2048, 8], F32),
            (Mix::Plain(Q4_0), "blk.3.attn_q.bias", &[2048], F32),
            (Mix::Plain(Q4_0), "blk.3.ffn_up.weight", &[40, 64], F16),
            (Mix::Q4_K_M, "position_embd.weight", &[768, 1024], F32),
            (Mix::Q4_K_M, "blk.3.attn_q.weight", &[576, 576], Q5_0),
            (Mix::Q5_K_M, "blk.3.attn_q.weight", &[576, 576], Q5_1),
            (Mix::Q4_K_M, "blk.3.ffn_down_exps.weight", &[512, 256, 4], Q4_K),
            (Mix::Q4_K_M, "blk.4.ffn_down_exps.weight", &[512, 256, 4], Q6_K),
            (Mix::Q4_K_M, "blk.4.attn_qkv.weight", &[512, 768], Q6_K),
            (Mix::Plain(Q2_K), "blk.0.attn_v.weight", &[512, 256], Q4_K),
            (Mix::Plain(Q4_K), "blk.0.attn_v.weight", &[512, 256], Q4_K),
        ];
        for (mix, tensor, shape, expected) in cases {
            assert_eq!(
                mix.format_of(tensor, shape, &DENSE),
                expected,
                "{mix:?} {tensor} {shape:?}"
            );
        }
    }

    #[test]
    fn eight_experts_lift_the_attention() {
        let moe = Network { experts: 8, ..DENSE };
        let of = |mix: Mix, tensor| mix.format_of(tensor, &[512, 256], &moe);
        assert_eq!(of(Mix::Plain(Q4_0), "blk.0.attn_v.weight"), Q8_0);
        assert_eq!(of(Mix::Q4_K_M, "blk.3.attn_k.weight"), Q8_0);
        assert_eq!(of(Mix::Q4_K_M, "blk.3.attn_output.weight"), Q5_K);
        assert_eq!(of(Mix::Plain(Q4_0), "blk.3.attn_output.weight"), Q4_0);
    }

    #[test]
    fn small_and_large_mixes_seventy_billion_and_importances_have_their_own_rules() {
        let seventy = Network { layers: 80, heads_per_kv: 8, seventy: true, ..DENSE };
        let guarded = Network { importance: true, ..DENSE };
        let cases = [
            (Mix::Q3_K_S, DENSE, "blk.0.attn_v.weight", Q3_K),
            (Mix::Q3_K_L, DENSE, "blk.9.attn_v.weight", Q5_K),
            (Mix::Q3_K_L, DENSE, "blk.9.attn_output.weight", Q5_K),
            (Mix::Q3_K_L, Network { experts: 8, ..DENSE }, "blk.9.attn_output.weight", Q3_K),
            (Mix::Q4_K_S, DENSE, "blk.3.attn_v.weight", Q5_K),
            (Mix::Q4_K_S, DENSE, "blk.4.attn_v.weight", Q4_K),
            (Mix::Q4_K_S, DENSE, "blk.1.ffn_down.weight", Q5_K),
            (Mix::Q4_K_S, DENSE, "blk.2.ffn_down.weight", Q4_K),
            (Mix::Q5_K_S, DENSE, "blk.0.attn_v.weight", Q5_K),
            (Mix::Q4_K_M, seventy, "blk.12.attn_v.weight", Q6_K),
            (Mix::Q4_K_M, seventy, "blk.11.attn_v.weight", Q5_K),
            (Mix::Q4_K_M, seventy, "blk.11.attn_q.weight", Q4_K),
            (Mix::Plain(Q2_K), seventy, "blk.11.attn_v.weight", Q5_K),
            (Mix::Plain(Q4_0), guarded, "blk.1.ffn_down.weight", Q4_1),
            (Mix::Plain(Q5_0), guarded, "blk.2.ffn_down.weight", Q5_0),
            (Mix::Plain(IQ4_NL), guarded, "blk.0.ffn_down.weight", IQ4_NL),
            (Mix::Plain(IQ4_NL), DENSE, "blk.0.ffn_down.weight", Q5_K),
        ];
        for (mix, network, tensor, expected) in cases {
            let chosen = mix.format_of(tensor, &[512, 256], &network);
            assert_eq!(chosen, expected, "{mix:?} {tensor} {network:?}");
        }
    }

    #[test]
    fn more_bits_go_to_both_ends_and_every_third_layer() {
        let lifted: Vec<usize> = (0..16).filter(|&layer| more_bits(layer, 16)).collect();
        assert_eq!(lifted, [0, 1, 4, 7, 10, 13, 14, 15]);
        assert_eq!((0..2).filter(|&layer| more_bits(layer, 2)).collect::<Vec<_>>(), [1]);
        assert!(more_bits(0, 0));
    }
}
