//! Where every weight ends up: turned heads, transposed, split, stacked, shifted.

use serde_json::json;

use super::build::{Checkpoint, Place, llama, values, weight};

/// Weights of a checkpoint's tensor at these places.
fn at(name: &str, places: impl IntoIterator<Item = usize>) -> Vec<f32> {
    places.into_iter().map(|i| weight(name, i)).collect()
}

#[test]
fn llamas_queries_and_keys_turn_neighbours_and_nothing_else_moves() {
    let model = Place::of(&llama()).model(None);
    assert_eq!(
        (model.architecture().name.as_str(), model.architecture().tied_head),
        ("llama", true)
    );
    // Heads of 4 rows: 0, 2, 1, 3.
    let turned = |heads: usize| {
        (0..heads).flat_map(|h| [0, 2, 1, 3].map(|j| 4 * h + j)).flat_map(|r| 8 * r..8 * r + 8)
    };
    let name = |part: &str| format!("model.layers.0.{part}.weight");
    assert_eq!(values(&model, "blk.0.attn_q.weight"), at(&name("self_attn.q_proj"), turned(2)));
    assert_eq!(values(&model, "blk.0.attn_k.weight"), at(&name("self_attn.k_proj"), turned(1)));
    for (gguf, theirs, n) in [
        ("attn_v", "self_attn.v_proj", 32),
        ("attn_output", "self_attn.o_proj", 64),
        ("ffn_gate", "mlp.gate_proj", 48),
        ("ffn_up", "mlp.up_proj", 48),
        ("ffn_down", "mlp.down_proj", 48),
        ("attn_norm", "input_layernorm", 8),
        ("ffn_norm", "post_attention_layernorm", 8),
    ] {
        assert_eq!(
            values(&model, &format!("blk.0.{gguf}.weight")),
            at(&name(theirs), 0..n),
            "{gguf}"
        );
    }
    assert_eq!(values(&model, "token_embd.weight"), at("model.embed_tokens.weight", 0..40));
}

#[test]
fn biases_turn_with_their_rows() {
    let mut made = llama().set("attention_bias", json!(true));
    for (part, n) in [("q", 8), ("k", 4), ("v", 4), ("o", 8)] {
        made.add(&format!("model.layers.0.self_attn.{part}_proj.bias"), &[n]);
    }
    let model = Place::of(&made).model(None);
    let name = |part: &str| format!("model.layers.0.self_attn.{part}_proj.bias");
    assert_eq!(values(&model, "blk.0.attn_q.bias"), at(&name("q"), [0, 2, 1, 3, 4, 6, 5, 7]));
    assert_eq!(values(&model, "blk.0.attn_k.bias"), at(&name("k"), [0, 2, 1, 3]));
    assert_eq!(values(&model, "blk.0.attn_v.bias"), at(&name("v"), 0..4));
}

#[test]
fn mixtrals_experts_are_stacked() {
    let mut made = llama().set("model_type", json!("mixtral"));
    made.config["num_local_experts"] = json!(3);
    made.config["num_experts_per_tok"] = json!(2);
    made.tensors.retain(|tensor| !tensor.0.contains("mlp."));
    made.add("model.layers.0.block_sparse_moe.gate.weight", &[3, 8]);
    let expert =
        |e: usize, w: &str| format!("model.layers.0.block_sparse_moe.experts.{e}.{w}.weight");
    for e in 0..3 {
        made.add(&expert(e, "w1"), &[6, 8]);
        made.add(&expert(e, "w2"), &[8, 6]);
        made.add(&expert(e, "w3"), &[6, 8]);
    }
    let place = Place::of(&made);
    let model = place.model(None);
    for (part, w) in [("gate", "w1"), ("down", "w2"), ("up", "w3")] {
        let all: Vec<f32> = (0..3).flat_map(|e| at(&expert(e, w), 0..48)).collect();
        assert_eq!(values(&model, &format!("blk.0.ffn_{part}_exps.weight")), all, "{part}");
    }
    Place::of(&made.drop(&expert(2, "w3")))
        .refusal(None)
        .contains("experts.2.w3")
        .then_some(())
        .unwrap();
}

