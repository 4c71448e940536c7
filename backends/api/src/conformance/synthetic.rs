//! Small models made up on the spot, for shapes and formats the golden models lack and for machines without them.
//! Their answers come from another backend, the reference.

use std::sync::Arc;

use yardstick_model::gguf::{Gguf, Header};
use yardstick_model::{Architecture, Error, Format, Model};

use super::Case;
use crate::{Backend, Batch, DeviceStatus, Rows, Sequence, Span, verify};

/// What a made-up model looks like.
struct Shape {
    name: &'static str,
    family: &'static str,
    format: Format,
    embedding: usize,
    vocab: usize,
    heads: usize,
    kv_heads: usize,
    key_dim: usize,
    value_dim: usize,
    rotated: usize,
    width: usize,
    layers: usize,
    /// Stored and used; 0 for a dense block.
    experts: (usize, usize),
    tied: bool,
    /// Carries Llama 3's rotary factors.
    factors: bool,
    /// Further keys, without the family's name.
    keys: &'static [(&'static str, Value)],
    /// Tensors the family may lack, by the ends of their names.
    stored: &'static [&'static str],
}

/// A metadata value.
enum Value {
    U32(u32),
    F32(f32),
    /// One a layer.
    Each(&'static [u32]),
    Bools(&'static [bool]),
    Text(&'static str),
}

/// Two layers of llama, dense, everything small.
const PLAIN: Shape = Shape {
    name: "plain",
    family: "llama",
    format: Format::F32,
    embedding: 32,
    vocab: 61,
    heads: 2,
    kv_heads: 1,
    key_dim: 16,
    value_dim: 16,
    rotated: 16,
    width: 48,
    layers: 2,
    experts: (0, 0),
    tied: true,
    factors: false,
    keys: &[],
    stored: &[],
};

const SHAPES: &[Shape] = &[
    PLAIN,
    // Rows of 1.5 to 6 blocks, three query heads to a key head.
    Shape {
        name: "gqa-q4_0",
        format: Format::Q4_0,
        embedding: 96,
        vocab: 131,
        heads: 6,
        kv_heads: 2,
        key_dim: 32,
        value_dim: 32,
        rotated: 32,
        width: 160,
        ..PLAIN
    },
    // So many query heads to a key head that some devices multiply them otherwise.
    Shape {
        name: "seven-q8_0",
        format: Format::Q8_0,
        embedding: 64,
        heads: 7,
        kv_heads: 1,
        key_dim: 32,
        value_dim: 32,
        rotated: 32,
        width: 96,
        ..PLAIN
    },
    // Nothing divides by anything; values narrower than keys; the last elements of a head do not turn.
    Shape {
        name: "odd-f16",
        format: Format::F16,
        embedding: 70,
        vocab: 97,
        heads: 3,
        key_dim: 26,
        value_dim: 21,
        rotated: 18,
        width: 51,
        tied: false,
        factors: true,
        ..PLAIN
    },
    Shape { name: "plain-bf16", format: Format::BF16, ..PLAIN },
    Shape {
        name: "bias-q8_0",
        family: "qwen2",
        format: Format::Q8_0,
        embedding: 64,
        width: 96,
        ..PLAIN
    },
    Shape { name: "bias-q5_0", family: "qwen2", format: Format::Q5_0, width: 96, ..PLAIN },
    Shape { name: "plain-q4_1", format: Format::Q4_1, width: 32, ..PLAIN },
    Shape { name: "plain-q5_1", format: Format::Q5_1, width: 96, tied: false, ..PLAIN },
    Shape { name: "wide-q6_k", format: Format::Q6_K, heads: 8, width: 512, ..WIDE },
    Shape { name: "wide-q5_k", format: Format::Q5_K, key_dim: 64, value_dim: 64, ..WIDE },
    Shape { name: "experts-q4_k", format: Format::Q4_K, experts: (3, 2), ..WIDE },
    Shape {
        name: "window-q8_0",
        format: Format::Q8_0,
        embedding: 64,
        width: 96,
        keys: &[("attention.sliding_window", Value::U32(5))],
        ..PLAIN
    },
    Shape {
        name: "head-norm-q4_0",
        family: "qwen3",
        format: Format::Q4_0,
        key_dim: 32,
        value_dim: 32,
        rotated: 32,
        width: 64,
        ..PLAIN
    },
    Shape {
        name: "olmoe-q4_0",
        family: "olmoe",
        format: Format::Q4_0,
        embedding: 64,
        heads: 4,
        kv_heads: 4,
        width: 32,
        experts: (9, 3),
        tied: false,
        ..PLAIN
    },
    Shape {
        name: "gemma2-q8_0",
        family: "gemma2",
        format: Format::Q8_0,
        heads: 4,
        kv_heads: 2,
        key_dim: 32,
        value_dim: 32,
        rotated: 32,
        width: 96,
        keys: &[
            ("attention.sliding_window", Value::U32(3)),
            ("attn_logit_softcapping", Value::F32(5.0)),
        ],
        ..PLAIN
    },
    Shape {
        name: "gemma3-odd",
        family: "gemma3",
        key_dim: 24,
        value_dim: 24,
        rotated: 24,
        width: 50,
        keys: &[
            ("attention.sliding_window", Value::U32(7)),
            ("attention.sliding_window_pattern", Value::Bools(&[false, true])),
            ("rope.freq_base", Value::F32(1e6)),
            ("rope.scaling.factor", Value::F32(8.0)),
        ],
        ..PLAIN
    },
    Shape {
        name: "phi3-q4_0",
        family: "phi3",
        format: Format::Q4_0,
        embedding: 96,
        heads: 3,
        kv_heads: 3,
        key_dim: 32,
        value_dim: 32,
        rotated: 32,
        width: 64,
        tied: false,
        ..PLAIN
    },
    Shape {
        name: "stablelm-parallel-f16",
        family: "stablelm",
        format: Format::F16,
        heads: 3,
        kv_heads: 1,
        rotated: 4,
        tied: false,
        stored: &["attn_q.bias", "attn_q_norm.weight"],
        ..PLAIN
    },
    Shape {
        name: "stablelm-q8_0",
        family: "stablelm",
        format: Format::Q8_0,
        rotated: 8,
        width: 64,
        tied: false,
        stored: &["ffn_norm.weight"],
        ..PLAIN
    },
    Shape {
        name: "gpt2-q5_0",
        family: "gpt2",
        format: Format::Q5_0,
        kv_heads: 2,
        rotated: 0,
        width: 128,
        ..PLAIN
    },
    Shape {
        name: "openelm-q8_0",
        family: "openelm",
        format: Format::Q8_0,
        key_dim: 32,
        value_dim: 32,
        rotated: 32,
        keys: &[
            ("attention.head_count", Value::Each(&[2, 3])),
            ("attention.head_count_kv", Value::Each(&[1, 3])),
            ("feed_forward_length", Value::Each(&[96, 32])),
        ],
        ..PLAIN
    },
    Shape {
        name: "granite-q4_0",
        family: "granite",
        format: Format::Q4_0,
        width: 64,
        keys: &[
            ("embedding_scale", Value::F32(3.0)),
            ("residual_scale", Value::F32(0.5)),
            ("attention.scale", Value::F32(0.1)),
            ("logit_scale", Value::F32(4.0)),
        ],
        ..PLAIN
    },
    Shape {
        name: "smollm3-yarn-q8_0",
        family: "smollm3",
        format: Format::Q8_0,
        width: 64,
        layers: 5,
        keys: &[
            ("rope.scaling.type", Value::Text("yarn")),
            ("rope.scaling.factor", Value::F32(4.0)),
            ("rope.scaling.original_context_length", Value::U32(16)),
        ],
        ..PLAIN
    },
];

/// Rows of whole super-blocks.
const WIDE: Shape = Shape {
    embedding: 256,
    vocab: 300,
    heads: 4,
    kv_heads: 2,
    key_dim: 128,
    value_dim: 128,
    rotated: 32,
    width: 256,
    ..PLAIN
};

/// The made-up models by name; the first is the smallest.
pub fn models() -> Result<Vec<(&'static str, Arc<Model>)>, Error> {
    SHAPES.iter().map(|shape| Ok((shape.name, Arc::new(make(shape)?)))).collect()
}

/// The made-up models with the answers of a backend to be trusted (its first usable device).
pub fn cases(oracle: &dyn Backend) -> Result<Vec<Case>, crate::Error> {
    let case = |(name, model): (&str, Arc<Model>)| {
        let tokens = verify::prompt(model.architecture().vocab, 24);
        let devices = oracle.devices();
        let device = devices.iter().find_map(|status| match status {
            DeviceStatus::Ready(device) => Some(device),
            DeviceStatus::Missing { .. } => None,
        });
        let none = || crate::Error::Device(format!("{} has no usable device", oracle.name()));
        let options = verify::reference_options();
        let mut session = oracle.load(device.ok_or_else(none)?, &model, &options)?;
        let spans = [Span { sequence: Sequence(0), tokens: &tokens }];
        session.forward(&Batch { spans: &spans, rows: Rows::All })?;
        let expected = session.logits()?.values.to_vec();
        Ok(Case { name: name.into(), model, tokens, expected, context: None, tolerance: None })
    };
    models()?.into_iter().map(case).collect()
}

fn make(shape: &Shape) -> Result<Model, Error> {
    let mut header = metadata(shape);
    let stored = |name: &str| {
        name == "output.weight" && !shape.tied
            || name == "rope_freqs.weight" && shape.factors
            || shape.stored.iter().any(|part| name.ends_with(part))
    };
    let architecture = Architecture::of_metadata(&header, &stored)?;
    let specs = architecture.tensors();
    let format = |spec: &yardstick_model::arch::TensorSpec| {
        // As in real files: vectors and the router stay f32.
        let part = spec.part;
        let small = spec.shape.len() == 1 || part.ends_with("_norm.weight");
        if small || ["ffn_gate_inp.weight", "position_embd.weight"].contains(&part) {
            Format::F32
        } else {
            shape.format
        }
    };
    for spec in &specs {
        header.tensor(&spec.name, format(spec), &spec.shape)?;
    }
    let mut data = header.start(Vec::new())?;
    let mut random = Random(shape.embedding as u64);
    for spec in &specs {
        let (cols, rows) = (spec.shape[0], spec.shape[1..].iter().product());
        let layout = format(spec).layout();
        let mut bytes = vec![0; format(spec).row_bytes(cols)];
        for _ in 0..rows {
            let row = random.row(spec.part, cols);
            if let Some(encode) = layout.encode {
                encode(&row, &mut bytes);
            }
            data.write(&bytes)?;
        }
    }
    Model::from_gguf(Gguf::from_bytes(shape.name, data.finish()?)?)
}

fn metadata(shape: &Shape) -> Header {
    let mut header = Header::new(shape.name);
    header.set("general.architecture", shape.family);
    let key = |suffix: &str| format!("{}.{suffix}", shape.family);
    let counts = [
        ("vocab_size", shape.vocab),
        ("context_length", 256),
        ("embedding_length", shape.embedding),
        ("block_count", shape.layers),
        ("attention.head_count", shape.heads),
        ("attention.head_count_kv", shape.kv_heads),
        ("attention.key_length", shape.key_dim),
        ("attention.value_length", shape.value_dim),
        ("feed_forward_length", shape.width),
        ("rope.dimension_count", shape.rotated),
        ("expert_count", shape.experts.0),
        ("expert_used_count", shape.experts.1),
    ];
    for (suffix, count) in counts.into_iter().filter(|&(_, count)| count > 0) {
        header.set(&key(suffix), count as u32);
    }
    for suffix in ["attention.layer_norm_rms_epsilon", "attention.layer_norm_epsilon"] {
        header.set(&key(suffix), 1e-5_f32);
    }
    for (suffix, number) in shape.keys {
        match number {
            Value::U32(n) => header.set(&key(suffix), *n),
            Value::F32(x) => header.set(&key(suffix), *x),
            Value::Each(each) => header.set_array(&key(suffix), each),
            Value::Bools(each) => header.set_array(&key(suffix), each),
            Value::Text(text) => header.set(&key(suffix), *text),
        }
    }
    header
}

/// A linear congruential generator (Knuth's constants): these weights need to be unlike each other, no more.
struct Random(u64);

impl Random {
    /// Between -1 and 1.
    fn next(&mut self) -> f32 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f32 / (1 << 23) as f32 - 1.0
    }

    /// A row on the scale of its tensor, so that activations stay near 1.
    fn row(&mut self, part: &str, cols: usize) -> Vec<f32> {
        let (centre, spread) = match part {
            "rope_freqs.weight" => (4.0, 3.0),
            "token_embd.weight" => (0.0, 1.0),
            "position_embd.weight" => (0.0, 0.5),
            part if part.ends_with("norm.weight") => (1.0, 0.3),
            part if part.ends_with("bias") => (0.0, 0.5),
            _ => (0.0, (3.0 / cols as f32).sqrt()),
        };
        (0..cols).map(|_| centre + spread * self.next()).collect()
    }
}

#[cfg(test)]
mod tests {
    use yardstick_model::arch::Requirement;

    use super::*;

    #[test]
    fn every_shape_opens_as_described_and_together_they_need_all_there_is() {
        let mut needed = Vec::new();
        for (shape, (name, model)) in SHAPES.iter().zip(models().unwrap()) {
            let made = model.architecture();
            assert_eq!((made.vocab, made.tied_head), (shape.vocab, shape.tied), "{name}");
            assert_eq!(made.layers.len(), shape.layers, "{name}");
            assert_eq!(made.layers[0].key_dim, shape.key_dim, "{name}");
            assert_eq!(
                made.rotary.first().map_or(0, |rotary| rotary.dims),
                shape.rotated,
                "{name}"
            );
            needed.extend(made.requirements());
        }
        // Factors by context have golden models; nothing published in our list shares an expert.
        let absent: Vec<Requirement> = Requirement::all().filter(|r| !needed.contains(r)).collect();
        let expected = [Requirement::RotaryFactorsByContext, Requirement::SharedExpert];
        assert_eq!(absent, expected);
    }
}
