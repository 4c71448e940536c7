//! A model's weights on the device: which tensors are multiplied together, and the small vectors.

use std::collections::HashMap;

use yardstick_api::{Error, Unsupported};
use yardstick_model::arch::{Experts, Gate, Layer};
use yardstick_model::{Format, Model, Tensor};

use crate::gpu::Gpu;
use crate::matrix::{Matrix, Order};

/// Where a vector begins in the buffer of vectors; `None`: the model has none.
pub(crate) type Offset = Option<u32>;

/// Everything a forward pass reads.
pub(crate) struct Network {
    pub(crate) embedding: Matrix,
    pub(crate) positions: Option<Matrix>,
    /// `None`: the embedding.
    pub(crate) head: Option<Matrix>,
    pub(crate) layers: Vec<Blocks>,
    pub(crate) vectors: Vectors,
}

/// One layer's matrices.
pub(crate) struct Blocks {
    /// Rows of q, k and v in this order, in as few matrices as there are formats in a row.
    pub(crate) qkv: Vec<Product>,
    pub(crate) output: Matrix,
    pub(crate) ffn: Block,
}

/// A matrix whose rows are some of those of a larger product.
pub(crate) struct Product {
    pub(crate) matrix: Matrix,
    /// Row of the product its first row is.
    pub(crate) first: usize,
}

/// The matrices of a feed-forward block.
pub(crate) enum Block {
    /// Gate and up in one matrix.
    Gated { both: Matrix, down: Matrix },
    /// No gate.
    Plain { up: Matrix, down: Matrix },
    /// Experts.
    Mixture(Box<Mixture>),
}

/// The matrices of a mixture of experts: gate and up in one, experts stacked.
pub(crate) struct Mixture {
    pub(crate) router: Matrix,
    pub(crate) both: Matrix,
    pub(crate) down: Matrix,
    /// Of the expert every token passes.
    pub(crate) shared: Option<[Matrix; 2]>,
    /// Experts stored, experts a token takes.
    count: u64,
    used: u64,
}

impl Mixture {
    fn new(gpu: &Gpu, model: &Model, layer: usize, experts: Experts) -> Result<Mixture, Error> {
        let find = |part: &str| of_layer(model, layer, part);
        let one = |part: &str| Matrix::new(gpu, part, Order::Stacked(&[find(part)?]));
        let two =
            |gate: &str, up: &str| Matrix::new(gpu, gate, Order::Gated(find(gate)?, find(up)?));
        let shared = match experts.shared {
            Some(_) => Some([
                two("ffn_gate_shexp.weight", "ffn_up_shexp.weight")?,
                one("ffn_down_shexp.weight")?,
            ]),
            None => None,
        };
        Ok(Mixture {
            router: one("ffn_gate_inp.weight")?,
            both: two("ffn_gate_exps.weight", "ffn_up_exps.weight")?,
            down: one("ffn_down_exps.weight")?,
            shared,
            count: experts.count as u64,
            used: experts.used as u64,
        })
    }

    fn bytes(&self) -> u64 {
        let shared: u64 = self.shared.iter().flatten().map(Matrix::bytes).sum();
        self.router.bytes() + self.both.bytes() + self.down.bytes() + shared
    }

    /// What one token reads.
    fn streamed_bytes(&self) -> u64 {
        let stacked = self.both.bytes() + self.down.bytes();
        self.bytes() - stacked + stacked / self.count * self.used
    }
}

/// Norms and biases in one buffer.
pub(crate) struct Vectors {
    pub(crate) buffer: wgpu::Buffer,
    offsets: HashMap<String, u32>,
}

impl Vectors {
    fn new(gpu: &Gpu, model: &Model) -> Result<Vectors, Error> {
        let small = |part: &str| part.ends_with(".bias") || part.ends_with("_norm.weight");
        let (mut offsets, mut values) = (HashMap::new(), Vec::new());
        for spec in model.architecture().tensors().into_iter().filter(|spec| small(spec.part)) {
            let decoded = model.values(&spec.name).ok_or_else(|| missing(&spec.name))?;
            offsets.insert(spec.name, values.len() as u32);
            values.extend(decoded);
        }
        let buffer = gpu.storage("vectors", values.len() as u64 * 4)?;
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        gpu.queue.write_buffer(&buffer, 0, &bytes);
        Ok(Vectors { buffer, offsets })
    }

