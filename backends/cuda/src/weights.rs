//! A model's tensors on the device: matrices repacked, small vectors in f32, tables of angles.

use yardstick_api::Error;
use yardstick_model::arch::{Gate, Layer, QkNorm, Rotary, RotaryStyle};
use yardstick_model::{Model, Tensor};

use crate::machine::Driver;
use crate::repack::{Packed, repack};

/// A matrix on the device.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Matrix {
    pub(crate) address: u64,
    pub(crate) format: Packed,
    pub(crate) rows: usize,
    pub(crate) cols: usize,
}

/// A norm's weight and bias, (width); 0 where there is none.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct NormWeights {
    pub(crate) weight: u64,
    pub(crate) bias: u64,
}

/// A product: its matrix and its bias, 0 where there is none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Product {
    pub(crate) matrix: Matrix,
    pub(crate) bias: u64,
}

/// One layer.
pub(crate) struct LayerWeights {
    pub(crate) attn_norm: NormWeights,
    /// Missing where both blocks run side by side.
    pub(crate) ffn_norm: Option<NormWeights>,
    /// Behind the blocks, where there are such.
    pub(crate) post: Option<[NormWeights; 2]>,
    /// Q, K, V.
    pub(crate) qkv: [Product; 3],
    /// Norms of queries and keys.
    pub(crate) qk_norm: Option<(QkNorm, [u64; 2])>,
    pub(crate) output: Product,
    /// `None` without a gate.
    pub(crate) gate: Option<Product>,
    pub(crate) up: Product,
    pub(crate) down: Product,
    /// A mixture: gate, up and down are all experts', one after the other.
    pub(crate) experts: Option<ExpertWeights>,
}

/// What a mixture has beside its experts.
pub(crate) struct ExpertWeights {
    /// (experts, embedding)
    pub(crate) router: Matrix,
    /// Gate, up and down of the expert every token passes.
    pub(crate) shared: Option<[Product; 3]>,
}

/// Angles of one rotary embedding, (context, pairs): cosine and sine.
pub(crate) struct Turns {
    pub(crate) address: u64,
    pub(crate) pairs: u32,
    /// 0 neighbours, 1 halves.
    pub(crate) style: u32,
}

/// All of a model.
pub(crate) struct Weights {
    pub(crate) embedding: Matrix,
    /// Learned positions, (positions, embedding), or 0.
    pub(crate) places: u64,
    pub(crate) layers: Vec<LayerWeights>,
    pub(crate) output_norm: NormWeights,
    pub(crate) head: Product,
    pub(crate) turns: Vec<Turns>,
    /// Factors of queries by position, (context), or 0.
    pub(crate) temperature: u64,
    /// Bytes on the device.
    pub(crate) bytes: u64,
}

/// Puts tensors onto a device and counts their bytes.
struct Loader<'l> {
    driver: &'l mut dyn Driver,
    model: &'l Model,
    bytes: u64,
}

impl Weights {
    /// Everything of a model, for sessions of `context` positions whose rotary factors are chosen by `chosen_by`.
    pub(crate) fn load(
        driver: &mut dyn Driver,
        model: &Model,
        context: usize,
        chosen_by: usize,
    ) -> Result<Weights, Error> {
        let architecture = model.architecture();
        let mut loader = Loader { driver, model, bytes: 0 };
        let embedding = loader.matrix("token_embd.weight")?;
        let head = match architecture.tied_head {
            true => embedding,
            false => loader.matrix("output.weight")?,
        };
        let layers = architecture.layers.iter().enumerate();
        let layers = layers.map(|(i, layer)| loader.layer(i, layer)).collect::<Result<_, _>>()?;
        let turns = architecture.rotary.iter().map(|r| loader.turns(r, context, chosen_by));
        let turns = turns.collect::<Result<_, Error>>()?;
        let temperature = match architecture.temperature {
            Some(t) => loader.floats((0..context).map(|position| t.at(position)))?,
            None => 0,
        };
        Ok(Weights {
            embedding,
            places: loader.vector("position_embd.weight")?,
            layers,
            output_norm: loader.norm("output_norm")?,
            head: Product { matrix: head, bias: loader.vector("output.bias")? },
            turns,
            temperature,
            bytes: loader.bytes,
        })
    }
}

