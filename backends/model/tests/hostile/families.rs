//! Family F, continued: what other architectures than llama ask for, and cannot have.

use crate::build::{ARRAY, BOOL, File, STRING, U32, array, llama, texts};
use crate::case::{Case, case};

/// A file's keys under another family's name.
pub(crate) fn renamed(file: File, name: &str) -> File {
    file.text("general.architecture", name).with(|f| {
        for pair in &mut f.pairs {
            if let Some(rest) = pair.key.strip_prefix(b"llama.".as_slice()) {
                pair.key = [name.as_bytes(), b".", rest].concat();
            }
        }
    })
}

/// The llama's tensors as those of another family, with further ones in both layers.
fn family(name: &str, parts: &[(&str, &[u64])]) -> File {
    (0..2).fold(renamed(llama(), name), |file, layer| {
        parts
            .iter()
            .fold(file, |file, (part, shape)| file.tensor(&format!("blk.{layer}.{part}"), 0, shape))
    })
}

const POST: [(&str, &[u64]); 2] =
    [("post_attention_norm.weight", &[64]), ("post_ffw_norm.weight", &[64])];
const HEAD_NORMS: [(&str, &[u64]); 2] =
    [("attn_q_norm.weight", &[16]), ("attn_k_norm.weight", &[16])];

fn gemma3() -> File {
    family("gemma3", &[POST, HEAD_NORMS].concat())
}

/// A llama with three experts in the place of its blocks.
fn experts(name: &str) -> File {
    let parts: [(&str, &[u64]); 4] = [
        ("ffn_gate_inp.weight", &[64, 3]),
        ("ffn_gate_exps.weight", &[64, 96, 3]),
        ("ffn_up_exps.weight", &[64, 96, 3]),
        ("ffn_down_exps.weight", &[96, 64, 3]),
    ];
    let dense = ["ffn_gate", "ffn_up", "ffn_down"];
    let file = family(name, &parts);
    let file = (0..2).fold(file, |file, layer| {
        dense
            .iter()
            .fold(file, |file, part| file.drop_tensor(&format!("blk.{layer}.{part}.weight")))
    });
    let key = |suffix: &str| format!("{name}.{suffix}");
    file.u32(&key("expert_count"), 3).u32(&key("expert_used_count"), 2)
}

fn numbers(values: &[u32]) -> Vec<u8> {
    let bytes: Vec<u8> = values.iter().flat_map(|n| n.to_le_bytes()).collect();
    array(U32, values.len() as u64, &bytes)
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = windows();
    cases.extend(rotaries());
    cases.extend(heads_and_widths());
    cases.extend(mixtures());
    cases.extend(missing_tensors());
    cases.extend(scales());
    cases
}

fn windows() -> Vec<Case> {
    let (window, pattern) =
        ("gemma3.attention.sliding_window", "gemma3.attention.sliding_window_pattern");
    vec![
        case(
            "F window 0",
            llama().u32("llama.attention.sliding_window", 0),
            ["attention.sliding_window", "0", "1 to"],
        ),
        case("F window 0 of gemma3", gemma3().u32(window, 0), [window, "0", "1 to"]),
        case("F window as text", gemma3().text(window, "8"), [window, "string", "unsigned"]),
        case(
            "F window pattern for three of two layers",
            gemma3().set(pattern, ARRAY, array(BOOL, 3, &[1, 1, 0])),
            [pattern, "3 elements", "2 elements"],
        ),
        case(
            "F window pattern of numbers",
            gemma3().set(pattern, ARRAY, numbers(&[1, 1])),
            [pattern, "array of u32", "bool"],
        ),
    ]
}

