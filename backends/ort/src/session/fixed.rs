//! The static form at work: a graph for chunks of rows and one for a single row, the head apart. The cache is ours: graphs read it
//! where it lies, and the few rows a call made are written behind it.

use std::ops::Range;
use std::sync::Arc;

use half::f16;
use ort::memory::Allocator;
use ort::session::IoBinding;
use ort::value::{DynTensor, Tensor, TensorElementType};
use yardstick_api::{Error, KvType, Token};
use yardstick_model::Model;

use super::dynamic::Shape;
use super::embedding::Embedding;
use super::{Form, failed};
use crate::network::{HIDDEN, windows};
use crate::placement::Recorded;
use crate::rotary::tables;

/// The sessions of one model.
pub(super) struct Graphs {
    /// For `chunk` rows; `None` where a chunk is one row.
    pub(super) chunk: Option<Recorded>,
    /// For one row.
    pub(super) step: Recorded,
    pub(super) head: Recorded,
}

pub(super) struct Fixed {
    model: Arc<Model>,
    embedding: Embedding,
    context: usize,
    /// Cosines and sines by rotary embedding, (context, dims / 2) each.
    tables: Vec<[Vec<f32>; 2]>,
    windows: Vec<Option<usize>>,
    chunk: Option<Body>,
    step: Body,
    head: Head,
    /// (sequences)
    caches: Vec<Cache>,
}

/// A sequence's keys and values: (layers) of (kv_heads, context, dim) each.
type Cache = Vec<[DynTensor; 2]>;

/// A graph of so many rows, with its inputs and outputs bound.
struct Body {
    session: Recorded,
    rows: usize,
    /// One a sequence: they differ in the cache.
    bindings: Vec<IoBinding>,
    stream: Tensor<f32>,
    masks: Vec<Tensor<f32>>,
    temperature: Tensor<f32>,
    angles: Vec<[Tensor<f32>; 2]>,
    /// (layers) of (kv_heads, rows, dim) each.
    new: Vec<[DynTensor; 2]>,
    hidden: Tensor<f32>,
}

struct Head {
    session: Recorded,
    binding: IoBinding,
    /// (1, embedding)
    hidden: Tensor<f32>,
    /// (1, vocab)
    logits: Tensor<f32>,
}

impl Fixed {
    pub(super) fn new(
        graphs: Graphs,
        model: &Arc<Model>,
        shape: &Shape,
        chunk: usize,
    ) -> ort::Result<Fixed> {
        let architecture = model.architecture();
        let caches = (0..shape.sequences).map(|_| pairs(model, shape.kv, shape.context));
        let caches = caches.collect::<ort::Result<Vec<Cache>>>()?;
        let body = |session, rows| Body::new(session, model, shape, rows, &caches);
        Ok(Fixed {
            embedding: Embedding::new(model),
            tables: architecture
                .rotary
                .iter()
                .map(|rotary| tables(rotary, shape.context, shape.chosen))
                .collect(),
            windows: windows(architecture),
            chunk: graphs.chunk.map(|session| body(session, chunk)).transpose()?,
            step: body(graphs.step, 1)?,
            head: Head::new(graphs.head, model)?,
            model: Arc::clone(model),
            context: shape.context,
            caches,
        })
    }
}

/// One pair of zeros a layer.
fn pairs(model: &Model, kv: KvType, length: usize) -> ort::Result<Cache> {
    let (memory, element) = (Allocator::default(), element(kv));
    let pair = |layer: &yardstick_model::arch::Layer| {
        let new = |dim: usize| DynTensor::new(&memory, element, [layer.kv_heads, length, dim]);
        Ok([new(layer.key_dim)?, new(layer.value_dim)?])
    };
    model.architecture().layers.iter().map(pair).collect()
}

fn element(kv: KvType) -> TensorElementType {
    match kv {
        KvType::F32 => TensorElementType::Float32,
        KvType::F16 | KvType::Q8_0 => TensorElementType::Float16,
    }
}

