//! The weights as the forward pass names them: matrices stay in the file, norms and biases are decoded at load.

use std::sync::Arc;

use yardstick_api::Error;
use yardstick_model::{Architecture, Model, Tensor};

/// A model with its small vectors decoded.
pub(crate) struct Weights {
    model: Arc<Model>,
    /// (embedding)
    pub(crate) output_norm: Vec<f32>,
    /// One entry a layer.
    pub(crate) layers: Vec<LayerVectors>,
}

/// Norms and biases of a layer.
pub(crate) struct LayerVectors {
    /// (embedding)
    pub(crate) attn_norm: Vec<f32>,
    /// (embedding)
    pub(crate) ffn_norm: Vec<f32>,
    /// Q (heads * key_dim), K (kv_heads * key_dim) and V (kv_heads * value_dim), where the architecture has them.
    pub(crate) qkv_bias: Option<[Vec<f32>; 3]>,
}

impl Weights {
    pub(crate) fn new(model: Arc<Model>) -> Result<Weights, Error> {
        let vector = |name: &str| model.vector(name).ok_or_else(|| missing(name));
        let layers = model.architecture().layers.iter().enumerate().map(|(i, layer)| {
            let of = |name: &str| vector(&format!("blk.{i}.{name}"));
            let qkv_bias = match layer.qkv_bias {
                true => Some([of("attn_q.bias")?, of("attn_k.bias")?, of("attn_v.bias")?]),
                false => None,
            };
            let (attn_norm, ffn_norm) = (of("attn_norm.weight")?, of("ffn_norm.weight")?);
            Ok(LayerVectors { attn_norm, ffn_norm, qkv_bias })
        });
        let layers = layers.collect::<Result<_, Error>>()?;
        let output_norm = vector("output_norm.weight")?;
        Ok(Weights { model, output_norm, layers })
    }

    pub(crate) fn model(&self) -> &Model {
        &self.model
    }

    pub(crate) fn architecture(&self) -> &Architecture {
        self.model.architecture()
    }

    /// A matrix of a layer, `attn_q`: (rows, cols).
    pub(crate) fn matrix(&self, layer: usize, name: &str) -> Result<Tensor<'_>, Error> {
        self.tensor(&format!("blk.{layer}.{name}.weight"))
    }

    /// The token embedding, (vocab, embedding).
    pub(crate) fn embedding(&self) -> Result<Tensor<'_>, Error> {
        self.tensor("token_embd.weight")
    }

    /// The head, (vocab, embedding).
    pub(crate) fn head(&self) -> Result<Tensor<'_>, Error> {
        match self.architecture().tied_head {
            true => self.embedding(),
            false => self.tensor("output.weight"),
        }
    }

    fn tensor(&self, name: &str) -> Result<Tensor<'_>, Error> {
        self.model.tensor(name).ok_or_else(|| missing(name))
    }

    /// Bytes of the decoded vectors.
    pub(crate) fn decoded_bytes(&self) -> u64 {
        let of_layer = |layer: &LayerVectors| {
            let biases = layer.qkv_bias.iter().flatten().map(Vec::len).sum::<usize>();
            layer.attn_norm.len() + layer.ffn_norm.len() + biases
        };
        let values = self.output_norm.len() + self.layers.iter().map(of_layer).sum::<usize>();
        values as u64 * 4
    }
}

fn missing(name: &str) -> Error {
    Error::Device(format!("{name}: not in the model file"))
}