fn rotaries() -> Vec<Case> {
    let phi3 = || renamed(llama(), "phi3");
    let factors = |short: u64, long: u64| {
        phi3().tensor("rope_factors_short.weight", 0, &[short]).tensor(
            "rope_factors_long.weight",
            0,
            &[long],
        )
    };
    let halves = |file: File| {
        // Fused as phi3 has them: 2 * 96 rows.
        (0..2).fold(file, |file, i| {
            file.change(&format!("blk.{i}.ffn_up.weight"), |t| t.shape = vec![64, 192])
                .drop_tensor(&format!("blk.{i}.ffn_gate.weight"))
        })
    };
    let original = "phi3.rope.scaling.original_context_length";
    vec![
        case(
            "F long factors of another length",
            halves(factors(8, 16)),
            ["rope_factors_long.weight shape", "[16]", "[8]"],
        ),
        case(
            "F short factors without long ones",
            halves(phi3().tensor("rope_factors_short.weight", 0, &[8])),
            ["rope_factors_long.weight", "no such tensor", "[8]"],
        ),
        case(
            "F factors of zeros",
            halves(factors(8, 8)),
            ["rope_factors_short.weight[0]", "0", "positive, finite"],
        ),
        case(
            "F original context 0",
            halves(factors(8, 8)).u32(original, 0),
            [original, "0", "1 to"],
        ),
        case(
            "F factors in a family without",
            gemma3().tensor("rope_freqs.weight", 0, &[8]),
            ["rope_freqs.weight", "", "attn_q.weight"],
        ),
        case(
            "F rotary base of windows NaN",
            gemma3().f32("gemma3.rope.freq_base_swa", f32::NAN),
            ["rope.freq_base_swa", "NaN", "positive, finite"],
        ),
        case(
            "F attention factor infinite",
            halves(phi3()).f32("phi3.rope.scaling.attn_factor", f32::INFINITY),
            ["rope.scaling.attn_factor", "inf", "positive, finite"],
        ),
        case(
            "F yarn turns 0",
            llama()
                .text("llama.rope.scaling.type", "yarn")
                .f32("llama.rope.scaling.yarn_beta_fast", 0.0),
            ["yarn_beta_fast", "0", "positive, finite"],
        ),
        case(
            "F rotary dimensions over the head's, partial family",
            renamed(llama(), "stablelm")
                .f32("stablelm.attention.layer_norm_epsilon", 1e-5)
                .u32("stablelm.rope.dimension_count", 32),
            ["rope.dimension_count", "32", "2 to 16"],
        ),
        case(
            "F whether rotary is on as a number",
            renamed(llama(), "granite").u32("granite.rope.scaling.finetuned", 1),
            ["rope.scaling.finetuned", "u32", "bool"],
        ),
    ]
}

fn heads_and_widths() -> Vec<Case> {
    let each = |suffix: &str, values: &[u32]| {
        renamed(llama(), "openelm").set(&format!("openelm.{suffix}"), ARRAY, numbers(values))
    };
    vec![
        case(
            "F widths for three of two layers",
            each("feed_forward_length", &[96, 96, 96]),
            ["feed_forward_length", "3 elements", "2 elements"],
        ),
        case(
            "F no heads in one layer",
            each("attention.head_count", &[4, 0]),
            ["head_count[1]", "0", "1 to"],
        ),
        case(
            "F widths as texts",
            renamed(llama(), "openelm").set(
                "openelm.feed_forward_length",
                ARRAY,
                texts(&["96", "96"]),
            ),
            ["feed_forward_length", "array of string", "u32"],
        ),
        case(
            "F widths of no layer",
            each("feed_forward_length", &[]),
            ["feed_forward_length", "0 elements", "2 elements"],
        ),
    ]
}

fn mixtures() -> Vec<Case> {
    let key = |suffix: &str| format!("qwen3moe.{suffix}");
    let qwen = || {
        HEAD_NORMS.iter().fold(experts("qwen3moe"), |file, (part, shape)| {
            (0..2).fold(file, |file, i| file.tensor(&format!("blk.{i}.{part}"), 0, shape))
        })
    };
    vec![
        case(
            "F more experts than their tensors hold",
            qwen().u32(&key("expert_count"), 64).u32(&key("expert_feed_forward_length"), 96),
            ["ffn_gate_inp.weight shape", "[64, 3]", "[64, 64]"],
        ),
        case(
            "F a mixture without experts",
            qwen().u32(&key("expert_count"), 0),
            ["expert_count", "0", "every qwen3moe has experts"],
        ),
        case(
            "F no expert used",
            qwen().u32(&key("expert_used_count"), 0),
            ["expert_used_count", "0", "1 to 3"],
        ),
        case(
            "F experts narrower than shares",
            qwen().u32(&key("feed_forward_length"), 1),
            ["expert_feed_forward_length", "no such key", "1 to"],
        ),
        case(
            "F expert width 0",
            qwen().u32(&key("expert_feed_forward_length"), 0),
            ["expert_feed_forward_length", "0", "1 to"],
        ),
        case(
            "F expert scale NaN",
            experts("llama").f32("llama.expert_weights_scale", f32::NAN),
            ["expert_weights_scale", "NaN", "not negative"],
        ),
        case(
            "F shared expert without its tensors",
            experts("llama").u32("llama.expert_shared_feed_forward_length", 32),
            ["blk.0.ffn_gate_shexp.weight", "no such tensor", "[64, 32]"],
        ),
        case(
            "F experts in a dense family",
            renamed(llama(), "phi3").u32("phi3.expert_count", 4),
            ["phi3 with experts", "", "dense"],
        ),
    ]
}

