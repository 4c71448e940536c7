//! Importance matrices: per tensor, how much each column's errors count. The mean of the squared activations
//! that met the column, as llama.cpp's `imatrix` has it, from both forms of file that it writes.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Error, legacy};
use crate::gguf::Backing;
use crate::{Format, Gguf};

/// Ends of the tensor names in the file: sums of squares (columns, matrices), and rows summed (1, matrices).
/// llama.cpp 2026 adds `.in_sum`, plain sums, which count for nothing here.
pub(super) const SUMS: &str = ".in_sum2";
pub(super) const COUNTS: &str = ".counts";

/// Importance of every column of every matrix of a tensor, as a file has them.
#[derive(Clone, Debug, Default)]
pub struct Importance {
    path: String,
    /// (matrices, cols): one matrix, or one an expert. In units that are common to a matrix.
    tensors: BTreeMap<String, Vec<f32>>,
}

impl Importance {
    /// Reads a file in llama.cpp's GGUF form, or in its older binary form (`.dat`).
    pub fn open(path: &Path) -> Result<Importance, Error> {
        let backing = Backing::open(path).map_err(|source| Error::io(path, source))?;
        let path_name = path.display().to_string();
        let wrong = |problem| Error::Importance { path: path_name.clone(), problem };
        let tensors = match backing.bytes().starts_with(b"GGUF") {
            true => entries(&Gguf::open(path)?, &wrong)?,
            false => legacy::entries(backing.bytes()).map_err(wrong)?,
        };
        if tensors.is_empty() {
            return Err(wrong("it has no importances".into()));
        }
        for (name, values) in &tensors {
            if values.iter().any(|v| !v.is_finite() || *v < 0.0) {
                return Err(wrong(format!("{name}: found a sum that is negative or no number")));
            }
        }
        Ok(Importance { path: path_name, tensors })
    }

    /// Tensors it knows.
    pub fn len(&self) -> usize {
        self.tensors.len()
    }

    /// Whether it knows none.
    pub fn is_empty(&self) -> bool {
        self.tensors.is_empty()
    }

    /// Of the tensors of a model, each matrix with a mean of 1. Tensors that the file does not know have none;
    /// a file that knows none of them, or that has other columns, is of another model.
    pub(crate) fn of(&self, model: &Gguf) -> Result<Matched, Error> {
        let foreign = |problem: String| {
            let problem = format!("{problem}; take the importances of the same model");
            Error::Importance { path: self.path.clone(), problem }
        };
        let mut matched = BTreeMap::new();
        for tensor in model.tensors() {
            let Some(values) = self.tensors.get(&tensor.name) else { continue };
            let cols = tensor.shape.first().copied().unwrap_or(1).max(1);
            let matrices = tensor.shape.iter().skip(2).product::<usize>();
            if values.len() != cols && Some(values.len()) != cols.checked_mul(matrices) {
                let (name, found) = (&tensor.name, values.len());
                return Err(foreign(format!(
                    "{found} importances of {name}, which has {cols} columns in {matrices} matrices"
                )));
            }
            let mut values = values.clone();
            values.chunks_exact_mut(cols).for_each(normalise);
            matched.insert(tensor.name.clone(), Columns { cols, values });
        }
        if matched.is_empty() {
            let (count, model) = (self.len(), model.path().display());
            return Err(foreign(format!("none of its {count} tensors is in {model}")));
        }
        Ok(Matched { tensors: matched })
    }
}

/// Importances that fit a model.
pub(crate) struct Matched {
    tensors: BTreeMap<String, Columns>,
}

struct Columns {
    cols: usize,
    /// (matrices, cols)
    values: Vec<f32>,
}

impl Matched {
    /// Whether a tensor has any.
    pub(crate) fn knows(&self, tensor: &str) -> bool {
        self.tensors.contains_key(tensor)
    }

    /// The importances for a row of a tensor of this shape; `None` where the tensor is not known.
    pub(crate) fn row(&self, tensor: &str, shape: &[usize], row: usize) -> Option<&[f32]> {
        let columns = self.tensors.get(tensor)?;
        let matrix = row / shape.get(1).copied().unwrap_or(1).max(1);
        // One matrix for all experts serves each of them.
        let matrix = if columns.values.len() == columns.cols { 0 } else { matrix };
        columns.values.get(matrix * columns.cols..)?.get(..columns.cols)
    }
}

