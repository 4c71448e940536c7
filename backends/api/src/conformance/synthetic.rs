//! Small models made up on the spot, for shapes and formats the golden models lack and for machines without them.
//! Their answers come from another backend, the reference.

use std::sync::Arc;

use yardstick_model::arch::{Ffn, Layer, Rotary, RotaryStyle};
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
    /// Stored and used; 0 for a dense block.
    experts: (usize, usize),
    tied: bool,
    /// Carries Llama 3's rotary factors.
    factors: bool,
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
    experts: (0, 0),
    tied: true,
    factors: false,
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
        Ok(Case { name: name.into(), model, tokens, expected, tolerance: None })
    };
    models()?.into_iter().map(case).collect()
}

fn architecture(shape: &Shape) -> Architecture {
    let &Shape { heads, kv_heads, key_dim, value_dim, width, .. } = shape;
    let ffn = match shape.experts {
        (0, _) => Ffn::Dense { width },
        (experts, used) => Ffn::Experts { experts, used, width },
    };
    let qkv_bias = shape.family == "qwen2";
    let layer = Layer { heads, kv_heads, key_dim, value_dim, qkv_bias, ffn };
    let factors = shape.factors.then(|| vec![1.0; shape.rotated / 2]);
    let style = RotaryStyle::Halves;
    Architecture {
        name: shape.family.into(),
        vocab: shape.vocab,
        embedding: shape.embedding,
        context: 256,
        norm_eps: 1e-5,
        rotary: Rotary { style, dims: shape.rotated, base: 10_000.0, scale: 1.0, factors },
        tied_head: shape.tied,
        layers: vec![layer.clone(), layer],
    }
}

fn make(shape: &Shape) -> Result<Model, Error> {
    let architecture = architecture(shape);
    let mut header = metadata(shape, &architecture);
    let specs = architecture.tensors();
    let format = |spec: &yardstick_model::arch::TensorSpec| {
        // As in real files: vectors and the router stay f32.
        let small = spec.shape.len() == 1 || spec.part == "ffn_gate_inp.weight";
        if small { Format::F32 } else { shape.format }
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

fn metadata(shape: &Shape, architecture: &Architecture) -> Header {
    let mut header = Header::new(shape.name);
    header.set("general.architecture", shape.family);
    let counts = [
        ("context_length", architecture.context),
        ("embedding_length", shape.embedding),
        ("block_count", architecture.layers.len()),
        ("attention.head_count", shape.heads),
        ("attention.head_count_kv", shape.kv_heads),
        ("attention.key_length", shape.key_dim),
        ("attention.value_length", shape.value_dim),
        ("feed_forward_length", shape.width),
        ("rope.dimension_count", shape.rotated),
        ("expert_count", shape.experts.0),
        ("expert_used_count", shape.experts.1),
    ];
    for (key, count) in counts.into_iter().filter(|&(_, count)| count > 0) {
        header.set(&format!("{}.{key}", shape.family), count as u32);
    }
    let eps = format!("{}.attention.layer_norm_rms_epsilon", shape.family);
    header.set(&eps, architecture.norm_eps);
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
            part if part.ends_with("norm.weight") => (1.0, 0.3),
            part if part.ends_with("bias") => (0.0, 0.5),
            _ => (0.0, (3.0 / cols as f32).sqrt()),
        };
        (0..cols).map(|_| centre + spread * self.next()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_opens_as_described() {
        for (shape, (name, model)) in SHAPES.iter().zip(models().unwrap()) {
            let made = model.architecture();
            let expected = architecture(shape);
            assert_eq!((made.vocab, made.tied_head), (shape.vocab, shape.tied), "{name}");
            assert_eq!(made.layers, expected.layers, "{name}");
            assert_eq!(made.rotary.dims, shape.rotated, "{name}");
            assert_eq!(made.rotary.factors.is_some(), shape.factors, "{name}");
        }
    }
}
