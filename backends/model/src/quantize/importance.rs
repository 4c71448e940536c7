//! Importance matrices: per tensor, how much each column's errors count. The mean of the squared activations
//! that met the column, as llama.cpp's `imatrix` has it and in the GGUF form that it writes.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;

use super::output::Output;
use super::stream::{Rows, Stretch};
use super::{Error, Quantised, file};
use crate::gguf::Header;
use crate::{Format, Gguf};

/// Ends of the tensor names in the file: sums of squares (columns, matrices), and rows summed (1, matrices).
const SUMS: &str = ".in_sum2";
const COUNTS: &str = ".counts";

/// Importance of every column of every matrix of a tensor, with a mean of 1 a matrix.
#[derive(Clone, Debug, Default)]
pub struct Importance {
    tensors: BTreeMap<String, Columns>,
}

#[derive(Clone, Debug)]
struct Columns {
    cols: usize,
    /// (matrices, cols): one matrix, or one an expert.
    values: Vec<f32>,
}

impl Importance {
    /// Reads llama.cpp's GGUF form.
    pub fn read(gguf: &Gguf) -> Result<Importance, Error> {
        let wrong = |problem: String| Error::Importance {
            path: gguf.path().display().to_string(),
            problem,
        };
        if gguf.str("general.type")? != Some("imatrix") {
            return Err(wrong(
                "general.type is not \"imatrix\"; write one with model imatrix".into(),
            ));
        }
        let mut tensors = BTreeMap::new();
        for sums in gguf.tensors() {
            let Some(name) = sums.name.strip_suffix(SUMS) else { continue };
            let counts = gguf.tensor(&format!("{name}{COUNTS}"));
            let counts = counts.ok_or_else(|| wrong(format!("{name}{COUNTS}: not there")))?;
            let cols = sums.shape.first().copied().unwrap_or(0);
            let matrices = sums.shape.iter().skip(1).product::<usize>();
            let whole = sums.format == Format::F32 && counts.format == Format::F32;
            if !whole || cols == 0 || counts.weights() != matrices {
                return Err(wrong(format!(
                    "{}: expected F32 sums and a count a matrix",
                    sums.name
                )));
            }
            let mut values = vec![0.0; sums.weights()];
            Format::F32.decode(gguf.bytes(sums), &mut values);
            let mut rows = vec![0.0; matrices];
            Format::F32.decode(gguf.bytes(counts), &mut rows);
            if values.iter().chain(&rows).any(|v| !v.is_finite() || *v < 0.0) {
                return Err(wrong(format!(
                    "{}: found a sum or count that is no number",
                    sums.name
                )));
            }
            values.chunks_exact_mut(cols).for_each(normalise);
            tensors.insert(name.to_owned(), Columns { cols, values });
        }
        if tensors.is_empty() {
            return Err(wrong(format!("no tensor named *{SUMS}")));
        }
        Ok(Importance { tensors })
    }

    /// Tensors it knows.
    pub fn len(&self) -> usize {
        self.tensors.len()
    }

    /// Whether it knows none.
    pub fn is_empty(&self) -> bool {
        self.tensors.is_empty()
    }

    /// The importances for a row of a tensor of this shape; `None` where the tensor is not known.
    pub(crate) fn row(&self, tensor: &str, shape: &[usize], row: usize) -> Option<&[f32]> {
        let columns = self.tensors.get(tensor)?;
        let matrix = row / shape.get(1).copied().unwrap_or(1).max(1);
        // One matrix for all experts serves each of them.
        let matrix = if columns.values.len() == columns.cols { 0 } else { matrix };
        columns.values.get(matrix * columns.cols..)?.get(..columns.cols)
    }

    /// Columns that a tensor of the model must have.
    pub(crate) fn check(&self, source: &Gguf) -> Result<(), Error> {
        for (name, columns) in &self.tensors {
            let Some(tensor) = source.tensor(name) else { continue };
            let cols = tensor.shape.first().copied().unwrap_or(1);
            let experts = tensor.shape.get(2).copied().unwrap_or(1);
            let matrices = columns.values.len() / columns.cols;
            if columns.cols != cols || (matrices != 1 && matrices != experts) {
                return Err(Error::Importance {
                    path: source.path().display().to_string(),
                    problem: format!(
                        "{name} has {cols} columns in {experts} matrices, its importances {} in {matrices}; \
                         take those of the same model",
                        columns.cols
                    ),
                });
            }
        }
        Ok(())
    }
}

/// To a mean of 1; all 1 where no row was summed. The counts are common to a matrix and fall out.
fn normalise(values: &mut [f32]) {
    let sum: f64 = values.iter().map(|&v| f64::from(v)).sum();
    let mean = sum / values.len() as f64;
    for value in values {
        *value = if mean > 0.0 { (f64::from(*value) / mean) as f32 } else { 1.0 };
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_written_are_read_back_as_means_of_one_a_matrix() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("i.gguf");
        let mut sums = Sums::default();
        sums.add("a.weight", 0, 1, 2, &[1.0, 3.0, 1.0, 3.0]);
        sums.add("e.weight", 1, 2, 2, &[2.0, 0.0]);
        sums.write(&path, "text", 1, 2).unwrap();
        let read = Importance::read(&Gguf::open(&path).unwrap()).unwrap();
        assert_eq!(read.len(), 2);
        assert_eq!(read.row("a.weight", &[2, 8], 7).unwrap(), [0.2, 1.8]);
        // The first expert never ran: all its columns count the same.
        assert_eq!(read.row("e.weight", &[2, 4, 2], 3).unwrap(), [1.0, 1.0]);
        assert_eq!(read.row("e.weight", &[2, 4, 2], 4).unwrap(), [2.0, 0.0]);
        assert!(read.row("b.weight", &[2, 8], 0).is_none());
    }
}
