//! Measuring importances: squared activations, summed while a model runs, and written in llama.cpp's GGUF form.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;

use super::importance::{COUNTS, SUMS};
use super::output::Output;
use super::stream::{Rows, Stretch};
use super::{Error, Quantised, file};
use crate::Format;
use crate::gguf::Header;

/// Squared activations, summed while a model runs.
#[derive(Clone, Debug, Default)]
pub struct Sums {
    tensors: BTreeMap<String, Squares>,
}

#[derive(Clone, Debug)]
struct Squares {
    cols: usize,
    /// (matrices, cols)
    sums: Vec<f64>,
    /// Rows summed, a matrix.
    rows: Vec<u64>,
}

impl Sums {
    /// Adds rows `x` (rows, cols) that met matrix `matrix` of the `matrices` of a tensor.
    pub fn add(&mut self, tensor: &str, matrix: usize, matrices: usize, cols: usize, x: &[f32]) {
        if cols == 0 || matrix >= matrices {
            return;
        }
        let empty = || Squares { cols, sums: vec![0.0; cols * matrices], rows: vec![0; matrices] };
        let squares = self.tensors.entry(tensor.to_owned()).or_insert_with(empty);
        let Some(sums) = squares.sums.get_mut(matrix * cols..(matrix + 1) * cols) else { return };
        for row in x.chunks_exact(cols) {
            sums.iter_mut().zip(row).for_each(|(sum, &x)| *sum += f64::from(x) * f64::from(x));
            squares.rows[matrix] += 1;
        }
    }

    /// Tensors that were met.
    pub fn len(&self) -> usize {
        self.tensors.len()
    }

    /// Whether nothing was.
    pub fn is_empty(&self) -> bool {
        self.tensors.is_empty()
    }

    /// Writes llama.cpp's GGUF form, whole or not at all.
    pub fn write(
        &self,
        out: &Path,
        source: &str,
        chunks: u32,
        chunk: u32,
    ) -> Result<Quantised, Error> {
        let mut header = Header::new(out.display().to_string());
        header.set("general.type", "imatrix");
        header.set_array("imatrix.datasets", &[source]);
        header.set("imatrix.chunk_count", chunks);
        header.set("imatrix.chunk_size", chunk);
        let (mut stretches, mut data) = (Vec::new(), Vec::new());
        for (name, squares) in &self.tensors {
            let matrices = squares.rows.len();
            let sums = squares.sums.iter().map(|&sum| sum as f32).collect::<Vec<f32>>();
            let counts = squares.rows.iter().map(|&rows| rows as f32).collect();
            for (end, cols, values) in [(SUMS, squares.cols, sums), (COUNTS, 1, counts)] {
                header.tensor(&format!("{name}{end}"), Format::F32, &[cols, matrices])?;
                stretches.push(Stretch { format: Format::F32, cols, rows: matrices });
                data.push(values);
            }
        }
        let bytes = header.file_bytes()?;
        let output = Output::create(out, bytes)?;
        let mut tell = |_| ControlFlow::Continue(());
        let mut output =
            file::write(header, &stretches, &Kept(data, &stretches), 1, output, &mut tell)?;
        let sha256 = output.sync()?;
        output.commit()?;
        Ok(Quantised { sha256, bytes, source_bytes: bytes, tensors: Vec::new() })
    }
}

/// Tensors in memory, and their shapes.
struct Kept<'a>(Vec<Vec<f32>>, &'a [Stretch]);

impl Rows for Kept<'_> {
    fn rows(&self, tensor: usize, first: usize, out: &mut [f32]) {
        let start = first * self.1[tensor].cols;
        out.copy_from_slice(&self.0[tensor][start..][..out.len()]);
    }
}
