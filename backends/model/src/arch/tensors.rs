//! Which tensors an architecture consists of: one list, for checking a file, for writing one, for showing it.

use super::{Architecture, Ffn, Layer};

/// One tensor an architecture needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorSpec {
    /// GGUF name, `blk.3.attn_q.weight`.
    pub name: String,
    /// The name without its layer, `attn_q.weight`.
    pub part: &'static str,
    /// The layer it belongs to.
    pub layer: Option<usize>,
    /// GGUF order, row length first.
    pub shape: Vec<usize>,
}

impl Architecture {
    /// Every tensor of the architecture, in the order llama.cpp's files have, which is the order we write.
    pub fn tensors(&self) -> Vec<TensorSpec> {
        let mut specs = Vec::new();
        let mut add = |layer: Option<usize>, part: &'static str, shape: &[usize]| {
            let name = layer.map_or(part.to_owned(), |i| format!("blk.{i}.{part}"));
            specs.push(TensorSpec { name, part, layer, shape: shape.to_vec() });
        };
        let d = self.embedding;
        add(None, "token_embd.weight", &[d, self.vocab]);
        add(None, "output_norm.weight", &[d]);
        if !self.tied_head {
            add(None, "output.weight", &[d, self.vocab]);
        }
        if self.rotary.factors.is_some() {
            add(None, "rope_freqs.weight", &[self.rotary.dims / 2]);
        }
        for (i, layer) in self.layers.iter().enumerate() {
            layer.tensors(d, &mut |part, shape| add(Some(i), part, shape));
        }
        specs
    }
}

impl Layer {
    /// Every tensor of one layer of a model `d` wide.
    fn tensors(&self, d: usize, add: &mut dyn FnMut(&'static str, &[usize])) {
        let q = self.heads * self.key_dim;
        let (k, v) = (self.kv_heads * self.key_dim, self.kv_heads * self.value_dim);
        add("attn_norm.weight", &[d]);
        add("ffn_norm.weight", &[d]);
        let projections = [
            ("attn_q.weight", "attn_q.bias", q),
            ("attn_k.weight", "attn_k.bias", k),
            ("attn_v.weight", "attn_v.bias", v),
        ];
        for (weight, bias, rows) in projections {
            add(weight, &[d, rows]);
            if self.qkv_bias {
                add(bias, &[rows]);
            }
        }
        add("attn_output.weight", &[self.heads * self.value_dim, d]);
        match self.ffn {
            Ffn::Dense { width } => {
                add("ffn_gate.weight", &[d, width]);
                add("ffn_up.weight", &[d, width]);
                add("ffn_down.weight", &[width, d]);
            }
            Ffn::Experts { experts, width, .. } => {
                add("ffn_gate_inp.weight", &[d, experts]);
                add("ffn_gate_exps.weight", &[d, width, experts]);
                add("ffn_up_exps.weight", &[d, width, experts]);
                add("ffn_down_exps.weight", &[width, d, experts]);
            }
        }
    }
}