    /// A vector by GGUF name.
    pub(crate) fn find(&self, name: &str) -> Offset {
        self.offsets.get(name).copied()
    }

    /// A vector of a layer, `attn_norm.weight`.
    pub(crate) fn of_layer(&self, layer: usize, name: &str) -> Offset {
        self.find(&format!("blk.{layer}.{name}"))
    }
}

impl Network {
    pub(crate) fn new(gpu: &Gpu, model: &Model) -> Result<Network, Error> {
        let architecture = model.architecture();
        let one = |name: &str| Matrix::new(gpu, name, Order::Stacked(&[tensor(model, name)?]));
        let layers = architecture.layers.iter().enumerate();
        Ok(Network {
            embedding: one("token_embd.weight")?,
            positions: architecture.positions.map(|_| one("position_embd.weight")).transpose()?,
            head: (!architecture.tied_head).then(|| one("output.weight")).transpose()?,
            layers: layers
                .map(|(i, layer)| Blocks::new(gpu, model, i, layer))
                .collect::<Result<_, Error>>()?,
            vectors: Vectors::new(gpu, model)?,
        })
    }

    /// The matrix that makes logits.
    pub(crate) fn head(&self) -> &Matrix {
        self.head.as_ref().unwrap_or(&self.embedding)
    }

    fn of_layers(&self, ffn: fn(&Block) -> u64) -> u64 {
        let qkv = self.layers.iter().flat_map(|blocks| &blocks.qkv).map(|p| p.matrix.bytes());
        let rest = self.layers.iter().map(|blocks| blocks.output.bytes() + ffn(&blocks.ffn));
        qkv.sum::<u64>() + rest.sum::<u64>()
    }

    /// The largest matrix of each format that single tokens are multiplied with, experts left out.
    pub(crate) fn largest(&self) -> Vec<&Matrix> {
        let mut all: Vec<&Matrix> = self.layers.iter().flat_map(Blocks::dense).collect();
        all.push(self.head());
        all.sort_by_key(|matrix| std::cmp::Reverse(matrix.bytes()));
        let mut found: Vec<&Matrix> = Vec::new();
        for matrix in all {
            if !found.iter().any(|other| other.format == matrix.format) {
                found.push(matrix);
            }
        }
        found
    }

    /// Bytes on the device.
    pub(crate) fn bytes(&self) -> u64 {
        let outer = [Some(&self.embedding), self.positions.as_ref(), self.head.as_ref()];
        let outer: u64 = outer.into_iter().flatten().map(Matrix::bytes).sum();
        self.of_layers(Block::bytes) + outer + self.vectors.buffer.size()
    }

    /// Bytes one token reads.
    pub(crate) fn streamed_bytes(&self) -> u64 {
        self.of_layers(Block::streamed_bytes) + self.head().bytes() + self.vectors.buffer.size()
    }
}

impl Block {
    fn bytes(&self) -> u64 {
        match self {
            Block::Gated { both, down } => both.bytes() + down.bytes(),
            Block::Plain { up, down } => up.bytes() + down.bytes(),
            Block::Mixture(mixture) => mixture.bytes(),
        }
    }

    /// What one token reads.
    fn streamed_bytes(&self) -> u64 {
        match self {
            Block::Mixture(mixture) => mixture.streamed_bytes(),
            dense => dense.bytes(),
        }
    }

    fn new(gpu: &Gpu, model: &Model, layer: usize, shape: &Layer) -> Result<Block, Error> {
        if let Some(experts) = shape.ffn.experts {
            let mixture = Mixture::new(gpu, model, layer, experts)?;
            return Ok(Block::Mixture(Box::new(mixture)));
        }
        let find = |part: &str| of_layer(model, layer, part);
        let down = Matrix::new(gpu, "ffn_down", Order::Stacked(&[find("ffn_down.weight")?]))?;
        let up = find("ffn_up.weight")?;
        let (gate, up) = match shape.ffn.gate {
            Gate::None => {
                let up = Matrix::new(gpu, "ffn_up", Order::Stacked(&[up]))?;
                return Ok(Block::Plain { up, down });
            }
            Gate::Separate => (find("ffn_gate.weight")?, up),
            Gate::Fused => halves(up),
        };
        let both = Matrix::new(gpu, "ffn_gate and ffn_up", Order::Gated(gate, up))?;
        Ok(Block::Gated { both, down })
    }
}