#[test]
fn gpt2_is_transposed_whatever_its_prefix() {
    for prefix in ["transformer.", ""] {
        let config = json!({"model_type": "gpt2", "vocab_size": 5, "n_embd": 8, "n_layer": 1, "n_head": 2,
            "n_positions": 16, "layer_norm_epsilon": 1e-5});
        let mut made = Checkpoint { config, tensors: Vec::new() };
        let mut add = |name: &str, shape: &[usize]| made.add(&format!("{prefix}{name}"), shape);
        add("wte.weight", &[5, 8]);
        add("wpe.weight", &[16, 8]);
        for name in ["ln_f", "h.0.ln_1", "h.0.ln_2"] {
            add(&format!("{name}.weight"), &[8]);
            add(&format!("{name}.bias"), &[8]);
        }
        for (name, inputs, outputs) in [
            ("attn.c_attn", 8, 24),
            ("attn.c_proj", 8, 8),
            ("mlp.c_fc", 8, 32),
            ("mlp.c_proj", 32, 8),
        ] {
            add(&format!("h.0.{name}.weight"), &[inputs, outputs]);
            add(&format!("h.0.{name}.bias"), &[outputs]);
        }
        // Masks that old versions saved.
        add("h.0.attn.bias", &[1, 1, 16, 16]);
        let model = Place::of(&made).model(None);
        let name = format!("{prefix}h.0.attn.c_attn.weight");
        let columns = (0..24).flat_map(|output| (0..8).map(move |input| input * 24 + output));
        assert_eq!(values(&model, "blk.0.attn_qkv.weight"), at(&name, columns));
        let bias = format!("{prefix}h.0.mlp.c_proj.bias");
        assert_eq!(values(&model, "blk.0.ffn_down.bias"), at(&bias, 0..8));
    }
}

#[test]
fn gemmas_norms_get_their_one_and_openelms_projections_are_split() {
    let mut made = llama().set("model_type", json!("gemma2"));
    made.config["hidden_act"] = json!(null);
    made.config["head_dim"] = json!(4);
    made.add("model.layers.0.pre_feedforward_layernorm.weight", &[8]);
    made.add("model.layers.0.post_feedforward_layernorm.weight", &[8]);
    let model = Place::of(&made).model(None);
    let plus: Vec<f32> = at("model.layers.0.pre_feedforward_layernorm.weight", 0..8);
    let plus: Vec<f32> = plus.into_iter().map(|v| v + 1.0).collect();
    assert_eq!(values(&model, "blk.0.ffn_norm.weight"), plus);
    assert_eq!(model.architecture().layers[0].window, Some(4096));
    let config = json!({"model_type": "openelm", "vocab_size": 5, "model_dim": 8, "num_transformer_layers": 2,
        "head_dim": 4, "num_query_heads": [1, 2], "num_kv_heads": [1, 1], "ffn_multipliers": [0.5, 1.0],
        "ffn_dim_divisor": 4, "max_context_length": 64, "rope_freq_constant": 10000, "activation_fn_name": "swish"});
    let mut made = Checkpoint { config, tensors: Vec::new() };
    made.add("transformer.token_embeddings.weight", &[5, 8]);
    made.add("transformer.norm.weight", &[8]);
    for (i, heads, width) in [(0, 1, 4), (1, 2, 8)] {
        let mut add = |name: &str, shape: &[usize]| {
            made.add(&format!("transformer.layers.{i}.{name}.weight"), shape);
        };
        add("attn.qkv_proj", &[(heads + 2) * 4, 8]);
        add("attn.out_proj", &[8, heads * 4]);
        add("attn.q_norm", &[4]);
        add("attn.k_norm", &[4]);
        add("attn_norm", &[8]);
        add("ffn_norm", &[8]);
        add("ffn.proj_1", &[2 * width, 8]);
        add("ffn.proj_2", &[8, width]);
    }
    let model = Place::of(&made).model(None);
    let name = "transformer.layers.1.ffn.proj_1.weight";
    assert_eq!(values(&model, "blk.1.ffn_gate.weight"), at(name, 0..64));
    assert_eq!(values(&model, "blk.1.ffn_up.weight"), at(name, 64..128));
    let heads: Vec<usize> = model.architecture().layers.iter().map(|l| l.heads).collect();
    assert_eq!((heads, model.architecture().norm.eps), (vec![1, 2], 1e-6));
}

#[test]
fn old_and_new_words_for_rotary_settings_mean_the_same() {
    let scaling = json!({"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
        "high_freq_factor": 4.0, "original_max_position_embeddings": 32});
    let mut new = scaling.clone();
    new["rope_theta"] = json!(500_000.0);
    let old = llama().set("rope_theta", json!(500_000.0)).set("rope_scaling", scaling);
    let new = llama().set("rope_theta", json!(null)).set("rope_parameters", new);
    let [old, new] = [old, new].map(|made| Place::of(&made).model(None).architecture().clone());
    assert_eq!(old, new);
    assert_eq!(old.rotary[0].base, 500_000.0);
    assert_ne!(Place::of(&llama()).model(None).architecture().rotary[0], old.rotary[0]);
}