impl Loader<'_> {
    fn layer(&mut self, i: usize, layer: &Layer) -> Result<LayerWeights, Error> {
        let name = |part: &str| format!("blk.{i}.{part}");
        let qkv = match layer.fused_qkv {
            true => self.cut(&name("attn_qkv"), &layer.qkv_rows())?.try_into().map_err(lacking)?,
            false => [
                self.product(&name("attn_q"))?,
                self.product(&name("attn_k"))?,
                self.product(&name("attn_v"))?,
            ],
        };
        let qk_norm = match layer.qk_norm {
            None => None,
            Some(span) => {
                let query = self.needed(&name("attn_q_norm.weight"))?;
                Some((span, [query, self.needed(&name("attn_k_norm.weight"))?]))
            }
        };
        let post = match layer.post_norms {
            true => {
                let first = self.norm(&name("post_attention_norm"))?;
                Some([first, self.norm(&name("post_ffw_norm"))?])
            }
            false => None,
        };
        let stack = if layer.ffn.experts.is_some() { "_exps" } else { "" };
        let (gate, up) = match layer.ffn.gate {
            Gate::None => (None, self.product(&name("ffn_up"))?),
            Gate::Separate => {
                let gate = self.product(&name(&format!("ffn_gate{stack}")))?;
                (Some(gate), self.product(&name(&format!("ffn_up{stack}")))?)
            }
            Gate::Fused => {
                let both = self.cut(&name("ffn_up"), &[layer.ffn.width; 2])?;
                let [gate, up] = both.try_into().map_err(lacking)?;
                (Some(gate), up)
            }
        };
        let experts = match layer.ffn.experts {
            None => None,
            Some(experts) => Some(ExpertWeights {
                router: self.matrix(&name("ffn_gate_inp.weight"))?,
                shared: match experts.shared {
                    None => None,
                    Some(_) => Some([
                        self.product(&name("ffn_gate_shexp"))?,
                        self.product(&name("ffn_up_shexp"))?,
                        self.product(&name("ffn_down_shexp"))?,
                    ]),
                },
            }),
        };
        Ok(LayerWeights {
            attn_norm: self.norm(&name("attn_norm"))?,
            ffn_norm: match layer.parallel {
                true => None,
                false => Some(self.norm(&name("ffn_norm"))?),
            },
            post,
            qkv,
            qk_norm,
            output: self.product(&name("attn_output"))?,
            gate,
            up,
            down: self.product(&name(&format!("ffn_down{stack}")))?,
            experts,
        })
    }

    fn norm(&mut self, name: &str) -> Result<NormWeights, Error> {
        let weight = self.needed(&format!("{name}.weight"))?;
        Ok(NormWeights { weight, bias: self.vector(&format!("{name}.bias"))? })
    }

    fn product(&mut self, name: &str) -> Result<Product, Error> {
        let matrix = self.matrix(&format!("{name}.weight"))?;
        Ok(Product { matrix, bias: self.vector(&format!("{name}.bias"))? })
    }

    /// One tensor's rows as matrices of their own.
    fn cut(&mut self, name: &str, rows: &[usize]) -> Result<Vec<Product>, Error> {
        let tensor = self.tensor(&format!("{name}.weight"))?;
        let bias = self.model.values(&format!("{name}.bias"));
        let stride = tensor.format.row_bytes(tensor.cols);
        let (mut first, mut products) = (0, Vec::new());
        for &rows in rows {
            let bytes = tensor.bytes.get(first * stride..(first + rows) * stride);
            let bytes = bytes.ok_or_else(|| lacking(name))?;
            let matrix = self.place(&Tensor { rows, bytes, ..tensor })?;
            let part = bias.as_ref().and_then(|bias| bias.get(first..first + rows));
            let bias = match part {
                Some(values) => self.floats(values.iter().copied())?,
                None => 0,
            };
            products.push(Product { matrix, bias });
            first += rows;
        }
        Ok(products)
    }

    fn matrix(&mut self, name: &str) -> Result<Matrix, Error> {
        let tensor = self.tensor(name)?;
        self.place(&tensor)
    }

    fn place(&mut self, tensor: &Tensor<'_>) -> Result<Matrix, Error> {
        let packed = repack(tensor);
        let (format, bytes) = packed.ok_or_else(|| {
            Error::Device(format!("{}: no kernel reads {}", tensor.name, tensor.format.name()))
        })?;
        let address = self.upload(&bytes)?;
        Ok(Matrix { address, format, rows: tensor.rows, cols: tensor.cols })
    }

    /// Not bound to `self`, whose model outlives it.
    fn tensor<'m>(&self, name: &str) -> Result<Tensor<'m>, Error>
    where
        Self: 'm,
    {
        self.model.tensor(name).ok_or_else(|| lacking(name))
    }

    /// A small tensor in f32, or 0 where the model has none of that name.
    fn vector(&mut self, name: &str) -> Result<u64, Error> {
        self.model.values(name).map_or(Ok(0), |values| self.floats(values.into_iter()))
    }

    fn needed(&mut self, name: &str) -> Result<u64, Error> {
        match self.vector(name)? {
            0 => Err(lacking(name)),
            address => Ok(address),
        }
    }

    fn turns(&mut self, rotary: &Rotary, context: usize, by: usize) -> Result<Turns, Error> {
        let (frequencies, magnitude) = (rotary.frequencies(by), f64::from(rotary.magnitude));
        // Angles in f64: at position 100,000 an f32 product would be off by thousandths.
        let turn = |at: usize, frequency: f64| {
            let (sin, cos) = (at as f64 * frequency).sin_cos();
            [(cos * magnitude) as f32, (sin * magnitude) as f32]
        };
        let of = |at: usize| frequencies.iter().flat_map(move |&f| turn(at, f));
        let address = self.floats((0..context).flat_map(of))?;
        let style = u32::from(rotary.style == RotaryStyle::Halves);
        Ok(Turns { address, pairs: frequencies.len() as u32, style })
    }

    fn floats(&mut self, values: impl Iterator<Item = f32>) -> Result<u64, Error> {
        let bytes: Vec<u8> = values.flat_map(f32::to_le_bytes).collect();
        self.upload(&bytes)
    }

    fn upload(&mut self, bytes: &[u8]) -> Result<u64, Error> {
        let address = self.driver.allocate(bytes.len() as u64, "weights")?;
        self.driver.write(address, bytes)?;
        self.bytes += bytes.len() as u64;
        Ok(address)
    }
}

fn lacking<T>(what: T) -> Error
where
    T: std::fmt::Debug,
{
    Error::Device(format!("{what:?}: not in the model file"))
}