/// The first and the second half of a tensor's rows.
fn halves(tensor: Tensor<'_>) -> (Tensor<'_>, Tensor<'_>) {
    let (first, second) = tensor.bytes.split_at(tensor.bytes.len() / 2);
    let half = |bytes| Tensor { rows: tensor.rows / 2, bytes, ..tensor };
    (half(first), half(second))
}

impl Blocks {
    /// Its matrices, experts left out.
    fn dense(&self) -> Vec<&Matrix> {
        let ffn = match &self.ffn {
            Block::Gated { both, down } => vec![both, down],
            Block::Plain { up, down } => vec![up, down],
            Block::Mixture(_) => Vec::new(),
        };
        let qkv = self.qkv.iter().map(|product| &product.matrix);
        qkv.chain([&self.output]).chain(ffn).collect()
    }

    fn new(gpu: &Gpu, model: &Model, layer: usize, shape: &Layer) -> Result<Blocks, Error> {
        let find = |part: &str| of_layer(model, layer, part);
        let names: &[&str] = match shape.fused_qkv {
            true => &["attn_qkv.weight"],
            false => &["attn_q.weight", "attn_k.weight", "attn_v.weight"],
        };
        let tensors = names.iter().map(|name| find(name)).collect::<Result<Vec<_>, Error>>()?;
        let output = [find("attn_output.weight")?];
        Ok(Blocks {
            qkv: together(gpu, &tensors)?,
            output: Matrix::new(gpu, "attn_output", Order::Stacked(&output))?,
            ffn: Block::new(gpu, model, layer, shape)?,
        })
    }
}

/// Neighbours of one format in one matrix.
fn together(gpu: &Gpu, tensors: &[Tensor<'_>]) -> Result<Vec<Product>, Error> {
    let mut first = 0;
    let same = |a: &Tensor<'_>, b: &Tensor<'_>| a.format == b.format;
    let product = |run: &[Tensor<'_>]| {
        let matrix = Matrix::new(gpu, "attn_qkv", Order::Stacked(run))?;
        let product = Product { first, matrix };
        first += product.matrix.rows;
        Ok(product)
    };
    tensors.chunk_by(same).map(product).collect()
}

/// Gate and up are multiplied together, which needs one format.
pub(crate) fn check_pairs(model: &Model) -> Result<(), Unsupported> {
    let layers = 0..model.architecture().layers.len();
    let mut mixed = layers.flat_map(|layer| gate_formats(model, layer));
    match mixed.find(|(gate, up)| gate != up) {
        None => Ok(()),
        Some((gate, up)) => Err(Unsupported {
            reason: format!("ffn_gate is {}, ffn_up {}", gate.name(), up.name()),
            fix: Some("quantise both alike".into()),
        }),
    }
}

/// Formats of the gates and ups of a layer, which are one matrix and so need one format.
fn gate_formats(model: &Model, layer: usize) -> Vec<(Format, Format)> {
    let find =
        |part: &str| model.tensor(&format!("blk.{layer}.{part}")).map(|tensor| tensor.format);
    let pairs = ["", "_exps", "_shexp"].map(|kind| {
        let name = |part: &str| format!("{part}{kind}.weight");
        Some((find(&name("ffn_gate"))?, find(&name("ffn_up"))?))
    });
    pairs.into_iter().flatten().collect()
}

fn of_layer<'m>(model: &'m Model, layer: usize, part: &str) -> Result<Tensor<'m>, Error> {
    tensor(model, &format!("blk.{layer}.{part}"))
}

fn tensor<'m>(model: &'m Model, name: &str) -> Result<Tensor<'m>, Error> {
    model.tensor(name).ok_or_else(|| missing(name))
}

fn missing(name: &str) -> Error {
    Error::Device(format!("{name}: not in the model file"))
}
