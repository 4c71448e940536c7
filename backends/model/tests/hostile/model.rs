//! Family F: files that are valid GGUF and no model.

use crate::build::{ARRAY, F32, File, I32, U8, U32, array, llama, texts};
use crate::case::{Case, case};
use crate::families;

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = hyper_parameters();
    cases.extend(shapes());
    cases.extend(families::cases());
    cases.extend(vocabulary());
    cases.extend(unsupported());
    cases
}

fn hyper_parameters() -> Vec<Case> {
    let u32 = |key: &str, n| llama().u32(key, n);
    let (heads, kv) = ("llama.attention.head_count", "llama.attention.head_count_kv");
    let per_layer = |values: &[u32]| {
        let bytes: Vec<u8> = values.iter().flat_map(|n| n.to_le_bytes()).collect();
        llama().set(kv, ARRAY, array(U32, values.len() as u64, &bytes))
    };
    let eps = "llama.attention.layer_norm_rms_epsilon";
    let mut cases = vec![
        case(
            "F empty file, no architecture [HEADER EMPTY]",
            File::empty(),
            ["general.architecture", "no such key", "llama, mistral3, qwen2"],
        ),
        case(
            "F architecture missing",
            llama().without("general.architecture"),
            ["general.architecture", "no such key", "llama"],
        ),
        case("F head_count 0", u32(heads, 0), [heads, "0", "1 to"]),
        case("F head_count_kv 0", u32(kv, 0), [kv, "0", "1 to"]),
        case("F head_count_kv 3 of 4", u32(kv, 3), [kv, "3", "a divisor of head_count 4"]),
        case("F head_count_kv over head_count", u32(kv, 8), [kv, "8", "divisor"]),
        case("F head_count_kv wrong in one layer", per_layer(&[2, 3]), [kv, "3", "divisor"]),
        case(
            "F head_count_kv for three of two layers",
            per_layer(&[2, 2, 2]),
            [kv, "3 elements", "2 elements"],
        ),
        case(
            "F head_count_kv 0 in one layer",
            per_layer(&[2, 0]),
            ["head_count_kv[1]", "0", "1 to"],
        ),
        case(
            "F embedding_length not divisible",
            u32(heads, 6).u32(kv, 2),
            [heads, "6", "divisor of embedding_length 64"],
        ),
        case("F head_count u32::MAX", u32(heads, u32::MAX), [heads, "4294967295", "1 to"]),
        case(
            "F embedding_length 0",
            u32("llama.embedding_length", 0),
            ["embedding_length", "0", "1 to"],
        ),
        case(
            "F embedding_length u32::MAX",
            u32("llama.embedding_length", u32::MAX),
            ["embedding_length", "4294967295", "1 to"],
        ),
        case(
            "F block_count u32::MAX",
            u32("llama.block_count", u32::MAX),
            ["block_count", "4294967295", "20 tensors"],
        ),
        case("F block_count 0", u32("llama.block_count", 0), ["block_count", "0", "1 to"]),
        case(
            "F block_count one too many",
            u32("llama.block_count", 3),
            ["tensor blk.2.attn_norm.weight", "no such tensor", "[64]"],
        ),
        case("F context_length 0", u32("llama.context_length", 0), ["context_length", "0", "1 to"]),
        case(
            "F key_length u32::MAX",
            u32("llama.attention.key_length", u32::MAX),
            ["key_length", "4294967295", "1 to 16384"],
        ),
        case(
            "F rope dimensions over the head's",
            u32("llama.rope.dimension_count", 18),
            ["rope.dimension_count", "18", "2 to 16"],
        ),
        case(
            "F rope dimensions odd",
            u32("llama.rope.dimension_count", 15),
            ["rope.dimension_count", "15", "even"],
        ),
        case(
            "F rope dimensions 0",
            u32("llama.rope.dimension_count", 0),
            ["rope.dimension_count", "0", "2 to 16"],
        ),
        case(
            "F feed_forward_length missing",
            llama().without("llama.feed_forward_length"),
            ["feed_forward_length", "no such key", "1 to"],
        ),
        case("F epsilon missing", llama().without(eps), [eps, "no such key", "positive"]),
        case(
            "F vocab_size other than the embedding's rows",
            u32("llama.vocab_size", 41),
            ["token_embd.weight shape", "[64, 40]", "[64, 41]"],
        ),
        case(
            "F more experts used than stored",
            u32("llama.expert_count", 4).u32("llama.expert_used_count", 5),
            ["expert_used_count", "5", "1 to 4"],
        ),
        case(
            "F expert_used_count missing",
            u32("llama.expert_count", 4),
            ["expert_used_count", "no such key", "1 to 4"],
        ),
    ];
    for (name, value) in
        [("NaN", f32::NAN), ("infinite", f32::INFINITY), ("0", 0.0), ("negative", -1.0)]
    {
        let finite = "positive, finite";
        cases.push(case(&format!("F epsilon {name}"), llama().f32(eps, value), [eps, "", finite]));
        cases.push(case(
            &format!("F rope base {name}"),
            llama().f32("llama.rope.freq_base", value),
            ["freq_base", "", finite],
        ));
        cases.push(case(
            &format!("F rope factor {name}"),
            llama().f32("llama.rope.scaling.factor", value),
            ["scaling.factor", "", finite],
        ));
    }
    cases
}