fn missing_tensors() -> Vec<Case> {
    let norms = |name: &str| {
        family(name, &[("attn_norm.bias", &[64]), ("ffn_norm.bias", &[64])])
            .f32(&format!("{name}.attention.layer_norm_epsilon"), 1e-5)
            .tensor("output_norm.bias", 0, &[64])
    };
    vec![
        case(
            "F gemma3 without post norms",
            family("gemma3", &HEAD_NORMS),
            ["blk.0.post_attention_norm.weight", "no such tensor", "[64]"],
        ),
        case(
            "F norms of heads for all heads",
            gemma3().change("blk.1.attn_q_norm.weight", |t| t.shape = vec![64]),
            ["blk.1.attn_q_norm.weight shape", "[64]", "[16]"],
        ),
        case(
            "F olmoe with norms of single heads",
            HEAD_NORMS.iter().fold(experts("olmoe"), |file, (part, shape)| {
                (0..2).fold(file, |file, i| file.tensor(&format!("blk.{i}.{part}"), 0, shape))
            }),
            ["blk.0.attn_q_norm.weight shape", "[16]", "[64]"],
        ),
        case(
            "F gpt2 without positions",
            norms("gpt2"),
            ["position_embd.weight", "no such tensor", "[64, 128]"],
        ),
        case(
            "F gpt2 with fewer positions than its context",
            norms("gpt2").tensor("position_embd.weight", 0, &[64, 100]),
            ["position_embd.weight shape", "[64, 100]", "[64, 128]"],
        ),
        case(
            "F stablelm with the norm of a query head too many",
            norms("stablelm").tensor("blk.0.attn_q_norm.weight", 0, &[16, 5]),
            ["blk.0.attn_q_norm.weight shape", "[16, 5]", "[16, 4]"],
        ),
        case(
            "F stablelm without the bias of a norm",
            norms("stablelm").drop_tensor("blk.1.ffn_norm.bias"),
            ["blk.1.ffn_norm.bias", "no such tensor", "[64]"],
        ),
        case(
            "F layer norm's epsilon missing",
            renamed(llama(), "stablelm"),
            ["attention.layer_norm_epsilon", "no such key", "positive"],
        ),
        case(
            "F fused q, k and v of another width",
            llama().tensor("blk.0.attn_qkv.weight", 0, &[64, 100]),
            ["blk.0.attn_qkv.weight shape", "[64, 100]", "[64, 128]"],
        ),
    ]
}

fn scales() -> Vec<Case> {
    let granite = || renamed(llama(), "granite");
    vec![
        case(
            "F logit scale NaN",
            granite().f32("granite.logit_scale", f32::NAN),
            ["logit_scale", "NaN", "not negative"],
        ),
        case(
            "F residual scale infinite",
            granite().f32("granite.residual_scale", f32::INFINITY),
            ["residual_scale", "inf", "not negative"],
        ),
        case(
            "F attention scale as text",
            granite().set("granite.attention.scale", STRING, crate::build::text("1")),
            ["attention.scale", "string", "f32"],
        ),
        case(
            "F soft cap negative",
            gemma3().f32("gemma3.final_logit_softcapping", -30.0),
            ["final_logit_softcapping", "-30", "not negative"],
        ),
        case(
            "F temperature NaN",
            renamed(llama(), "mistral3").f32("mistral3.attention.temperature_scale", f32::NAN),
            ["attention.temperature_scale", "NaN", "not negative"],
        ),
    ]
}
