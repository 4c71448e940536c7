//! The weights as the forward pass names them: matrices stay in the file, norms and biases are decoded at load.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use yardstick_api::{Error, WeightScheme};
use yardstick_model::quantize::Sums;
use yardstick_model::{Architecture, Model, Tensor};

use crate::matmul::matmul;

/// A model with its small vectors decoded, and how many threads multiply.
pub(crate) struct Weights {
    model: Arc<Model>,
    /// Norms and biases by GGUF name.
    vectors: HashMap<String, Vec<f32>>,
    pub(crate) threads: usize,
    /// How every matrix is rounded before it multiplies.
    pub(crate) anew: Option<WeightScheme>,
    /// Squared activations that met each matrix of a layer, where someone asked for them.
    pub(crate) observed: Option<Mutex<Sums>>,
}

impl Weights {
    pub(crate) fn new(model: Arc<Model>, threads: usize) -> Result<Weights, Error> {
        let small = |part: &str| part.ends_with(".bias") || part.ends_with("_norm.weight");
        let specs = model.architecture().tensors().into_iter().filter(|spec| small(spec.part));
        let decoded = specs.map(|spec| {
            let values = model.values(&spec.name).ok_or_else(|| missing(&spec.name))?;
            Ok((spec.name, values))
        });
        let vectors = decoded.collect::<Result<_, Error>>()?;
        Ok(Weights { model, vectors, threads, anew: None, observed: None })
    }

    pub(crate) fn model(&self) -> &Model {
        &self.model
    }

    pub(crate) fn architecture(&self) -> &Architecture {
        self.model.architecture()
    }

    /// `x` (tokens, cols) times a matrix of a layer, `attn_q`, plus its bias where it has one: (tokens, rows).
    pub(crate) fn product(&self, layer: usize, name: &str, x: &[f32]) -> Result<Vec<f32>, Error> {
        let tensor = self.matrix(layer, name)?;
        self.product_of_rows(layer, name, 0..tensor.rows, x)
    }

    /// As [`Weights::product`], of some rows of a matrix: one of several that were put into one tensor.
    pub(crate) fn product_of_rows(
        &self,
        layer: usize,
        name: &str,
        rows: Range<usize>,
        x: &[f32],
    ) -> Result<Vec<f32>, Error> {
        // Tensors that were put into one meet the same rows: counted with the first.
        if rows.start == 0 {
            self.observe(layer, name, (0, 1), x);
        }
        let mut y =
            matmul(self.threads, part(self.matrix(layer, name)?, rows.clone()), self.anew, x)?;
        if let Some(bias) = self.vector(&format!("blk.{layer}.{name}.bias")) {
            add_to_rows(&mut y, &bias[rows]);
        }
        Ok(y)
    }

    /// Tells whoever asked that rows `x` met a matrix of a layer; `expert` of how many.
    pub(crate) fn observe(&self, layer: usize, name: &str, expert: (usize, usize), x: &[f32]) {
        let Some(observed) = &self.observed else { return };
        let name = format!("blk.{layer}.{name}.weight");
        let cols = self.model.tensor(&name).map_or(0, |tensor| tensor.cols);
        let mut sums = observed.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        sums.add(&name, expert.0, expert.1, cols, x);
    }

    /// A matrix of a layer, `attn_q`: (rows, cols).
    pub(crate) fn matrix(&self, layer: usize, name: &str) -> Result<Tensor<'_>, Error> {
        self.tensor(&format!("blk.{layer}.{name}.weight"))
    }

    /// A tensor by GGUF name.
    pub(crate) fn tensor(&self, name: &str) -> Result<Tensor<'_>, Error> {
        self.model.tensor(name).ok_or_else(|| missing(name))
    }

    /// The head, (vocab, embedding).
    pub(crate) fn head(&self) -> Result<Tensor<'_>, Error> {
        match self.architecture().tied_head {
            true => self.tensor("token_embd.weight"),
            false => self.tensor("output.weight"),
        }
    }

    /// A norm or bias by GGUF name.
    pub(crate) fn vector(&self, name: &str) -> Option<&[f32]> {
        self.vectors.get(name).map(Vec::as_slice)
    }

    /// A norm or bias that must be there.
    pub(crate) fn needed(&self, name: &str) -> Result<&[f32], Error> {
        self.vector(name).ok_or_else(|| missing(name))
    }

    /// Bytes of the decoded vectors.
    pub(crate) fn decoded_bytes(&self) -> u64 {
        self.vectors.values().map(Vec::len).sum::<usize>() as u64 * 4
    }
}

/// Some rows of a tensor.
pub(crate) fn part(tensor: Tensor<'_>, rows: Range<usize>) -> Tensor<'_> {
    let stride = tensor.format.row_bytes(tensor.cols);
    let bytes = &tensor.bytes[rows.start * stride..rows.end * stride];
    Tensor { rows: rows.len(), bytes, ..tensor }
}

/// Adds `bias` (width) to every row of `x` (rows, width).
pub(crate) fn add_to_rows(x: &mut [f32], bias: &[f32]) {
    for row in x.chunks_exact_mut(bias.len()) {
        row.iter_mut().zip(bias).for_each(|(x, y)| *x += y);
    }
}

fn missing(name: &str) -> Error {
    Error::Device(format!("{name}: not in the model file"))
}
