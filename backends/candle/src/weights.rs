//! The weights as candle holds them: copied from the mapped file, block by block, never through candle's own parser.

use std::borrow::Cow;
use std::sync::Arc;

use candle_core::quantized::{QMatMul, QStorage, QTensor};
use candle_core::{Device, Module, Result, Tensor};
use yardstick_api::Error;
use yardstick_model::arch::{self, Ffn};
use yardstick_model::{Format, Model, Tensor as Stored};

use crate::formats::{Storage, amx_bytes, storage, tile_bytes};
use crate::machine::{Tier, amx};

/// All weights of a model.
pub(crate) struct Network {
    /// (vocab, embedding)
    pub(crate) embedding: Matrix,
    pub(crate) layers: Vec<LayerWeights>,
    /// (embedding)
    pub(crate) output_norm: Tensor,
    /// (vocab, embedding); `None` where it is the embedding.
    head: Option<Matrix>,
}

/// One layer.
pub(crate) struct LayerWeights {
    /// (embedding)
    pub(crate) attn_norm: Tensor,
    pub(crate) q: Projection,
    pub(crate) k: Projection,
    pub(crate) v: Projection,
    /// (embedding, heads * value_dim)
    pub(crate) output: Matrix,
    /// (embedding)
    pub(crate) ffn_norm: Tensor,
    pub(crate) ffn: FeedForward,
}

/// The feed-forward block.
pub(crate) enum FeedForward {
    Dense(Gated),
    Mixture(Experts),
}

/// `down(silu(gate(x)) * up(x))`.
pub(crate) struct Gated {
    /// (width, embedding)
    pub(crate) gate: Matrix,
    /// (width, embedding)
    pub(crate) up: Matrix,
    /// (embedding, width)
    pub(crate) down: Matrix,
}

/// Gated blocks of which each token takes a few.
pub(crate) struct Experts {
    /// (experts, embedding)
    pub(crate) router: Matrix,
    pub(crate) experts: Vec<Gated>,
    pub(crate) used: usize,
}

/// A matrix with a bias where the architecture has one.
pub(crate) struct Projection {
    matrix: Matrix,
    /// (rows of the matrix)
    bias: Option<Tensor>,
}

impl Projection {
    /// (tokens, cols) to (tokens, rows).
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let y = self.matrix.forward(x)?;
        match &self.bias {
            Some(bias) => y.broadcast_add(bias),
            None => Ok(y),
        }
    }
}

/// A matrix and what is known of it.
pub(crate) struct Matrix {
    inner: QMatMul,
    format: Format,
    rows: usize,
    cols: usize,
}

impl Matrix {
    /// Copies a (rows, cols) tensor. The variant is chosen here, not by candle's environment variables.
    fn new(stored: Stored<'_>) -> std::result::Result<Matrix, Error> {
        let Stored { format, cols, rows, bytes, .. } = stored;
        let inner = match storage(format) {
            Some(Storage::Blocks(dtype)) => {
                let data = QStorage::from_data(even(bytes), &Device::Cpu, dtype);
                let tensor = data.and_then(|data| QTensor::new(data, (rows, cols)));
                QMatMul::QTensor(Arc::new(tensor.map_err(failed)?))
            }
            Some(Storage::Dense) => {
                let mut values = vec![0.0_f32; rows * cols];
                format.decode(bytes, &mut values);
                let tensor = Tensor::from_vec(values, (rows, cols), &Device::Cpu);
                QMatMul::Tensor(tensor.map_err(failed)?)
            }
            None => return Err(Error::Device(format!("candle has no {}", format.name()))),
        };
        Ok(Matrix { inner, format, rows, cols })
    }

