//! From a family's row and the numbers of a file or recipe to [`Architecture`]: the one place where a row becomes layers.

use super::families::{Bias, Family, Needed};
use super::{Architecture, Experts, Ffn, Gate, Layer, Norm, NormKind, QkNorm, Rotary, Temperature};

/// What a file or a recipe says, checked.
#[derive(Clone, Debug)]
pub(crate) struct Numbers {
    pub(crate) vocab: usize,
    pub(crate) embedding: usize,
    pub(crate) context: usize,
    pub(crate) norm_eps: f32,
    /// One entry a layer, each.
    pub(crate) heads: Vec<usize>,
    pub(crate) kv_heads: Vec<usize>,
    pub(crate) widths: Vec<usize>,
    pub(crate) windows: Vec<Option<usize>>,
    pub(crate) key_dim: usize,
    pub(crate) value_dim: usize,
    pub(crate) experts: Option<Experts>,
    /// The rotary embedding, and another for layers with a window.
    pub(crate) rotary: Option<(Rotary, Option<Rotary>)>,
    /// Of scores and of logits.
    pub(crate) softcaps: [Option<f32>; 2],
    pub(crate) scales: Scales,
    pub(crate) temperature: Option<Temperature>,
    pub(crate) ignored: Vec<String>,
}

/// Factors of the stream, scores and logits, where the family has them.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Scales {
    pub(crate) embedding: Option<f32>,
    pub(crate) residual: Option<f32>,
    pub(crate) attention: Option<f32>,
    /// Logits are divided by this.
    pub(crate) logits: Option<f32>,
}

impl Family {
    /// The description. `stored` says whether a tensor of that name is there.
    pub(crate) fn build(&self, numbers: Numbers, stored: &dyn Fn(&str) -> bool) -> Architecture {
        let layers = (0..numbers.heads.len()).map(|i| self.layer(&numbers, i, stored)).collect();
        let Numbers { vocab, embedding, context, scales, .. } = numbers;
        let root = if self.root_embedding { (embedding as f32).sqrt() } else { 1.0 };
        let (main, local) =
            numbers.rotary.map_or((None, None), |(main, local)| (Some(main), local));
        Architecture {
            name: self.name.to_owned(),
            vocab,
            embedding,
            context,
            norm: Norm {
                kind: self.norm,
                eps: numbers.norm_eps,
                bias: self.norm == NormKind::Layer,
            },
            rotary: main.into_iter().chain(local).collect(),
            positions: self.rotary.is_none().then_some(context),
            embedding_scale: scales.embedding.unwrap_or(root),
            residual_scale: scales.residual.unwrap_or(1.0),
            logit_scale: scales.logits.map_or(1.0, |divisor| 1.0 / divisor),
            logit_softcap: numbers.softcaps[1],
            temperature: numbers.temperature,
            tied_head: !stored("output.weight"),
            head_bias: stored("output.bias"),
            layers,
            ignored: numbers.ignored,
        }
    }

    fn layer(&self, numbers: &Numbers, i: usize, stored: &dyn Fn(&str) -> bool) -> Layer {
        let has = |part: &str| stored(&format!("blk.{i}.{part}"));
        let heads = numbers.heads[i];
        let fused_qkv = has("attn_qkv.weight") || self.fused_qkv && !has("attn_q.weight");
        let bias = if fused_qkv { "attn_qkv.bias" } else { "attn_q.bias" };
        let window = numbers.windows[i];
        Layer {
            heads,
            kv_heads: numbers.kv_heads[i],
            key_dim: numbers.key_dim,
            value_dim: numbers.value_dim,
            fused_qkv,
            qkv_bias: self.bias != Bias::AsStored || has(bias),
            output_bias: self.bias == Bias::All || has("attn_output.bias"),
            qk_norm: self.qk_norm(&has),
            rotary: self.rotary_of(numbers, i),
            window,
            attention_scale: self.attention_scale(numbers, heads),
            softcap: numbers.softcaps[0],
            post_norms: self.post_norms,
            parallel: self.parallel && !has("ffn_norm.weight"),
            ffn: self.ffn(numbers, i, &has),
        }
    }

    fn qk_norm(&self, has: &dyn Fn(&str) -> bool) -> Option<QkNorm> {
        let (norm, needed) = self.qk_norm?;
        let there = has("attn_q_norm.weight") || has("attn_k_norm.weight");
        (needed == Needed::Always || there).then_some(norm)
    }

    fn rotary_of(&self, numbers: &Numbers, i: usize) -> Option<usize> {
        let (_, local) = numbers.rotary.as_ref()?;
        if self.still_every.is_some_and(|n| (i + 1).is_multiple_of(n)) {
            return None;
        }
        Some(usize::from(local.is_some() && numbers.windows[i].is_some()))
    }

    fn attention_scale(&self, numbers: &Numbers, heads: usize) -> f32 {
        let shared = self.shared_scale_layers == Some(numbers.heads.len());
        let width = if shared { (numbers.embedding / heads).max(1) } else { numbers.key_dim };
        numbers.scales.attention.unwrap_or((1.0 / (width as f64).sqrt()) as f32)
    }

    fn ffn(&self, numbers: &Numbers, i: usize, has: &dyn Fn(&str) -> bool) -> Ffn {
        let dense = numbers.experts.is_none();
        let bias = |part: &str| dense && (self.bias == Bias::All || has(part));
        Ffn {
            width: numbers.widths[i],
            activation: self.activation,
            gate: if dense { self.gate } else { Gate::Separate },
            gate_bias: self.gate == Gate::Separate && bias("ffn_gate.bias"),
            up_bias: bias("ffn_up.bias"),
            down_bias: bias("ffn_down.bias"),
            experts: numbers.experts,
        }
    }
}
