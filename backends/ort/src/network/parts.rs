//! The pieces a forward pass is made of, as nodes: products, norms, caps.

use yardstick_api::Error;
use yardstick_model::Model;
use yardstick_model::arch::{Layer, NormKind, QkNorm};

use super::Style;
use crate::onnx::{Attribute, Graph};
use crate::weights::{Carrier, Index, halves_first, turned};

/// A graph, and what its nodes are made from.
pub(super) struct Parts<'a> {
    pub(super) model: &'a Model,
    pub(super) index: &'a Index,
    pub(super) style: Style,
    pub(super) graph: Graph,
    /// The sums of an input's blocks that were made last: the input, the block's length, and their name.
    pub(super) block_sums: Option<(String, usize, String)>,
    /// The input of a product that was rounded last, and what it became.
    pub(super) rounded_input: Option<(String, String)>,
}

impl Parts<'_> {
    /// `x` (rows, cols) times a matrix's rows, plus its bias: (rows, rows of the matrix).
    pub(super) fn product(&mut self, name: &str, x: &str, bias: bool) -> Result<String, Error> {
        self.scaled_product(name, x, bias, 1.0)
    }

    /// A product times a number. The input is multiplied, not the output: OpenVINO 2025.4 computes a product of 4-bit weights wrongly
    /// when a number multiplies what comes out.
    pub(super) fn scaled_product(
        &mut self,
        name: &str,
        x: &str,
        bias: bool,
        factor: f32,
    ) -> Result<String, Error> {
        let scaled = (factor != 1.0).then(|| {
            let factor = self.graph.scalar(factor);
            self.graph.node(name, "Mul", &[x, &factor], &[])
        });
        let x = scaled.as_deref().unwrap_or(x);
        let tensor = match name {
            "output" if self.model.architecture().tied_head => "token_embd.weight".to_owned(),
            _ => format!("{name}.weight"),
        };
        let x = self.input_of(name, x)?;
        let y = match self.index.tensors.contains_key(name) {
            true => self.dense(name, &x)?,
            false => self.blocks(name, &x)?,
        };
        let mut y = self.output_of(name, &y)?;
        if bias {
            let mut values = self.bias(name, &tensor)?;
            values.iter_mut().for_each(|value| *value *= factor);
            let values = self.graph.vector(&values);
            y = self.graph.node(name, "Add", &[&y, &values], &[]);
        }
        Ok(y)
    }

    /// `Gemm` reads the matrix row by row as it lies.
    fn dense(&mut self, name: &str, x: &str) -> Result<String, Error> {
        let stored = self.stored(name)?;
        let mut matrix = self.graph.stored(name, &stored);
        if stored.element != crate::onnx::ElementType::F32 {
            matrix = self.cast(name, &matrix, 1);
        }
        Ok(self.graph.node(name, "Gemm", &[x, &matrix], &[("transB", Attribute::Int(1))]))
    }

    /// A product of integers: as the operator for blocks, or decoded by an operator of its own where a scale is a whole row's.
    fn blocks(&mut self, name: &str, x: &str) -> Result<String, Error> {
        let codes = self.stored(&format!("{name}.codes"))?;
        let scales = self.stored(&format!("{name}.scales"))?;
        let rows = codes.shape.first().copied().unwrap_or(0);
        let (carrier, cols) = self.carrier_of(name)?;
        let c = self.graph.stored(&format!("{name}.codes"), &codes);
        let s = self.graph.stored(&format!("{name}.scales"), &scales);
        let (bits, block) = match carrier {
            Carrier::Blocks { bits, block, .. } => (bits, block),
            Carrier::Groups { group } => (4, group),
            Carrier::Channels { .. } => {
                let axis = [("axis", Attribute::Int(0))];
                let matrix = self.graph.node(name, "DequantizeLinear", &[&c, &s], &axis);
                let turned = [("transB", Attribute::Int(1))];
                return Ok(self.graph.node(name, "Gemm", &[x, &matrix], &turned));
            }
            Carrier::Dense(_) => return Err(missing(name)),
        };
        let attributes = [
            ("K", Attribute::Int(cols as i64)),
            ("N", Attribute::Int(rows as i64)),
            ("bits", Attribute::Int(bits as i64)),
            ("block_size", Attribute::Int(block as i64)),
            ("accuracy_level", Attribute::Int(self.style.accuracy)),
        ];
        let y = self.graph.contrib(name, "MatMulNBits", &[x, &c, &s], &attributes);
        let Some(offsets) = self.index.tensors.get(&format!("{name}.offsets")) else {
            return Ok(y);
        };
        // What every weight of a block is off by is multiplied with the block's sum of activations.
        let offsets = self.graph.stored(&format!("{name}.offsets"), offsets);
        let sums = self.block_sums(x, cols / block, block);
        let off = self.graph.node(name, "MatMul", &[&sums, &offsets], &[]);
        Ok(self.graph.node(name, "Add", &[&y, &off], &[]))
    }

    /// How a product's matrix is carried, and its columns.
    fn carrier_of(&self, name: &str) -> Result<(Carrier, usize), Error> {
        let products = crate::weights::products(self.model.architecture());
        let product = products.into_iter().find(|product| product.name == name);
        let tensor = product.and_then(|product| self.model.tensor(&product.tensor));
        let tensor = tensor.ok_or_else(|| missing(name))?;
        Ok((self.style.scheme.carrier(tensor.format), tensor.cols))
    }

    /// (rows, blocks), made once for products that share an input.
    fn block_sums(&mut self, x: &str, blocks: usize, block: usize) -> String {
        if let Some((of, length, sums)) = &self.block_sums
            && of == x
            && *length == block
        {
            return sums.clone();
        }
        let shape = self.graph.ints(&[-1, blocks as i64, block as i64]);
        let cut = self.graph.node("block_sums", "Reshape", &[x, &shape], &[]);
        let axis = self.graph.ints(&[2]);
        let keep = [("keepdims", Attribute::Int(0))];
        let sums = self.graph.node("block_sums", "ReduceSum", &[&cut, &axis], &keep);
        self.block_sums = Some((x.to_owned(), block, sums.clone()));
        sums
    }

    fn stored(&self, name: &str) -> Result<crate::onnx::Stored, Error> {
        self.index.tensors.get(name).cloned().ok_or_else(|| missing(name))
    }

    /// A product's bias, its rows in the product's order.
    fn bias(&self, name: &str, tensor: &str) -> Result<Vec<f32>, Error> {
        let architecture = self.model.architecture();
        let products = crate::weights::products(architecture);
        let product = products.into_iter().find(|product| product.name == name);
        let product = product.ok_or_else(|| missing(name))?;
        // The head's bias goes with the head's name, every other with its tensor's.
        let of = if name == "output" { "output.weight" } else { &product.tensor };
        let bias = of.strip_suffix("weight").map(|stem| format!("{stem}bias"));
        let bias = bias.ok_or_else(|| missing(tensor))?;
        let values = self.vector(&bias)?;
        (0..product.rows.len())
            .map(|i| values.get(product.source(i)).copied().ok_or_else(|| missing(&bias)))
            .collect()
    }

    /// A small tensor's values.
    pub(super) fn vector(&self, name: &str) -> Result<Vec<f32>, Error> {
        self.model.values(name).ok_or_else(|| missing(name))
    }

    /// To another type, by its number.
    pub(super) fn cast(&mut self, name: &str, x: &str, to: i64) -> String {
        self.graph.node(name, "Cast", &[x], &[("to", Attribute::Int(to))])
    }

    /// A norm of the stream.
    pub(super) fn norm(&mut self, name: &str, x: &str) -> Result<String, Error> {
        let norm = self.model.architecture().norm;
        let weight = self.vector(&format!("{name}.weight"))?;
        let bias = match norm.bias {
            true => self.model.values(&format!("{name}.bias")),
            false => None,
        };
        Ok(self.normalise(name, x, &weight, bias.as_deref()))
    }

    fn normalise(&mut self, name: &str, x: &str, weight: &[f32], bias: Option<&[f32]>) -> String {
        let norm = self.model.architecture().norm;
        let w = self.graph.vector(weight);
        let eps = ("epsilon", Attribute::Float(norm.eps));
        let axis = ("axis", Attribute::Int(-1));
        match norm.kind {
            NormKind::Rms if self.style.plain => self.rms(name, x, &w, norm.eps),
            NormKind::Rms => {
                self.graph.node(name, "SimplifiedLayerNormalization", &[x, &w], &[axis, eps])
            }
            NormKind::Layer if self.style.plain => self.layer_norm(name, x, &w, bias, norm.eps),
            NormKind::Layer => {
                let zeros = vec![0.0; weight.len()];
                let b = self.graph.vector(bias.unwrap_or(&zeros));
                self.graph.node(name, "LayerNormalization", &[x, &w, &b], &[axis, eps])
            }
        }
    }

    /// `x / sqrt(mean(x^2) + eps) * w`
    fn rms(&mut self, name: &str, x: &str, w: &str, eps: f32) -> String {
        let (last, eps) = (self.graph.ints(&[-1]), self.graph.scalar(eps));
        let graph = &mut self.graph;
        let square = graph.node(name, "Mul", &[x, x], &[]);
        let mean = graph.node(name, "ReduceMean", &[&square, &last], &[]);
        let mean = graph.node(name, "Add", &[&mean, &eps], &[]);
        let root = graph.node(name, "Sqrt", &[&mean], &[]);
        let x = graph.node(name, "Div", &[x, &root], &[]);
        graph.node(name, "Mul", &[&x, w], &[])
    }

    /// `(x - mean(x)) / sqrt(mean((x - mean(x))^2) + eps) * w + b`
    fn layer_norm(
        &mut self,
        name: &str,
        x: &str,
        w: &str,
        bias: Option<&[f32]>,
        eps: f32,
    ) -> String {
        let last = self.graph.ints(&[-1]);
        let mean = self.graph.node(name, "ReduceMean", &[x, &last], &[]);
        let centred = self.graph.node(name, "Sub", &[x, &mean], &[]);
        let scaled = self.rms(name, &centred, w, eps);
        match bias {
            Some(bias) => {
                let bias = self.graph.vector(bias);
                self.graph.node(name, "Add", &[&scaled, &bias], &[])
            }
            None => scaled,
        }
    }

    /// A norm of queries or keys (rows, heads * key_dim), to the same.
    pub(super) fn head_norm(
        &mut self,
        i: usize,
        part: &str,
        layer: &Layer,
        span: QkNorm,
        heads: usize,
        x: &str,
    ) -> Result<String, Error> {
        let name = format!("blk.{i}.{part}");
        let weight = self.vector(&format!("{name}.weight"))?;
        // Weights follow their elements into the order of halves.
        let turned = turned(self.model.architecture(), layer);
        let order = |i: usize| turned.map_or(i, |turned| halves_first(turned, i));
        let weight: Vec<f32> = (0..weight.len()).map(|i| weight[order(i)]).collect();
        if span == QkNorm::Whole {
            return Ok(self.normalise(&name, x, &weight, None));
        }
        let dim = layer.key_dim;
        let by_head = self.graph.ints(&[-1, heads as i64, dim as i64]);
        let mut y = self.graph.node(&name, "Reshape", &[x, &by_head], &[]);
        if span == QkNorm::Head {
            y = self.normalise(&name, &y, &weight, None);
        } else {
            y = self.normalise(&name, &y, &vec![1.0; dim], None);
            let bytes: Vec<u8> = weight.iter().flat_map(|w| w.to_le_bytes()).collect();
            let kind = crate::onnx::ElementType::F32;
            let weight = self.graph.constant(kind, &[heads, dim], &bytes);
            y = self.graph.node(&name, "Mul", &[&y, &weight], &[]);
        }
        let flat = self.graph.ints(&[-1, (heads * dim) as i64]);
        Ok(self.graph.node(&name, "Reshape", &[&y, &flat], &[]))
    }

    /// `cap * tanh(x / cap)`
    pub(super) fn soft_cap(&mut self, name: &str, x: &str, cap: f32) -> String {
        let cap = self.graph.scalar(cap);
        let part = self.graph.node(name, "Div", &[x, &cap], &[]);
        let bent = self.graph.node(name, "Tanh", &[&part], &[]);
        self.graph.node(name, "Mul", &[&bent, &cap], &[])
    }
}

pub(super) fn missing(name: &str) -> Error {
    Error::Device(format!("{name}: not among the converted weights; delete the cache of them"))
}
