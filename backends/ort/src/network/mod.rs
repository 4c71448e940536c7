//! The forward pass as a graph: reads `Architecture`, names the converted weights, and says what goes in and out. Embedding rows and
//! learned positions are looked up on the host, which hands the graph the residual stream; no runtime keeps a second table.

mod dynamic;
mod feed_forward;
mod fixed;
mod parts;

use yardstick_api::{Error, KvType};
use yardstick_model::Model;
use yardstick_model::arch::{Gate, Layer};

use crate::onnx::{Dim, ElementType, Graph};
use crate::weights::{Index, WEIGHTS};
use parts::Parts;

pub(crate) use dynamic::dynamic;
pub(crate) use fixed::{HIDDEN, body, head_alone, windows};

/// How the graph computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Style {
    /// `accuracy_level` of `MatMulNBits`: 4 lets it quantise activations to 8 bits, 0 is f32.
    pub(crate) accuracy: i64,
    /// Storage of keys and values.
    pub(crate) kv: KvType,
    /// Nothing but ONNX's plain operators, for providers that know no others.
    pub(crate) plain: bool,
}

/// The type keys and values are stored in.
pub(crate) fn kv_element(kv: KvType) -> ElementType {
    match kv {
        KvType::F32 => ElementType::F32,
        // Plans refuse anything coarser.
        KvType::F16 | KvType::Q8_0 => ElementType::F16,
    }
}

/// A form's own attention: from normalised queries, keys and values of a layer to what the queries saw.
type Attend<'f, 'a> =
    dyn FnMut(&mut Parts<'a>, usize, &Layer, [String; 3]) -> Result<String, Error> + 'f;

/// Adds the layers to a graph.
fn layers<'a>(
    parts: &mut Parts<'a>,
    stream: String,
    attend: &mut Attend<'_, 'a>,
) -> Result<String, Error> {
    let architecture = parts.model.architecture();
    let mut x = stream;
    for (i, layer) in architecture.layers.iter().enumerate() {
        let of = |part: &str| format!("blk.{i}.{part}");
        let h = parts.norm(&of("attn_norm"), &x)?;
        let qkv = queries_keys_values(parts, i, layer, &h)?;
        let attended = attend(parts, i, layer, qkv)?;
        let mut y = parts.product(&of("attn_output"), &attended, layer.output_bias)?;
        if layer.post_norms {
            y = parts.norm(&of("post_attention_norm"), &y)?;
        }
        x = parts.add_to_stream(&of("attn_add"), &x, &y);
        let h = match layer.parallel {
            true => h,
            false => parts.norm(&of("ffn_norm"), &x)?,
        };
        let mut y = feed_forward::feed_forward(parts, i, layer, &h)?;
        if layer.post_norms {
            y = parts.norm(&of("post_ffw_norm"), &y)?;
        }
        x = parts.add_to_stream(&of("ffn_add"), &x, &y);
    }
    Ok(x)
}

/// (rows, heads * dim) each, normalised where the model does.
fn queries_keys_values(
    parts: &mut Parts<'_>,
    i: usize,
    layer: &Layer,
    h: &str,
) -> Result<[String; 3], Error> {
    let mut product = |part: &str| parts.product(&format!("blk.{i}.{part}"), h, layer.qkv_bias);
    let [mut q, mut k, v] = [product("attn_q")?, product("attn_k")?, product("attn_v")?];
    if let Some(span) = layer.qk_norm {
        q = parts.head_norm(i, "attn_q_norm", layer, span, layer.heads, &q)?;
        k = parts.head_norm(i, "attn_k_norm", layer, span, layer.kv_heads, &k)?;
    }
    Ok([q, k, v])
}

/// The head, for rows of the stream that were chosen: `logits` (rows, vocab).
fn head(parts: &mut Parts<'_>, x: &str, rows: Dim) -> Result<(), Error> {
    let architecture = parts.model.architecture();
    let h = parts.norm("output_norm", x)?;
    let mut logits = parts.product("output", &h, architecture.head_bias)?;
    if architecture.logit_scale != 1.0 {
        let scale = parts.graph.scalar(architecture.logit_scale);
        logits = parts.graph.node("logit_scale", "Mul", &[&logits, &scale], &[]);
    }
    if let Some(cap) = architecture.logit_softcap {
        logits = parts.soft_cap("logit_softcap", &logits, cap);
    }
    let shape = [rows, Dim::Fixed(architecture.vocab)];
    parts.graph.output("logits", ElementType::F32, &shape);
    parts.graph.node_to("logits", "", "Identity", &[&logits], &["logits"], &[]);
    Ok(())
}

/// Whether a layer's gate is a product of its own here: fused ones are split when they are converted.
fn has_gate(layer: &Layer) -> bool {
    layer.ffn.gate != Gate::None
}

/// An empty graph over a model's converted weights.
fn start<'a>(model: &'a Model, index: &'a Index, style: Style) -> Parts<'a> {
    Parts { model, index, style, graph: Graph::new(WEIGHTS), block_sums: None }
}