    /// (tokens, cols) to (tokens, rows).
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.inner.forward(x)
    }

    /// Rows by index, decoded: (ids, cols).
    pub(crate) fn rows(&self, ids: &Tensor) -> Result<Tensor> {
        self.inner.embedding(ids)
    }

    fn is_dense(&self) -> bool {
        storage(self.format) == Some(Storage::Dense)
    }

    /// Bytes of the copy, without tiles.
    fn stored_bytes(&self) -> u64 {
        if self.is_dense() {
            return self.rows as u64 * self.cols as u64 * 4;
        }
        self.rows as u64 * self.format.row_bytes(self.cols) as u64
    }

    /// Bytes of the tiles candle makes beside the copy when it first multiplies one row, and when many.
    fn tile_bytes(&self) -> u64 {
        let many = tile_bytes(self.format, Tier::detect(), self.rows, self.cols, 2).unwrap_or(0);
        let amx = if amx() { amx_bytes(self.format, self.rows, self.cols) } else { 0 };
        many + amx
    }

    /// Bytes one product with `tokens` rows reads.
    fn streamed_bytes(&self, tokens: usize) -> u64 {
        tile_bytes(self.format, Tier::detect(), self.rows, self.cols, tokens)
            .unwrap_or_else(|| self.stored_bytes())
    }
}

/// Blocks at an even address, which candle demands and a file need not give: their scales are f16. Candle copies them.
fn even(bytes: &[u8]) -> Cow<'_, [u8]> {
    if bytes.as_ptr().addr().is_multiple_of(2) {
        return Cow::Borrowed(bytes);
    }
    // Memory of this many bytes starts at a multiple of 8 or 16; candle would refuse it otherwise.
    Cow::Owned(bytes.to_vec())
}

impl Network {
    pub(crate) fn new(model: &Model) -> std::result::Result<Network, Error> {
        let architecture = model.architecture();
        let layers = 0..architecture.layers.len();
        Ok(Network {
            embedding: matrix(model, "token_embd.weight")?,
            layers: layers.map(|i| layer(model, i)).collect::<std::result::Result<_, Error>>()?,
            output_norm: vector(model, "output_norm.weight")?,
            head: match architecture.tied_head {
                true => None,
                false => Some(matrix(model, "output.weight")?),
            },
        })
    }

    pub(crate) fn head(&self) -> &Matrix {
        self.head.as_ref().unwrap_or(&self.embedding)
    }

    /// Every matrix that is multiplied with, and how many of its kind a token meets of how many there are.
    fn multiplied(&self) -> Vec<(&Matrix, usize, usize)> {
        let mut all = vec![(self.head(), 1, 1)];
        for layer in &self.layers {
            let attention = [&layer.q.matrix, &layer.k.matrix, &layer.v.matrix, &layer.output];
            all.extend(attention.map(|matrix| (matrix, 1, 1)));
            match &layer.ffn {
                FeedForward::Dense(gated) => all.extend(gated.all().map(|matrix| (matrix, 1, 1))),
                FeedForward::Mixture(Experts { router, experts, used }) => {
                    all.push((router, 1, 1));
                    let of = experts.iter().flat_map(Gated::all);
                    all.extend(of.map(|matrix| (matrix, *used, experts.len())));
                }
            }
        }
        all
    }

    /// Whether all products are in f32: no activations are quantised.
    pub(crate) fn is_dense(&self) -> bool {
        self.multiplied().iter().all(|(matrix, ..)| matrix.is_dense())
    }

    /// Bytes of everything copied, decoded and re-laid. Tiles are made by the first product, and counted from the start.
    pub(crate) fn copied_bytes(&self) -> u64 {
        let multiplied = self.multiplied();
        let stored: u64 = multiplied.iter().map(|(matrix, ..)| matrix.stored_bytes()).sum();
        let tiles: u64 = multiplied.iter().map(|(matrix, ..)| matrix.tile_bytes()).sum();
        let embedding = if self.head.is_some() { self.embedding.stored_bytes() } else { 0 };
        let values = |tensor: &Tensor| tensor.elem_count() as u64;
        let of_layer = |layer: &LayerWeights| {
            let biases = [&layer.q, &layer.k, &layer.v].map(|p| p.bias.as_ref().map_or(0, values));
            values(&layer.attn_norm) + values(&layer.ffn_norm) + biases.iter().sum::<u64>()
        };
        let vectors = values(&self.output_norm) + self.layers.iter().map(of_layer).sum::<u64>();
        stored + tiles + embedding + 4 * vectors
    }

