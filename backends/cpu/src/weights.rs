//! The model's matrices with the kernels chosen for them; their bytes stay in the mapped file.

use std::collections::BTreeMap;
use std::sync::Arc;

use yardstick_api::{Error, Numerics};
use yardstick_model::arch::Ffn;
use yardstick_model::gguf::TensorInfo;
use yardstick_model::{Architecture, Model};

use crate::kernels::activations::Forms;
use crate::kernels::{Isa, Kernel, Weights};

/// Everything a forward pass multiplies with.
pub(crate) struct Network {
    model: Arc<Model>,
    pub(crate) embedding: Matrix,
    pub(crate) head: Matrix,
    /// (embedding)
    pub(crate) output_norm: Vec<f32>,
    pub(crate) layers: Vec<LayerWeights>,
}

/// One layer.
pub(crate) struct LayerWeights {
    /// (embedding)
    pub(crate) attn_norm: Vec<f32>,
    /// (embedding)
    pub(crate) ffn_norm: Vec<f32>,
    /// Q, K, V: (heads * key_dim, embedding), (kv_heads * key_dim, ..), (kv_heads * value_dim, ..)
    pub(crate) qkv: [Matrix; 3],
    /// Their biases.
    pub(crate) qkv_bias: Option<[Vec<f32>; 3]>,
    /// (embedding, heads * value_dim)
    pub(crate) output: Matrix,
    pub(crate) ffn: FfnWeights,
}

/// A gated block, or several and their router.
pub(crate) struct FfnWeights {
    /// (experts, embedding); `None`: dense, one expert.
    pub(crate) router: Option<Matrix>,
    /// (experts * width, embedding)
    pub(crate) gate: Matrix,
    /// (experts * width, embedding)
    pub(crate) up: Matrix,
    /// (experts * embedding, width)
    pub(crate) down: Matrix,
    pub(crate) width: usize,
    pub(crate) experts: usize,
    pub(crate) used: usize,
}

/// One matrix: where it is and how it is multiplied.
pub(crate) struct Matrix {
    tensor: TensorInfo,
    pub(crate) rows: usize,
    pub(crate) cols: usize,
    pub(crate) kernel: Kernel,
}

impl Matrix {
    /// Bytes of one row.
    pub(crate) fn row_bytes(&self) -> usize {
        self.tensor.format.row_bytes(self.cols)
    }

    /// What the kernel reads.
    pub(crate) fn forms(&self) -> Forms {
        self.kernel.forms()
    }
}

impl Network {
    /// Looks everything up and chooses the kernels.
    pub(crate) fn new(model: Arc<Model>, isa: Isa, numerics: Numerics) -> Result<Network, Error> {
        let find = Find { model: &model, isa, numerics };
        let architecture = model.architecture();
        let embedding = find.matrix("token_embd.weight")?;
        let head = match architecture.tied_head {
            true => find.matrix("token_embd.weight")?,
            false => find.matrix("output.weight")?,
        };
        let output_norm = find.vector("output_norm.weight")?;
        let layers = (0..architecture.layers.len()).map(|i| find.layer(architecture, i));
        let layers = layers.collect::<Result<_, Error>>()?;
        Ok(Network { embedding, head, output_norm, layers, model })
    }

    /// The model underneath.
    pub(crate) fn model(&self) -> &Model {
        &self.model
    }

    /// A matrix's rows from `first` on, `rows` of them, as the kernels take them.
    pub(crate) fn weights(&self, matrix: &Matrix, first: usize, rows: usize) -> Weights<'_> {
        let stride = matrix.row_bytes();
        let bytes = self.model.gguf().bytes(&matrix.tensor);
        Weights {
            kernel: matrix.kernel,
            format: matrix.tensor.format,
            cols: matrix.cols,
            bytes: &bytes[first * stride..(first + rows) * stride],
        }
    }

    fn matrices(&self) -> impl Iterator<Item = &Matrix> {
        let layers = self.layers.iter().flat_map(|layer| {
            let ffn = &layer.ffn;
            let own = layer.qkv.iter().chain([&layer.output, &ffn.gate, &ffn.up, &ffn.down]);
            own.chain(&ffn.router)
        });
        layers.chain([&self.head])
    }

    /// Everything the matrices read.
    pub(crate) fn forms(&self) -> Forms {
        self.matrices().fold(Forms::default(), |forms, matrix| forms.and(matrix.forms()))
    }

    /// Kernel of each format, for the facts.
    pub(crate) fn kernels(&self, isa: Isa) -> BTreeMap<String, String> {
        let name = |matrix: &Matrix| matrix.tensor.format.name().to_owned();
        self.matrices().map(|matrix| (name(matrix), matrix.kernel.describe(isa))).collect()
    }

    /// Bytes of the norms and biases, which are decoded copies.
    pub(crate) fn copied_bytes(&self) -> u64 {
        let layer = |layer: &LayerWeights| {
            let biases = layer.qkv_bias.iter().flatten().map(Vec::len).sum::<usize>();
            layer.attn_norm.len() + layer.ffn_norm.len() + biases
        };
        let vectors = self.output_norm.len() + self.layers.iter().map(layer).sum::<usize>();
        (vectors * size_of::<f32>()) as u64
    }
}

/// Looks tensors up.
struct Find<'a> {
    model: &'a Model,
    isa: Isa,
    numerics: Numerics,
}

impl Find<'_> {
    fn absent(&self, name: &str) -> Error {
        Error::Device(format!("{}: no tensor {name}", self.model.gguf().path().display()))
    }

    fn matrix(&self, name: &str) -> Result<Matrix, Error> {
        let tensor = self.model.gguf().tensor(name).ok_or_else(|| self.absent(name))?.clone();
        let (cols, rows) = (tensor.shape[0], tensor.shape[1..].iter().product());
        let kernel = Kernel::choose(tensor.format, self.isa, self.numerics);
        Ok(Matrix { tensor, rows, cols, kernel })
    }

    fn vector(&self, name: &str) -> Result<Vec<f32>, Error> {
        self.model.vector(name).ok_or_else(|| self.absent(name))
    }

    fn layer(&self, architecture: &Architecture, i: usize) -> Result<LayerWeights, Error> {
        let matrix = |part: &str| self.matrix(&format!("blk.{i}.{part}.weight"));
        let vector = |part: &str| self.vector(&format!("blk.{i}.{part}"));
        let shape = &architecture.layers[i];
        let bias = || {
            Ok::<_, Error>([vector("attn_q.bias")?, vector("attn_k.bias")?, vector("attn_v.bias")?])
        };
        let ffn = match shape.ffn {
            Ffn::Dense { width } => FfnWeights {
                router: None,
                gate: matrix("ffn_gate")?,
                up: matrix("ffn_up")?,
                down: matrix("ffn_down")?,
                width,
                experts: 1,
                used: 1,
            },
            Ffn::Experts { experts, used, width } => FfnWeights {
                router: Some(matrix("ffn_gate_inp")?),
                gate: matrix("ffn_gate_exps")?,
                up: matrix("ffn_up_exps")?,
                down: matrix("ffn_down_exps")?,
                width,
                experts,
                used,
            },
        };
        Ok(LayerWeights {
            attn_norm: vector("attn_norm.weight")?,
            ffn_norm: vector("ffn_norm.weight")?,
            qkv: [matrix("attn_q")?, matrix("attn_k")?, matrix("attn_v")?],
            qkv_bias: if shape.qkv_bias { Some(bias()?) } else { None },
            output: matrix("attn_output")?,
            ffn,
        })
    }
}
