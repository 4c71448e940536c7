//! The smallest model: a file in memory, its tokens, and what the null backend answers to them.
#![allow(clippy::unwrap_used, reason = "test support")]

use std::sync::Arc;

use yardstick_api::conformance::Case;
use yardstick_model::gguf::{Gguf, Header};
use yardstick_model::{Format, Model};

pub(crate) const VOCAB: usize = 61;

/// One llama layer of zeros.
pub(crate) fn model() -> Arc<Model> {
    let mut header = Header::new("tiny");
    header.set("general.architecture", "llama");
    let counts = [
        ("context_length", 256_u32),
        ("embedding_length", 4),
        ("block_count", 1),
        ("attention.head_count", 2),
        ("attention.head_count_kv", 1),
        ("feed_forward_length", 4),
        ("rope.dimension_count", 2),
    ];
    counts.iter().for_each(|(key, count)| header.set(&format!("llama.{key}"), *count));
    header.set("llama.attention.layer_norm_rms_epsilon", 1e-5_f32);
    let tensors: [(&str, &[usize]); 11] = [
        ("token_embd", &[4, VOCAB]),
        ("output_norm", &[4]),
        ("blk.0.attn_norm", &[4]),
        ("blk.0.attn_q", &[4, 4]),
        ("blk.0.attn_k", &[4, 2]),
        ("blk.0.attn_v", &[4, 2]),
        ("blk.0.attn_output", &[4, 4]),
        ("blk.0.ffn_norm", &[4]),
        ("blk.0.ffn_gate", &[4, 4]),
        ("blk.0.ffn_up", &[4, 4]),
        ("blk.0.ffn_down", &[4, 4]),
    ];
    for (name, shape) in tensors {
        header.tensor(&format!("{name}.weight"), Format::F32, shape).unwrap();
    }
    let mut data = header.start(Vec::new()).unwrap();
    while let Some(bytes) = data.next().map(|tensor| tensor.bytes) {
        data.write(&vec![0; bytes]).unwrap();
    }
    let file = data.finish().unwrap();
    Arc::new(Model::from_gguf(Gguf::from_bytes("tiny", file).unwrap()).unwrap())
}

pub(crate) fn case() -> Case {
    let tokens = yardstick_api::verify::prompt(VOCAB, 24);
    let expected = yardstick_null::logits(&tokens, VOCAB);
    Case { name: "tiny".into(), model: model(), tokens, expected, tolerance: Some(0.0) }
}
