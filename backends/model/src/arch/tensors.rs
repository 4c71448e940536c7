//! Which tensors an architecture consists of: one list, for checking a file, for writing one, for showing it.

use super::{Architecture, Experts, Factors, Ffn, Gate, Layer, Norm, QkNorm};

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

/// Adds one tensor of a layer.
type Add<'a> = dyn FnMut(&'static str, &[usize]) + 'a;

impl Architecture {
    /// Every tensor of the architecture, in the order llama.cpp's files have, which is the order we write.
    pub fn tensors(&self) -> Vec<TensorSpec> {
        let mut specs = Vec::new();
        let mut add = |layer: Option<usize>, part: &'static str, shape: &[usize]| {
            let name = layer.map_or(part.to_owned(), |i| format!("blk.{i}.{part}"));
            specs.push(TensorSpec { name, part, layer, shape: shape.to_vec() });
        };
        let d = self.embedding;
        self.outer_tensors(&mut |part, shape| add(None, part, shape));
        for (i, layer) in self.layers.iter().enumerate() {
            layer.tensors(d, self.norm, &mut |part, shape| add(Some(i), part, shape));
        }
        specs
    }

    /// Those of no layer.
    fn outer_tensors(&self, add: &mut Add<'_>) {
        let d = self.embedding;
        add("token_embd.weight", &[d, self.vocab]);
        if let Some(positions) = self.positions {
            add("position_embd.weight", &[d, positions]);
        }
        add("output_norm.weight", &[d]);
        if self.norm.bias {
            add("output_norm.bias", &[d]);
        }
        if !self.tied_head {
            add("output.weight", &[d, self.vocab]);
        }
        if self.head_bias {
            add("output.bias", &[self.vocab]);
        }
        // Another table than the first never has factors.
        match self.rotary.first().map(|rotary| (&rotary.factors, rotary.dims / 2)) {
            Some((Factors::Fixed(_), pairs)) => add("rope_freqs.weight", &[pairs]),
            Some((Factors::ByContext { .. }, pairs)) => {
                add("rope_factors_long.weight", &[pairs]);
                add("rope_factors_short.weight", &[pairs]);
            }
            Some((Factors::None, _)) | None => {}
        }
    }
}

impl Layer {
    /// Every tensor of one layer of a model `d` wide.
    fn tensors(&self, d: usize, norm: Norm, add: &mut Add<'_>) {
        self.norms(d, norm, add);
        self.attention(d, add);
        self.ffn.tensors(d, add);
    }

    fn norms(&self, d: usize, norm: Norm, add: &mut Add<'_>) {
        let mut one = |wanted: bool, weight, bias| {
            if wanted {
                add(weight, &[d]);
            }
            if wanted && norm.bias {
                add(bias, &[d]);
            }
        };
        one(true, "attn_norm.weight", "attn_norm.bias");
        one(self.post_norms, "post_attention_norm.weight", "post_attention_norm.bias");
        one(!self.parallel, "ffn_norm.weight", "ffn_norm.bias");
        one(self.post_norms, "post_ffw_norm.weight", "post_ffw_norm.bias");
    }

    fn attention(&self, d: usize, add: &mut Add<'_>) {
        let mut product = |weight, bias, [cols, rows]: [usize; 2], has_bias: bool| {
            add(weight, &[cols, rows]);
            if has_bias {
                add(bias, &[rows]);
            }
        };
        let [q, k, v] = self.qkv_rows();
        if self.fused_qkv {
            product("attn_qkv.weight", "attn_qkv.bias", [d, q + k + v], self.qkv_bias);
        } else {
            product("attn_q.weight", "attn_q.bias", [d, q], self.qkv_bias);
            product("attn_k.weight", "attn_k.bias", [d, k], self.qkv_bias);
            product("attn_v.weight", "attn_v.bias", [d, v], self.qkv_bias);
        }
        let attended = self.heads * self.value_dim;
        product("attn_output.weight", "attn_output.bias", [attended, d], self.output_bias);
        match self.qk_norm {
            None => {}
            Some(QkNorm::Head) => {
                add("attn_q_norm.weight", &[self.key_dim]);
                add("attn_k_norm.weight", &[self.key_dim]);
            }
            Some(QkNorm::EachHead) => {
                add("attn_q_norm.weight", &[self.key_dim, self.heads]);
                add("attn_k_norm.weight", &[self.key_dim, self.kv_heads]);
            }
            Some(QkNorm::Whole) => {
                add("attn_q_norm.weight", &[q]);
                add("attn_k_norm.weight", &[k]);
            }
        }
    }
}

impl Ffn {
    fn tensors(&self, d: usize, add: &mut Add<'_>) {
        match self.experts {
            Some(experts) => self.mixture(d, experts, add),
            None => self.dense(d, add),
        }
    }

    fn dense(&self, d: usize, add: &mut Add<'_>) {
        let mut product = |weight, bias, [cols, rows]: [usize; 2], has_bias: bool| {
            add(weight, &[cols, rows]);
            if has_bias {
                add(bias, &[rows]);
            }
        };
        let width = self.width;
        let up = if self.gate == Gate::Fused { 2 * width } else { width };
        if self.gate == Gate::Separate {
            product("ffn_gate.weight", "ffn_gate.bias", [d, width], self.gate_bias);
        }
        product("ffn_up.weight", "ffn_up.bias", [d, up], self.up_bias);
        product("ffn_down.weight", "ffn_down.bias", [width, d], self.down_bias);
    }

    fn mixture(&self, d: usize, Experts { count, shared, .. }: Experts, add: &mut Add<'_>) {
        let width = self.width;
        add("ffn_gate_inp.weight", &[d, count]);
        add("ffn_gate_exps.weight", &[d, width, count]);
        add("ffn_up_exps.weight", &[d, width, count]);
        add("ffn_down_exps.weight", &[width, d, count]);
        if let Some(width) = shared {
            add("ffn_gate_shexp.weight", &[d, width]);
            add("ffn_up_shexp.weight", &[d, width]);
            add("ffn_down_shexp.weight", &[width, d]);
        }
    }
}