    /// Weight bytes one decode step of `sequences` tokens reads.
    pub(crate) fn streamed_bytes(&self, sequences: usize) -> u64 {
        let share = |(matrix, used, of): &(&Matrix, usize, usize)| {
            matrix.streamed_bytes(sequences) * *used as u64 / *of as u64
        };
        self.multiplied().iter().map(share).sum()
    }
}

impl Gated {
    fn all(&self) -> [&Matrix; 3] {
        [&self.gate, &self.up, &self.down]
    }
}

fn layer(model: &Model, i: usize) -> std::result::Result<LayerWeights, Error> {
    let architecture = &model.architecture().layers[i];
    let name = |part: &str| format!("blk.{i}.{part}");
    let projection = |part: &str| {
        let bias = match architecture.qkv_bias {
            true => Some(vector(model, &name(&format!("{part}.bias")))?),
            false => None,
        };
        let matrix = matrix(model, &name(&format!("{part}.weight")))?;
        Ok::<_, Error>(Projection { matrix, bias })
    };
    Ok(LayerWeights {
        attn_norm: vector(model, &name("attn_norm.weight"))?,
        q: projection("attn_q")?,
        k: projection("attn_k")?,
        v: projection("attn_v")?,
        output: matrix(model, &name("attn_output.weight"))?,
        ffn_norm: vector(model, &name("ffn_norm.weight"))?,
        ffn: feed_forward(model, i, &architecture.ffn)?,
    })
}

fn feed_forward(model: &Model, i: usize, ffn: &Ffn) -> std::result::Result<FeedForward, Error> {
    let name = |part: &str| format!("blk.{i}.{part}.weight");
    let of = |part: &str| matrix(model, &name(part));
    match ffn.experts {
        None => Ok(FeedForward::Dense(Gated {
            gate: of("ffn_gate")?,
            up: of("ffn_up")?,
            down: of("ffn_down")?,
        })),
        Some(arch::Experts { count: experts, used, .. }) => {
            let part = |part: &str, expert| {
                let whole = stored(model, &name(part))?;
                Matrix::new(one_expert(whole, expert, experts))
            };
            let expert = |expert| {
                Ok(Gated {
                    gate: part("ffn_gate_exps", expert)?,
                    up: part("ffn_up_exps", expert)?,
                    down: part("ffn_down_exps", expert)?,
                })
            };
            let all = (0..experts).map(expert).collect::<std::result::Result<_, Error>>()?;
            Ok(FeedForward::Mixture(Experts { router: of("ffn_gate_inp")?, experts: all, used }))
        }
    }
}

fn one_expert(whole: Stored<'_>, expert: usize, count: usize) -> Stored<'_> {
    let (rows, bytes) = (whole.rows / count, whole.bytes.len() / count);
    Stored { rows, bytes: &whole.bytes[expert * bytes..(expert + 1) * bytes], ..whole }
}

fn stored<'a>(model: &'a Model, name: &str) -> std::result::Result<Stored<'a>, Error> {
    model.tensor(name).ok_or_else(|| missing(name))
}

fn matrix(model: &Model, name: &str) -> std::result::Result<Matrix, Error> {
    Matrix::new(stored(model, name)?)
}

fn vector(model: &Model, name: &str) -> std::result::Result<Tensor, Error> {
    let values = model.vector(name).ok_or_else(|| missing(name))?;
    let length = values.len();
    Tensor::from_vec(values, length, &Device::Cpu).map_err(failed)
}

fn missing(name: &str) -> Error {
    Error::Device(format!("{name}: not in the model file"))
}

/// Candle's error as ours.
pub(crate) fn failed(error: candle_core::Error) -> Error {
    Error::Device(format!("candle: {error}"))
}
