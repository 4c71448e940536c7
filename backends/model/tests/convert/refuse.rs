//! Configurations and tensors that contradict each other, and what cannot be converted: errors that name both.

use serde_json::json;

use super::build::{Checkpoint, Place, llama};

#[test]
fn what_contradicts_is_an_error_naming_file_field_found_and_expected() {
    const Q: &str = "model.layers.0.self_attn.q_proj.weight";
    let cases: Vec<(&str, Checkpoint, &[&str])> = vec![
        (
            "no model_type",
            llama().set("model_type", json!(null)),
            &["config.json: model_type", "llama, mistral"],
        ),
        (
            "unknown family",
            llama().set("model_type", json!("mamba")),
            &["model_type \"mamba\" is not supported", "qwen2"],
        ),
        (
            "no layers",
            llama().set("num_hidden_layers", json!(null)),
            &["num_hidden_layers", "no such key"],
        ),
        (
            "layers as text",
            llama().set("num_hidden_layers", json!("1")),
            &["num_hidden_layers", "whole number"],
        ),
        (
            "more layers",
            llama().set("num_hidden_layers", json!(2)),
            &["config.json", "model.layers.1.", "no such tensor", "2 layers"],
        ),
        (
            "absurdly many layers",
            llama().set("num_hidden_layers", json!(4_000_000_000u32)),
            &["block_count"],
        ),
        ("fewer heads", llama().set("num_attention_heads", json!(1)), &["model.safetensors"]),
        (
            "heads that do not divide",
            llama().set("num_attention_heads", json!(3)),
            &["q_proj", "3 heads 2 wide"],
        ),
        ("no heads", llama().set("num_attention_heads", json!(0)), &["head_count", "0"]),
        (
            "another width",
            llama().set("hidden_size", json!(16)),
            &["embed_tokens", "[5, 8] in", "[5, 16]", "config.json says"],
        ),
        (
            "another vocabulary",
            llama().set("vocab_size", json!(6)),
            &["embed_tokens", "[6, 8]", "vocabulary 6"],
        ),
        ("a tensor missing", llama().drop(Q), &[Q, "blk.0.attn_q.weight", "no such tensor"]),
        ("a tensor turned", llama().with(Q, &[64]), &[Q, "[64]", "[8, 8]"]),
        (
            "a tensor more",
            llama().with("model.layers.0.x.weight", &[1]),
            &["model.layers.0.x.weight", "no such tensor in a llama"],
        ),
        (
            "a layer more",
            llama().with("model.layers.1.input_layernorm.weight", &[8]),
            &["layers.1.", "1 layers"],
        ),
        (
            "a head that is said to be tied is not missed",
            llama().set("tie_word_embeddings", json!(false)),
            &["lm_head.weight", "no such tensor"],
        ),
        (
            "biases announced",
            llama().set("attention_bias", json!(true)),
            &["attention_bias", "no tensor", "q_proj.bias"],
        ),
        (
            "biases unannounced",
            llama()
                .set("attention_bias", json!(false))
                .with("model.layers.0.self_attn.q_proj.bias", &[8]),
            &["attention_bias", "a tensor", "q_proj.bias"],
        ),
        (
            "another activation",
            llama().set("hidden_act", json!("gelu")),
            &["hidden_act \"gelu\"", "silu"],
        ),
        (
            "unknown scaling",
            llama().set("rope_scaling", json!({"type": "magic"})),
            &["\"magic\"", "longrope"],
        ),
        (
            "scaling without factor",
            llama().set("rope_scaling", json!({"type": "linear"})),
            &["rope_scaling.factor", "no such key"],
        ),
        (
            "factors of another length",
            llama().set(
                "rope_scaling",
                json!({"type": "longrope", "long_factor": [1.0], "short_factor": [1.0, 1.0]}),
            ),
            &["rope_scaling.long_factor", "1 numbers", "2 numbers"],
        ),
        (
            "a part of neighbours",
            llama().set("partial_rotary_factor", json!(0.5)),
            &["partial_rotary_factor = 0.5", "turns neighbours"],
        ),
        (
            "quantised",
            llama().set("quantization_config", json!({"quant_method": "hqq"})),
            &["quant_method", "hqq", "supported: awq"],
        ),
        (
            "not finite",
            llama().set("rms_norm_eps", json!("1e999")),
            &["rms_norm_eps", "finite number"],
        ),
    ];
    let mut wrong = Vec::new();
    for (name, made, words) in cases {
        let text = Place::of(&made).refusal(None);
        if !words.iter().all(|word| text.contains(word)) {
            wrong.push(format!("{name}: {text:?} lacks one of {words:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_source_is_not_overwritten() {
    use std::ops::ControlFlow;
    use yardstick_model::convert::{Converting, convert};
    let place = Place::of(&llama());
    let source = place.path("model.safetensors");
    let before = std::fs::read(&source).unwrap();
    let how = Converting { mix: None, lora: None, threads: 1 };
    let result = convert(&place.path("."), &source, &how, &mut |_| ControlFlow::Continue(()));
    assert!(result.unwrap_err().to_string().contains("the same file"));
    assert_eq!(std::fs::read(&source).unwrap(), before);
}

#[test]
fn files_that_are_cut_short_or_missing_are_named() {
    let place = Place::of(&llama());
    let whole = std::fs::read(place.path("model.safetensors")).unwrap();
    place.write("model.safetensors", &whole[..whole.len() - 1]);
    assert!(place.refusal(None).contains("is the file truncated?"));
    std::fs::remove_file(place.path("model.safetensors")).unwrap();
    assert!(place.refusal(None).contains("model.safetensors.index.json"));
    place.write("config.json", "[]");
    assert!(place.refusal(None).contains("config.json: file: found another JSON value"));
    std::fs::remove_file(place.path("config.json")).unwrap();
    assert!(place.refusal(None).contains("config.json: No such file"));
}
