//! The dynamic form at work: one graph, each sequence's keys and values bound as input and output at once, so that the runtime
//! appends in place and nothing of the cache is ever copied.

use std::sync::Arc;

use half::f16;
use ort::memory::Allocator;
use ort::session::{IoBinding, Session};
use ort::value::{DynTensor, Tensor, TensorElementType};
use yardstick_api::{Error, KvType, Token};
use yardstick_model::{Architecture, Model};

use super::embedding::Embedding;
use super::{Form, failed};
use crate::placement::Recorded;
use crate::rotary::tables;

pub(super) struct Dynamic {
    pub(super) session: Recorded,
    model: Arc<Model>,
    embedding: Embedding,
    pub(super) slots: Vec<Slot>,
    fixed: Fixed,
    rows: Rows,
}

/// A sequence: its cache, and the binding that names it.
pub(super) struct Slot {
    pub(super) binding: IoBinding,
    /// (layers) of keys and values, (1, kv_heads, context, dim) each.
    cache: Vec<[DynTensor; 2]>,
    /// The rows it was bound with last.
    bound: u64,
}

/// Inputs of every call.
struct Fixed {
    seqlens: Tensor<i32>,
    total: Tensor<i32>,
    /// By name: `cos.0`, (context, dims / 2).
    tables: Vec<(String, Tensor<f32>)>,
}

/// Inputs and output of calls with so many rows, kept for the next call like it.
struct Rows {
    count: usize,
    chosen: usize,
    /// Changes when the buffers do.
    version: u64,
    stream: Tensor<f32>,
    positions: Tensor<i64>,
    wanted: Tensor<i64>,
    temperature: Tensor<f32>,
    /// (chosen, vocab)
    logits: Tensor<f32>,
}

impl Rows {
    fn new(model: &Model, count: usize, chosen: usize, version: u64) -> ort::Result<Rows> {
        let architecture = model.architecture();
        let memory = Allocator::default();
        Ok(Rows {
            count,
            chosen,
            version,
            stream: Tensor::new(&memory, [count, architecture.embedding])?,
            positions: Tensor::new(&memory, [1, count])?,
            wanted: Tensor::new(&memory, [chosen])?,
            temperature: Tensor::new(&memory, [count, 1])?,
            logits: Tensor::new(&memory, [chosen, architecture.vocab])?,
        })
    }
}

/// What the form is made with.
pub(super) struct Shape {
    pub(super) context: usize,
    pub(super) sequences: usize,
    pub(super) kv: KvType,
    /// The context by which rotary factors are chosen.
    pub(super) chosen: usize,
}

impl Dynamic {
    pub(super) fn new(
        session: Recorded,
        model: &Arc<Model>,
        shape: &Shape,
    ) -> ort::Result<Dynamic> {
        let memory = Allocator::default();
        let mut tables_by_name = Vec::new();
        for (i, rotary) in model.architecture().rotary.iter().enumerate() {
            let values = tables(rotary, shape.context, shape.chosen);
            for (name, values) in ["cos", "sin"].into_iter().zip(values) {
                let mut table = Tensor::new(&memory, [shape.context, rotary.dims / 2])?;
                table.extract_tensor_mut().1.copy_from_slice(&values);
                tables_by_name.push((format!("{name}.{i}"), table));
            }
        }
        let fixed = Fixed {
            seqlens: Tensor::new(&memory, [1_usize])?,
            total: Tensor::new(&memory, [0_usize; 0])?,
            tables: tables_by_name,
        };
        let slots = (0..shape.sequences).map(|_| Slot::new(&session.session, model, shape, &fixed));
        Ok(Dynamic {
            slots: slots.collect::<ort::Result<_>>()?,
            model: Arc::clone(model),
            embedding: Embedding::new(model),
            rows: Rows::new(model, 1, 1, 1)?,
            fixed,
            session,
        })
    }

    fn fill(&mut self, position: usize, tokens: &[Token], chosen: &[usize]) -> Result<(), Error> {
        let total = position + tokens.len();
        // Positions were held against the context, which is an i32's by plan.
        self.fixed.seqlens.extract_tensor_mut().1[0] = (total - 1) as i32;
        self.fixed.total.extract_tensor_mut().1[0] = total as i32;
        let rows = &mut self.rows;
        self.embedding.fill(position, tokens, rows.stream.extract_tensor_mut().1)?;
        let places = rows.positions.extract_tensor_mut().1.iter_mut().zip(position..);
        places.for_each(|(to, position)| *to = position as i64);
        let wanted = rows.wanted.extract_tensor_mut().1.iter_mut().zip(chosen);
        wanted.for_each(|(to, &row)| *to = row as i64);
        if let Some(temperature) = self.model.architecture().temperature {
            let factors = rows.temperature.extract_tensor_mut().1.iter_mut().zip(position..);
            factors.for_each(|(to, position)| *to = temperature.at(position));
        }
        Ok(())
    }
}