impl Body {
    fn new(
        session: Recorded,
        model: &Model,
        shape: &Shape,
        rows: usize,
        caches: &[Cache],
    ) -> ort::Result<Body> {
        let (memory, architecture) = (Allocator::default(), model.architecture());
        let width = architecture.embedding;
        let mask = |_: &Option<usize>| Tensor::new(&memory, [rows, shape.context + rows]);
        let angles = architecture.rotary.iter().map(|rotary| {
            let table = || Tensor::new(&memory, [rows, 1, rotary.dims / 2]);
            Ok([table()?, table()?])
        });
        let mut body = Body {
            rows,
            bindings: Vec::new(),
            stream: Tensor::new(&memory, [rows, width])?,
            masks: windows(architecture).iter().map(mask).collect::<ort::Result<_>>()?,
            temperature: Tensor::new(&memory, [rows, 1])?,
            angles: angles.collect::<ort::Result<_>>()?,
            new: pairs(model, shape.kv, rows)?,
            hidden: Tensor::new(&memory, [rows, width])?,
            session,
        };
        for cache in caches {
            let binding = body.bind(cache, architecture.temperature.is_some())?;
            body.bindings.push(binding);
        }
        Ok(body)
    }

    fn bind(&mut self, cache: &Cache, temperature: bool) -> ort::Result<IoBinding> {
        let mut binding = self.session.session.create_binding()?;
        binding.bind_input("stream", &self.stream)?;
        for (i, mask) in self.masks.iter().enumerate() {
            binding.bind_input(format!("mask.{i}"), mask)?;
        }
        if temperature {
            binding.bind_input("temperature", &self.temperature)?;
        }
        for (i, [cos, sin]) in self.angles.iter().enumerate() {
            binding.bind_input(format!("cos.{i}"), cos)?;
            binding.bind_input(format!("sin.{i}"), sin)?;
        }
        for (i, (past, new)) in cache.iter().zip(&mut self.new).enumerate() {
            for ((past, new), what) in past.iter().zip(new).zip(["key", "value"]) {
                binding.bind_input(format!("past.{i}.{what}"), past)?;
                binding.bind_output(format!("new.{i}.{what}"), new)?;
            }
        }
        binding.bind_output("hidden", &mut self.hidden)?;
        Ok(binding)
    }
}

impl Head {
    fn new(session: Recorded, model: &Model) -> ort::Result<Head> {
        let (memory, architecture) = (Allocator::default(), model.architecture());
        let hidden = Tensor::new(&memory, [1, architecture.embedding])?;
        let mut logits = Tensor::new(&memory, [1, architecture.vocab])?;
        let mut binding = session.session.create_binding()?;
        binding.bind_input("hidden", &hidden)?;
        binding.bind_output("logits", &mut logits)?;
        Ok(Head { session, binding, hidden, logits })
    }

    fn run(&mut self, hidden: &[f32], logits: &mut Vec<f32>) -> ort::Result<()> {
        self.hidden.extract_tensor_mut().1.copy_from_slice(hidden);
        self.session.run(&self.binding)?;
        logits.extend_from_slice(self.logits.extract_tensor().1);
        Ok(())
    }
}

impl Form for Fixed {
    fn run(
        &mut self,
        sequence: usize,
        position: usize,
        tokens: &[Token],
        wanted: &[usize],
        logits: &mut Vec<f32>,
    ) -> Result<(), Error> {
        let rows = self.chunk.as_ref().map_or(1, |body| body.rows);
        for (i, part) in tokens.chunks(rows).enumerate() {
            let (first, at) = (i * rows, position + i * rows);
            self.run_part(sequence, at, part)?;
            let body = if part.len() == 1 {
                &self.step
            } else {
                self.chunk.as_ref().unwrap_or(&self.step)
            };
            let hidden = body.hidden.extract_tensor().1;
            let width = self.model.architecture().embedding;
            for row in wanted.iter().filter(|&&row| (first..first + part.len()).contains(&row)) {
                let row = row - first;
                let hidden = &hidden[row * width..(row + 1) * width];
                self.head.run(hidden, logits).map_err(failed)?;
            }
        }
        Ok(())
    }

    fn copy(&mut self, from: usize, to: usize, length: usize) -> Result<(), Error> {
        let caches = self.caches.get_disjoint_mut([from, to]);
        let [from, to] = caches.map_err(|error| Error::Invalid(error.to_string()))?;
        for (from, to) in from.iter().flatten().zip(to.iter_mut().flatten()) {
            append(from, 0..length, to, 0).map_err(failed)?;
        }
        Ok(())
    }

    fn sessions(&mut self) -> Vec<&mut Recorded> {
        let chunk = self.chunk.iter_mut().map(|body| &mut body.session);
        chunk.chain([&mut self.step.session, &mut self.head.session]).collect()
    }
}