/// The sums of the GGUF form. Counts are common to a matrix and fall out; they must be there all the same.
fn entries(
    gguf: &Gguf,
    wrong: &dyn Fn(String) -> Error,
) -> Result<BTreeMap<String, Vec<f32>>, Error> {
    if gguf.str("general.type")? != Some("imatrix") {
        let problem = "general.type is not \"imatrix\"; write one with model imatrix";
        return Err(wrong(problem.into()));
    }
    let mut tensors = BTreeMap::new();
    for sums in gguf.tensors() {
        let Some(name) = sums.name.strip_suffix(SUMS) else { continue };
        let counts = gguf.tensor(&format!("{name}{COUNTS}"));
        let counts = counts.ok_or_else(|| wrong(format!("{name}{COUNTS}: not there")))?;
        let whole = sums.format == Format::F32 && counts.format == Format::F32;
        let matrices = counts.weights();
        if !whole || matrices == 0 || !sums.weights().is_multiple_of(matrices) {
            return Err(wrong(format!(
                "{}: {} {} sums and {matrices} {} counts, expected F32 and as many sums a count",
                sums.name,
                sums.weights(),
                sums.format.name(),
                counts.format.name()
            )));
        }
        let mut values = vec![0.0; sums.weights()];
        Format::F32.decode(gguf.bytes(sums), &mut values);
        tensors.insert(name.to_owned(), values);
    }
    Ok(tensors)
}

/// To a mean of 1; all 1 where nothing was summed.
fn normalise(values: &mut [f32]) {
    let sum: f64 = values.iter().map(|&v| f64::from(v)).sum();
    let mean = sum / values.len() as f64;
    for value in values {
        *value = if mean > 0.0 { (f64::from(*value) / mean) as f32 } else { 1.0 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gguf::Header;
    use crate::quantize::Sums;

    /// A model of these tensors, all 0.
    fn model(tensors: &[(&str, &[usize])]) -> Gguf {
        let mut header = Header::new("model");
        for (name, shape) in tensors {
            header.tensor(name, Format::F32, shape).unwrap();
        }
        let mut writer = header.start(Vec::new()).unwrap();
        for (_, shape) in tensors {
            writer.write(&vec![0; shape.iter().product::<usize>() * 4]).unwrap();
        }
        Gguf::from_bytes("model", writer.finish().unwrap()).unwrap()
    }

    #[test]
    fn sums_written_are_read_back_as_means_of_one_a_matrix() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("i.gguf");
        let mut sums = Sums::default();
        sums.add("a.weight", 0, 1, 2, &[1.0, 3.0, 1.0, 3.0]);
        sums.add("e.weight", 1, 2, 2, &[2.0, 0.0]);
        sums.write(&path, "text", 1, 2).unwrap();
        let read = Importance::open(&path).unwrap();
        assert_eq!(read.len(), 2);
        let model =
            model(&[("a.weight", &[2, 8]), ("b.weight", &[2, 8]), ("e.weight", &[2, 4, 2])]);
        let read = read.of(&model).unwrap();
        assert_eq!(read.row("a.weight", &[2, 8], 7).unwrap(), [0.2, 1.8]);
        // The first expert never ran: all its columns count the same.
        assert_eq!(read.row("e.weight", &[2, 4, 2], 3).unwrap(), [1.0, 1.0]);
        assert_eq!(read.row("e.weight", &[2, 4, 2], 4).unwrap(), [2.0, 0.0]);
        assert!(read.knows("a.weight") && !read.knows("b.weight"));
        assert!(read.row("b.weight", &[2, 8], 0).is_none());
    }

    #[test]
    fn importances_of_another_model_and_broken_files_are_refused_with_the_reason() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("i.gguf");
        let mut sums = Sums::default();
        sums.add("a.weight", 0, 1, 2, &[1.0, 3.0]);
        sums.write(&path, "text", 1, 2).unwrap();
        let read = Importance::open(&path).unwrap();
        for (model, word) in [
            (model(&[("a.weight", &[3, 8])]), "2 importances of a.weight, which has 3 columns"),
            (model(&[("b.weight", &[2, 8])]), "none of its 1 tensors is in model"),
        ] {
            let error = read.of(&model).err().unwrap().to_string();
            assert!(error.contains(word) && error.contains("the same model"), "{error}");
        }
        let whole = std::fs::read(&path).unwrap();
        // The last count is followed by padding, which need not be there.
        for length in 0..whole.len() - 28 {
            std::fs::write(&path, &whole[..length]).unwrap();
            assert!(Importance::open(&path).is_err(), "{length} of {} bytes", whole.len());
        }
        let nan = [&whole[..whole.len() - 64], &[0xff; 64]].concat();
        std::fs::write(&path, nan).unwrap();
        assert!(Importance::open(&path).unwrap_err().to_string().contains("no number"));
    }
}