impl Form for Dynamic {
    fn run(
        &mut self,
        sequence: usize,
        position: usize,
        tokens: &[Token],
        wanted: &[usize],
        logits: &mut Vec<f32>,
    ) -> Result<(), Error> {
        // The head runs for one row at least: graphs with no rows at all are nobody's tested path.
        let chosen = if wanted.is_empty() { &[tokens.len() - 1][..] } else { wanted };
        if (self.rows.count, self.rows.chosen) != (tokens.len(), chosen.len()) {
            let version = self.rows.version + 1;
            self.rows =
                Rows::new(&self.model, tokens.len(), chosen.len(), version).map_err(failed)?;
        }
        self.fill(position, tokens, chosen)?;
        let slot = &mut self.slots[sequence];
        slot.bind(&mut self.rows, self.model.architecture()).map_err(failed)?;
        self.session.run(&slot.binding).map_err(failed)?;
        if !wanted.is_empty() {
            logits.extend_from_slice(self.rows.logits.extract_tensor().1);
        }
        Ok(())
    }

    fn copy(&mut self, from: usize, to: usize, length: usize) -> Result<(), Error> {
        let slots = self.slots.get_disjoint_mut([from, to]);
        let [from, to] = slots.map_err(|error| Error::Invalid(error.to_string()))?;
        for (from, to) in from.cache.iter().flatten().zip(to.cache.iter_mut().flatten()) {
            copy(from, to, length).map_err(failed)?;
        }
        Ok(())
    }

    fn sessions(&mut self) -> Vec<&mut Recorded> {
        vec![&mut self.session]
    }
}

impl Slot {
    fn new(session: &Session, model: &Model, shape: &Shape, fixed: &Fixed) -> ort::Result<Slot> {
        let memory = Allocator::default();
        let element = match shape.kv {
            KvType::F32 => TensorElementType::Float32,
            KvType::F16 | KvType::Q8_0 => TensorElementType::Float16,
        };
        let mut binding = session.create_binding()?;
        binding.bind_input("seqlens", &fixed.seqlens)?;
        binding.bind_input("total", &fixed.total)?;
        for (name, table) in &fixed.tables {
            binding.bind_input(name.as_str(), table)?;
        }
        let mut cache = Vec::new();
        for (i, layer) in model.architecture().layers.iter().enumerate() {
            let new = |dim: usize| {
                DynTensor::new(&memory, element, [1, layer.kv_heads, shape.context, dim])
            };
            let mut pair = [new(layer.key_dim)?, new(layer.value_dim)?];
            for (tensor, what) in pair.iter_mut().zip(["key", "value"]) {
                binding.bind_input(format!("past.{i}.{what}"), tensor)?;
                binding.bind_output(format!("present.{i}.{what}"), tensor)?;
            }
            cache.push(pair);
        }
        Ok(Slot { binding, cache, bound: 0 })
    }

    fn bind(&mut self, rows: &mut Rows, architecture: &Architecture) -> ort::Result<()> {
        if self.bound == rows.version {
            return Ok(());
        }
        self.binding.bind_input("stream", &rows.stream)?;
        self.binding.bind_input("wanted", &rows.wanted)?;
        if !architecture.rotary.is_empty() {
            self.binding.bind_input("positions", &rows.positions)?;
        }
        if architecture.temperature.is_some() {
            self.binding.bind_input("temperature", &rows.temperature)?;
        }
        self.binding.bind_output("logits", &mut rows.logits)?;
        self.bound = rows.version;
        Ok(())
    }
}

/// The first `length` positions of every head, (1, kv_heads, context, dim).
fn copy(from: &DynTensor, to: &mut DynTensor, length: usize) -> ort::Result<()> {
    fn rows<T: Copy>(shape: &[i64], from: &[T], to: &mut [T], length: usize) {
        let [context, dim] = [shape[2] as usize, shape[3] as usize];
        let heads = from.chunks_exact(context * dim).zip(to.chunks_exact_mut(context * dim));
        heads.for_each(|(from, to)| to[..length * dim].copy_from_slice(&from[..length * dim]));
    }
    if *from.data_type() == TensorElementType::Float32 {
        let (shape, values) = from.try_extract_tensor::<f32>()?;
        rows(shape, values, to.try_extract_tensor_mut::<f32>()?.1, length);
    } else {
        let (shape, values) = from.try_extract_tensor::<f16>()?;
        rows(shape, values, to.try_extract_tensor_mut::<f16>()?.1, length);
    }
    Ok(())
}