impl Fixed {
    /// Runs at most a chunk of rows and keeps what they made.
    fn run_part(
        &mut self,
        sequence: usize,
        position: usize,
        tokens: &[Token],
    ) -> Result<(), Error> {
        let body = match &mut self.chunk {
            Some(chunk) if tokens.len() > 1 => chunk,
            _ => &mut self.step,
        };
        let count = tokens.len();
        self.embedding.fill(position, tokens, body.stream.extract_tensor_mut().1)?;
        for (angles, tables) in body.angles.iter_mut().zip(&self.tables) {
            for (angles, table) in angles.iter_mut().zip(tables) {
                let pairs = table.len() / self.context;
                let rows = &table[position * pairs..(position + count) * pairs];
                angles.extract_tensor_mut().1[..rows.len()].copy_from_slice(rows);
            }
        }
        if let Some(temperature) = self.model.architecture().temperature {
            let factors = body.temperature.extract_tensor_mut().1.iter_mut().zip(position..);
            factors.for_each(|(to, position)| *to = temperature.at(position));
        }
        for (mask, &window) in body.masks.iter_mut().zip(&self.windows) {
            fill_mask(mask.extract_tensor_mut().1, self.context, position, window);
        }
        body.session.run(&body.bindings[sequence]).map_err(failed)?;
        let kept = self.caches[sequence].iter_mut().flatten();
        for (new, cache) in body.new.iter().flatten().zip(kept) {
            append(new, 0..count, cache, position).map_err(failed)?;
        }
        Ok(())
    }
}

/// (rows, context + rows): what row `r`, at `position + r`, sees of the cache and of the rows at hand.
fn fill_mask(mask: &mut [f32], context: usize, position: usize, window: Option<usize>) {
    // mask.len() = rows * (context + rows)
    let rows = (0..).find(|rows| rows * (context + rows) >= mask.len()).unwrap_or(0);
    for (r, mask) in mask.chunks_exact_mut(context + rows).enumerate() {
        let first = window.map_or(0, |window| (position + r + 1).saturating_sub(window));
        let seen = |at: usize| at >= first && at <= position + r;
        let (past, new) = mask.split_at_mut(context);
        for (at, value) in past.iter_mut().enumerate() {
            *value = if at < position && seen(at) { 0.0 } else { HIDDEN };
        }
        for (j, value) in new.iter_mut().enumerate() {
            *value = if seen(position + j) { 0.0 } else { HIDDEN };
        }
    }
}

/// Rows of every head of `from`, to rows of `to` from `at` on: (kv_heads, length, dim) both.
fn append(from: &DynTensor, rows: Range<usize>, to: &mut DynTensor, at: usize) -> ort::Result<()> {
    fn heads<T: Copy>(
        (from, source): (&[i64], &[T]),
        (to, target): (Vec<i64>, &mut [T]),
        rows: Range<usize>,
        at: usize,
    ) {
        let dim = from[2] as usize;
        let sources = source.chunks_exact(from[1] as usize * dim);
        let targets = target.chunks_exact_mut(to[1] as usize * dim);
        for (source, target) in sources.zip(targets) {
            let part = &source[rows.start * dim..rows.end * dim];
            target[at * dim..at * dim + part.len()].copy_from_slice(part);
        }
    }
    if *from.data_type() == TensorElementType::Float32 {
        let (source, values) = from.try_extract_tensor::<f32>()?;
        let (shape, target) = to.try_extract_tensor_mut::<f32>()?;
        heads((source, values), (shape.to_vec(), target), rows, at);
    } else {
        let (source, values) = from.try_extract_tensor::<f16>()?;
        let (shape, target) = to.try_extract_tensor_mut::<f16>()?;
        heads((source, values), (shape.to_vec(), target), rows, at);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_sees_the_cache_before_it_and_its_own_chunk_up_to_itself() {
        let (context, rows) = (4, 2);
        let mut mask = vec![1.0; rows * (context + rows)];
        fill_mask(&mut mask, context, 2, None);
        let seen: Vec<u8> = mask.iter().map(|&value| u8::from(value == 0.0)).collect();
        assert_eq!(seen, [1, 1, 0, 0, 1, 0, 1, 1, 0, 0, 1, 1]);
        fill_mask(&mut mask, context, 2, Some(2));
        let seen: Vec<u8> = mask.iter().map(|&value| u8::from(value == 0.0)).collect();
        assert_eq!(seen, [0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1, 1]);
    }
}
