//! The forward pass as a graph: reads `Architecture`, names the converted weights, and says what goes in and out. Embedding rows and
//! learned positions are looked up on the host, which hands the graph the residual stream; no runtime keeps a second table.

mod activations;
mod dynamic;
mod feed_forward;
mod fixed;
mod parts;

use yardstick_api::{Error, KvType};
use yardstick_model::Model;
use yardstick_model::arch::{Gate, Layer};

use crate::onnx::{Dim, ElementType, Graph};
use crate::weights::{Index, Scheme, WEIGHTS};
use parts::Parts;

pub(crate) use activations::RANGE;
pub(crate) use dynamic::dynamic;
pub(crate) use fixed::{HIDDEN, body, head_alone, windows};

/// How the graph computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Style {
    /// `accuracy_level` of `MatMulNBits`: 4 lets it quantise activations to 8 bits, 0 is f32.
    pub(crate) accuracy: i64,
    /// How weights are carried.
    pub(crate) scheme: Scheme,
    /// Storage of keys and values.
    pub(crate) kv: KvType,
    /// Nothing but ONNX's plain operators, for providers that know no others.
    pub(crate) plain: bool,
    /// The stream goes through an operator that only the processor has: to prove that the account of nodes notices.
    pub(crate) echo: bool,
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
        // What a block adds is scaled by way of its last product, or of the norm behind it.
        let scale = architecture.residual_scale;
        let last = if layer.post_norms { 1.0 } else { scale };
        let name = of("attn_output");
        let mut y = parts.scaled_product(&name, &attended, layer.output_bias, last)?;
        if layer.post_norms {
            y = post_norm(parts, &of("post_attention_norm"), &y, scale)?;
        }
        x = parts.graph.node(&of("attn_add"), "Add", &[&x, &y], &[]);
        let h = match layer.parallel {
            true => h,
            false => parts.norm(&of("ffn_norm"), &x)?,
        };
        let mut y = feed_forward::feed_forward(parts, i, layer, &h, last)?;
        if layer.post_norms {
            y = post_norm(parts, &of("post_ffw_norm"), &y, scale)?;
        }
        x = parts.graph.node(&of("ffn_add"), "Add", &[&x, &y], &[]);
    }
    Ok(x)
}

fn post_norm(parts: &mut Parts<'_>, name: &str, y: &str, scale: f32) -> Result<String, Error> {
    let y = parts.norm(name, y)?;
    if scale == 1.0 {
        return Ok(y);
    }
    let scale = parts.graph.scalar(scale);
    Ok(parts.graph.node(name, "Mul", &[&y, &scale], &[]))
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
    let (bias, scale) = (architecture.head_bias, architecture.logit_scale);
    let mut logits = parts.scaled_product("output", &h, bias, scale)?;
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
    Parts { model, index, style, graph: Graph::new(WEIGHTS), block_sums: None, rounded_input: None }
}