fn shapes() -> Vec<Case> {
    let q = "blk.1.attn_q.weight";
    let freqs = |n: u64| llama().tensor("rope_freqs.weight", 0, &[n]);
    vec![
        case(
            "F context and vocabulary: embedding of another width",
            llama().change("token_embd.weight", |t| t.shape = vec![32, 40]),
            ["token_embd.weight shape", "[32, 40]", "[64, 40]"],
        ),
        case(
            "F embedding with one dimension",
            llama().change("token_embd.weight", |t| t.shape = vec![64]),
            ["token_embd.weight", "no such matrix", "vocabulary"],
        ),
        case(
            "F tensor transposed",
            llama().change("blk.1.ffn_up.weight", |t| t.shape = vec![96, 64]),
            ["blk.1.ffn_up.weight shape", "[96, 64]", "[64, 96]"],
        ),
        case(
            "F tensor with a dimension more",
            llama().change(q, |t| t.shape = vec![64, 64, 1]),
            [q, "[64, 64, 1]", "[64, 64]"],
        ),
        case(
            "F tensor missing",
            llama().drop_tensor("output_norm.weight").tensor("spare", 0, &[1]),
            ["output_norm.weight", "no such tensor", "[64]"],
        ),
        case(
            "F embedding missing",
            llama().drop_tensor("token_embd.weight"),
            ["token_embd.weight", "no such matrix", "vocabulary"],
        ),
        case(
            "F rope_freqs of another length",
            freqs(16),
            ["rope_freqs.weight shape", "[16]", "[8]"],
        ),
        case("F rope_freqs of zeros", freqs(8), ["rope_freqs.weight[0]", "0", "positive, finite"]),
        case(
            "F one bias of three",
            llama().tensor("blk.0.attn_q.bias", 0, &[64]),
            ["blk.0.attn_k.bias", "no such tensor", "[32]"],
        ),
        case("F qwen2 without biases", qwen2(), ["blk.0.attn_q.bias", "no such tensor", "[64]"]),
        case(
            "F experts without their tensors",
            llama().u32("llama.expert_count", 4).u32("llama.expert_used_count", 2),
            ["blk.0.ffn_gate_inp.weight", "no such tensor", "[64, 4]"],
        ),
    ]
}

/// The llama's tensors under qwen2's name.
fn qwen2() -> File {
    families::renamed(llama(), "qwen2")
}

fn vocabulary() -> Vec<Case> {
    let list = |key: &str, value: Vec<u8>| llama().set(key, ARRAY, value);
    let (scores, types) = ("tokenizer.ggml.scores", "tokenizer.ggml.token_type");
    let (tokens, merges) = ("tokenizer.ggml.tokens", "tokenizer.ggml.merges");
    let id = |key: &str, n: u32| llama().u32(key, n);
    let mut cases = vec![
        case(
            "F 39 tokens for 40 rows",
            list(tokens, texts(&["a"; 39])),
            ["tokens length", "39", "40"],
        ),
        case(
            "F 41 tokens for 40 rows",
            list(tokens, texts(&["a"; 41])),
            ["tokens length", "41", "40"],
        ),
        case(
            "F tokens as numbers",
            list(tokens, array(U8, 40, &[0; 40])),
            [tokens, "array of u8", "array of string"],
        ),
        case(
            "F scores as bytes",
            list(scores, array(U8, 40, &[0; 40])),
            [scores, "array of u8", "array of f32"],
        ),
        case(
            "F scores shorter than tokens",
            list(scores, array(F32, 39, &[0; 156])),
            ["scores length", "39", "40"],
        ),
        case(
            "F token types shorter than tokens",
            list(types, array(I32, 1, &[0; 4])),
            ["token_type length", "1", "40"],
        ),
        case(
            "F token types as floats",
            list(types, array(F32, 40, &[0; 160])),
            [types, "array of f32", "i32"],
        ),
        case(
            "F eos id at the end of the vocabulary",
            id("tokenizer.ggml.eos_token_id", 40),
            ["eos_token_id", "40", "less than"],
        ),
        case(
            "F bos id u32::MAX",
            id("tokenizer.ggml.bos_token_id", u32::MAX),
            ["bos_token_id", "4294967295", "less than"],
        ),
        case(
            "F merges as numbers",
            list(merges, array(U32, 1, &[0; 4])),
            [merges, "array of u32", "array of string"],
        ),
    ];
    for merge in ["", " ", "ab", " b", "a ", "  "] {
        let name = format!("F merge {merge:?}");
        let file = list(merges, texts(&["t 1", merge]));
        cases.push(case(&name, file, ["merges[1]", "", "two pieces"]));
    }
    cases
}

fn unsupported() -> Vec<Case> {
    let kind = |name: &str| {
        llama().text("llama.rope.scaling.type", name).f32("llama.rope.scaling.factor", 2.0)
    };
    let split = llama().set("split.count", 2, 3u16.to_le_bytes());
    vec![
        case(
            "F architecture unknown",
            llama().text("general.architecture", "gpt5"),
            ["architecture \"gpt5\"", "", "llama, mistral3, qwen2"],
        ),
        case(
            "F architecture with escapes",
            llama().text("general.architecture", "\u{1b}[31mllama\u{202e}"),
            ["\\u{1b}[31mllama\\u{202e}", "", "llama, mistral3, qwen2"],
        ),
        case("F rope scaling su", kind("su"), ["\"su\"", "", "none, linear, yarn, longrope"]),
        case(
            "F tensor nothing reads",
            llama().tensor("blk.0.attn_sinks.weight", 0, &[4]),
            ["blk.0.attn_sinks.weight", "", "attn_q.weight"],
        ),
        case("F one part of three", split, ["split over 3 files", "", "one file"]),
    ]
}
