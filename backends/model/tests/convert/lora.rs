//! Adapters: what is merged is `scale * B A`, and what is more than that is refused by name.

use serde_json::{Value, json};
use yardstick_model::Format;
use yardstick_model::gguf::Header;
use yardstick_model::safetensors::{Dtype, encode};

use super::build::{Place, llama, values, weight};

const Q: &str = "base_model.model.model.layers.0.self_attn.q_proj";

fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

/// A rank of 2: A is (2, 8), B (8, 2).
fn halves() -> (Vec<f32>, Vec<f32>) {
    let a = (0..16).map(|i| i as f32 / 16.0 - 0.3).collect();
    let b = (0..16).map(|i| 0.5 - i as f32 / 8.0).collect();
    (a, b)
}

fn adapter(place: &Place, more: Value, module: &str) -> std::path::PathBuf {
    let mut config = json!({"peft_type": "LORA", "r": 2, "lora_alpha": 3, "bias": "none", "use_dora": false,
        "modules_to_save": null, "target_modules": ["q_proj"], "init_lora_weights": true});
    more.as_object().unwrap().iter().for_each(|(k, v)| config[k] = v.clone());
    let (a, b) = halves();
    let names = [format!("{module}.lora_A.weight"), format!("{module}.lora_B.weight")];
    let file = encode(&[
        (&names[0], Dtype::F32, &[2, 8], &bytes(&a)),
        (&names[1], Dtype::F32, &[8, 2], &bytes(&b)),
    ]);
    place.write("lora/adapter_config.json", config.to_string());
    place.write("lora/adapter_model.safetensors", file);
    place.path("lora")
}

/// The query projection with `scale * B A`, heads turned.
fn merged(scale: f32) -> Vec<f32> {
    let (a, b) = halves();
    let rows = [0, 2, 1, 3, 4, 6, 5, 7];
    rows.iter()
        .flat_map(|&r| (0..8).map(move |c| (r, c)))
        .map(|(r, c)| {
            let sum = b[2 * r] * a[c] + b[2 * r + 1] * a[8 + c];
            weight("model.layers.0.self_attn.q_proj.weight", 8 * r + c) + scale * sum
        })
        .collect()
}

fn close(found: &[f32], wanted: &[f32]) {
    assert!(found.iter().zip(wanted).all(|(f, w)| (f - w).abs() < 1e-6), "{found:?} {wanted:?}");
}

#[test]
fn an_adapter_is_merged_at_its_scale() {
    for (more, scale) in [(json!({}), 1.5), (json!({"use_rslora": true}), 3.0 / 2f32.sqrt())] {
        let place = Place::of(&llama());
        let lora = adapter(&place, more, Q);
        let model = place.model(Some(&lora));
        close(&values(&model, "blk.0.attn_q.weight"), &merged(scale));
        let plain = Place::of(&llama()).model(None);
        let v = "blk.0.attn_v.weight";
        assert_eq!(values(&model, v), values(&plain, v));
    }
}

#[test]
fn an_adapter_in_gguf_is_merged_in_ggufs_order() {
    let place = Place::of(&llama());
    let (a, b) = halves();
    // B's rows as llama.cpp's converter turns them.
    let turned: Vec<f32> =
        [0, 2, 1, 3, 4, 6, 5, 7].iter().flat_map(|&r| [b[2 * r], b[2 * r + 1]]).collect();
    let mut header = Header::new("lora");
    header.set("general.type", "adapter");
    header.set("general.architecture", "llama");
    header.set("adapter.type", "lora");
    header.set("adapter.lora.alpha", 3.0f32);
    header.tensor("blk.0.attn_q.weight.lora_a", Format::F32, &[8, 2]).unwrap();
    header.tensor("blk.0.attn_q.weight.lora_b", Format::F32, &[2, 8]).unwrap();
    let mut data = header.start(Vec::new()).unwrap();
    data.write(&bytes(&a)).unwrap();
    data.write(&bytes(&turned)).unwrap();
    place.write("lora.gguf", data.finish().unwrap());
    let model = place.model(Some(&place.path("lora.gguf")));
    close(&values(&model, "blk.0.attn_q.weight"), &merged(1.5));
}

#[test]
fn what_is_more_than_two_matrices_is_refused_by_name() {
    for (more, words) in [
        (json!({"use_dora": true}), "DoRA (use_dora"),
        (json!({"modules_to_save": ["lm_head"]}), "modules saved whole (modules_to_save"),
        (json!({"bias": "all"}), "biases trained"),
        (json!({"peft_type": "IA3"}), "another kind of adapter than LoRA"),
        (json!({"alpha_pattern": {"q_proj": 4}}), "alpha for each module"),
        (json!({"init_lora_weights": "pissa"}), "changes the model itself"),
        (json!({"r": 4}), "r = 4, as adapter_config.json says"),
        (json!({"lora_alpha": null}), "lora_alpha"),
    ] {
        let place = Place::of(&llama());
        let lora = adapter(&place, more, Q);
        let text = place.refusal(Some(&lora));
        assert!(text.contains(words), "{text:?} lacks {words:?}");
    }
    let place = Place::of(&llama());
    for (module, words) in [
        ("base_model.model.model.layers.1.self_attn.q_proj", "layers.1.self_attn.q_proj\""),
        ("base_model.model.model.layers.0.self_attn.k_proj", "B (4, rank)"),
    ] {
        let lora = adapter(&place, json!({}), module);
        let text = place.refusal(Some(&lora));
        assert!(text.contains(words), "{text:?} lacks {words:?}");
    }
    for (name, words) in [
        (format!("{Q}.lora_magnitude_vector"), "DoRA"),
        (
            "base_model.model.model.embed_tokens.lora_embedding_A".to_owned(),
            "adapter of embeddings",
        ),
        ("base_model.model.lm_head.weight".to_owned(), "modules_to_save"),
        (format!("{Q}.lora_A.weight"), "the other half"),
    ] {
        let lora = adapter(&place, json!({}), Q);
        let file = encode(&[(&name, Dtype::F32, &[2, 8], &bytes(&[0.0; 16]))]);
        place.write("lora/adapter_model.safetensors", file);
        let text = place.refusal(Some(&lora));
        assert!(text.contains(words), "{text:?} lacks {words:?}");
    }
}
