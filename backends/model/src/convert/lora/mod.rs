//! LoRA adapters: `W + scale * B A`, computed in f32 while a checkpoint is converted.
//!
//! Two kinds: PEFT's (adapter_config.json beside adapter_model.safetensors), in the checkpoint's names and orders, and
//! GGUF files of llama.cpp's adapter converter, in GGUF's. What is more than two matrices a target is refused by name.

mod gguf;
mod peft;

use std::collections::BTreeSet;
use std::path::Path;

use crate::Error;
use crate::Format;

/// Rows of one matrix of an adapter.
#[derive(Clone, Copy)]
pub(super) struct Matrix<'a> {
    pub(super) format: Format,
    pub(super) cols: usize,
    pub(super) bytes: &'a [u8],
}

impl Matrix<'_> {
    fn rows(&self) -> usize {
        self.bytes.len() / self.format.row_bytes(self.cols).max(1)
    }

    fn row(&self, row: usize, out: &mut [f32]) {
        let bytes = self.format.row_bytes(self.cols);
        self.format.decode(&self.bytes[row * bytes..(row + 1) * bytes], out);
    }
}

/// What an adapter adds to one tensor.
#[derive(Clone, Copy)]
pub(super) struct Delta<'a> {
    /// (rank, inputs)
    a: Matrix<'a>,
    /// (outputs, rank)
    b: Matrix<'a>,
    scale: f32,
}

impl Delta<'_> {
    /// Adds to the row of one output.
    pub(super) fn add(&self, row: usize, out: &mut [f32]) {
        let (mut factors, mut inputs) = (vec![0.0; self.b.cols], vec![0.0; out.len()]);
        let mut sum = vec![0.0; out.len()];
        self.b.row(row, &mut factors);
        for (k, factor) in factors.iter().enumerate() {
            self.a.row(k, &mut inputs);
            sum.iter_mut().zip(&inputs).for_each(|(sum, input)| *sum += factor * input);
        }
        out.iter_mut().zip(&sum).for_each(|(out, sum)| *out += self.scale * sum);
    }

    /// Whether it fits a tensor of so many rows and columns; else what it is.
    fn fits(&self, rows: usize, cols: usize) -> Result<(), String> {
        let (a, b) = ((self.a.rows(), self.a.cols), (self.b.rows(), self.b.cols));
        match a.0 == b.1 && a.1 == cols && b.0 == rows {
            true => Ok(()),
            false => Err(format!("A {a:?} and B {b:?} (rows, columns)")),
        }
    }
}

/// An open adapter.
pub(super) enum Lora {
    Peft(peft::Peft),
    Gguf(gguf::Adapter),
}

/// In whose names and orders a target is asked for.
#[derive(Clone, Copy)]
pub(super) enum Target<'a> {
    /// The checkpoint's.
    Checkpoint(&'a str),
    /// GGUF's.
    Gguf(&'a str),
}

impl Lora {
    /// Opens a folder of PEFT or a GGUF file.
    pub(super) fn open(path: &Path) -> Result<Lora, Error> {
        match path.is_dir() {
            true => peft::Peft::open(path).map(Lora::Peft),
            false => gguf::Adapter::open(path).map(Lora::Gguf),
        }
    }

    /// What is added to a tensor of so many rows and columns, if anything; notes that it was asked for.
    pub(super) fn delta(
        &self,
        target: Target<'_>,
        [rows, cols]: [usize; 2],
        used: &mut BTreeSet<String>,
    ) -> Result<Option<Delta<'_>>, Error> {
        let found = match (self, target) {
            (Lora::Peft(peft), Target::Checkpoint(name)) => peft.delta(name)?,
            (Lora::Gguf(adapter), Target::Gguf(name)) => adapter.delta(name)?,
            _ => None,
        };
        let Some((module, delta)) = found else { return Ok(None) };
        delta.fits(rows, cols).map_err(|found| {
            let expected = format!("A (rank, {cols}) and B ({rows}, rank), as the model's tensor");
            self.invalid(&module, found, expected)
        })?;
        used.insert(module);
        Ok(Some(delta))
    }

    /// An error when a target was never asked for: the model has no such tensor.
    pub(super) fn all_used(&self, used: &BTreeSet<String>) -> Result<(), Error> {
        let modules = match self {
            Lora::Peft(peft) => peft.modules(),
            Lora::Gguf(adapter) => adapter.modules(),
        };
        match modules.into_iter().find(|module| !used.contains(*module)) {
            None => Ok(()),
            Some(module) => {
                let expected = "a projection of the model; is the adapter of another model?";
                Err(self.invalid(module, "a target that the model does not have", expected))
            }
        }
    }

    fn invalid(&self, module: &str, found: impl ToString, expected: impl Into<String>) -> Error {
        let field = format!("adapter of {}", crate::gguf::quote(module));
        match self {
            Lora::Peft(peft) => peft.invalid(field, found, expected),
            Lora::Gguf(adapter) => adapter.invalid(field, found, expected),
        }
    }

    /// Targets.
    pub(super) fn len(&self) -> usize {
        match self {
            Lora::Peft(peft) => peft.modules().len(),
            Lora::Gguf(adapter) => adapter.modules().len(),
        }
    }
}
