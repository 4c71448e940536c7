//! `model convert` as a command: a file that runs, and errors that leave nothing behind.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use support::Place;
use yardstick_model::safetensors::{Dtype, encode};

const CONFIG: &str = r#"{"model_type": "llama", "vocab_size": 32, "hidden_size": 32, "num_hidden_layers": 1,
    "num_attention_heads": 2, "num_key_value_heads": 1, "intermediate_size": 32, "rms_norm_eps": 1e-5,
    "max_position_embeddings": 64, "hidden_act": "silu", "tie_word_embeddings": true}"#;

/// A llama of one layer in BF16.
fn checkpoint(place: &Place) -> String {
    let layer = |name: &str| format!("model.layers.0.{name}.weight");
    let mut tensors = vec![
        ("model.embed_tokens.weight".to_owned(), vec![32usize, 32]),
        ("model.norm.weight".to_owned(), vec![32]),
        (layer("input_layernorm"), vec![32]),
        (layer("post_attention_layernorm"), vec![32]),
    ];
    for (name, rows) in [
        ("self_attn.q_proj", 32),
        ("self_attn.k_proj", 16),
        ("self_attn.v_proj", 16),
        ("self_attn.o_proj", 32),
        ("mlp.gate_proj", 32),
        ("mlp.up_proj", 32),
        ("mlp.down_proj", 32),
    ] {
        tensors.push((layer(name), vec![rows, 32]));
    }
    let data: Vec<Vec<u8>> = tensors
        .iter()
        .map(|(_, shape)| {
            // 0.5 to 1 in steps of 2^-8: exact in BF16.
            let bits = |i: usize| 0x3f00u16 + (i * 7 % 128) as u16;
            (0..shape.iter().product()).flat_map(|i| bits(i).to_le_bytes()).collect()
        })
        .collect();
    let rows: Vec<_> =
        tensors.iter().zip(&data).map(|(t, d)| (&t.0[..], Dtype::BF16, &t.1[..], &d[..])).collect();
    let folder = place.path("checkpoint");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("config.json"), CONFIG).unwrap();
    std::fs::write(folder.join("model.safetensors"), encode(&rows)).unwrap();
    folder.display().to_string()
}

#[test]
fn a_converted_checkpoint_is_described_and_runs() {
    let place = Place::new();
    let folder = checkpoint(&place);
    let out = place.path("model.gguf").display().to_string();
    let (code, said, told) = place.run(&["model", "convert", &folder, &out]);
    assert_eq!(code, 0, "{told}");
    assert!(said.contains("llama BF16"), "{said}");
    assert!(told.contains("note: no tokenizer: there is neither tokenizer.json nor"), "{told}");
    let (code, said, told) = place.run(&["model", "inspect", &out]);
    assert_eq!(code, 0, "{told}");
    assert!(said.contains("llama, 1 layers, embedding 32"), "{said}");
    let logits = place.path("logits").display().to_string();
    let (code, _, told) =
        place.run(&["model", "logits", &out, "--tokens", "1,2,3", "--out", &logits]);
    assert_eq!(code, 0, "{told}");
    assert_eq!(std::fs::metadata(&logits).unwrap().len(), 3 * 32 * 4);
    let quantised = ["model", "convert", &folder, &out, "--type", "q8_0", "--threads", "1"];
    assert!(place.run(&quantised).1.contains("llama Q8_0"));
}

#[test]
fn what_cannot_be_converted_is_named_and_leaves_nothing() {
    let place = Place::new();
    let folder = checkpoint(&place);
    let out = place.path("model.gguf");
    let name = out.display().to_string();
    let config = place.path("checkpoint/config.json");
    let refused = |arguments: &[&str], words: &str| {
        let (code, _, told) =
            place.run(&[&["model", "convert", &folder, &name], arguments].concat());
        assert!(code == 2 && told.contains(words), "{code} {told}");
        assert!(!out.exists(), "{words}");
    };
    refused(&["--type", "Q9"], "\"Q9\" cannot be written; one of F32, F16");
    refused(&["--lora", "/nowhere"], "/nowhere");
    std::fs::write(&config, CONFIG.replace("\"vocab_size\": 32", "\"vocab_size\": 33")).unwrap();
    refused(&[], "found shape [32, 32]");
    std::fs::write(&config, CONFIG.replace("llama", "mamba")).unwrap();
    refused(&[], "model_type \"mamba\" is not supported; supported: llama, mistral");
}
