//! The rows of GGUF tensors out of a checkpoint's: reordered, transposed, stacked, with what an adapter adds.

use super::lora::Delta;
use crate::Format;
use crate::quantize::Rows;
use crate::safetensors::View;

/// One tensor of a checkpoint, or some of its rows.
pub(super) struct Part<'a> {
    pub(super) view: View<'a>,
    /// It lies as (columns, rows).
    pub(super) transposed: bool,
    /// Rows of the part.
    pub(super) rows: usize,
    /// Its first row in the tensor.
    pub(super) first: usize,
    /// What an adapter adds, in the tensor's rows.
    pub(super) delta: Option<Delta<'a>>,
}

/// A GGUF tensor to be.
pub(super) enum Assembly<'a> {
    /// Values that stand in config.json.
    Given(Vec<f32>),
    /// Parts one under another.
    Parts {
        parts: Vec<Part<'a>>,
        /// Heads of so many rows turn neighbours instead of halves.
        turned: Option<usize>,
        /// Added to every weight.
        plus: f32,
        /// What an adapter adds, in the rows of the new tensor.
        after: Option<Delta<'a>>,
    },
}

/// llama.cpp turns neighbours where transformers turns halves: row 2i of a head was row i, row 2i + 1 row i + width/2.
fn unturned(row: usize, width: usize) -> usize {
    let (head, j) = (row / width, row % width);
    head * width + (j % 2) * (width / 2) + j / 2
}

impl Part<'_> {
    /// One row of the tensor, `row` counted in it, of `out.len()` columns.
    fn row(&self, row: usize, out: &mut [f32]) {
        let cols = out.len();
        if self.transposed {
            let stride = self.view.elements() / cols;
            for (c, value) in out.iter_mut().enumerate() {
                let one = std::slice::from_mut(value);
                // Its type was checked when the part was made.
                let _ = self.view.floats(c * stride + row, one);
            }
        } else {
            let _ = self.view.floats(row * cols, out);
        }
        if let Some(delta) = &self.delta {
            delta.add(row, out);
        }
    }
}

impl Assembly<'_> {
    /// A row as blocks that hold the very codes of a weight scheme; `false` where it is not one, or not one as it lies.
    fn encoded(&self, row: usize, format: Format, out: &mut [u8]) -> bool {
        let Assembly::Parts { parts, turned, plus, after: None } = self else { return false };
        let each = parts.first().map_or(1, |part| part.rows.max(1));
        let Some(part) = parts.get(row / each) else { return false };
        let row = turned.map_or(row % each, |width| unturned(row % each, width));
        match (&part.view.packed, &part.delta) {
            (Some(packed), None) if !part.transposed && *plus == 0.0 && each > 1 => {
                packed.blocks(part.first + row, format, out)
            }
            _ => false,
        }
    }

    /// Fills `out` with whole rows of `cols` weights, from row `first` on.
    fn rows(&self, first: usize, cols: usize, out: &mut [f32]) {
        match self {
            Assembly::Given(values) => {
                out.iter_mut().zip(&values[first * cols..]).for_each(|(o, v)| *o = *v);
            }
            Assembly::Parts { parts, turned, plus, after } => {
                for (row, out) in (first..).zip(out.chunks_exact_mut(cols)) {
                    let whole = row;
                    let each = parts.first().map_or(1, |part| part.rows.max(1));
                    let Some(part) = parts.get(row / each) else { continue };
                    let row = row % each;
                    match turned {
                        Some(width) if each > 1 => {
                            part.row(part.first + unturned(row, *width), out)
                        }
                        Some(width) => turned_vector(part, *width, out),
                        None => part.row(part.first + row, out),
                    }
                    if *plus != 0.0 {
                        out.iter_mut().for_each(|value| *value += plus);
                    }
                    if let Some(after) = after {
                        after.add(whole, out);
                    }
                }
            }
        }
    }
}

/// A bias: its elements are what the rows of its matrix are.
fn turned_vector(part: &Part<'_>, width: usize, out: &mut [f32]) {
    let mut values = vec![0.0; out.len()];
    part.row(part.first, &mut values);
    for (j, value) in out.iter_mut().enumerate() {
        *value = values[unturned(j, width)];
    }
}

/// All tensors of a file, with the columns of each.
pub(super) struct Assemblies<'a>(pub(super) Vec<(Assembly<'a>, usize)>);

impl Rows for Assemblies<'_> {
    fn rows(&self, tensor: usize, first: usize, out: &mut [f32]) {
        let (assembly, cols) = &self.0[tensor];
        assembly.rows(first, *cols, out);
    }

    fn encoded(&self, tensor: usize, row: usize, format: Format, out: &mut [u8]) -> bool {
        self.0[tensor].0.encoded(row, format, out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_come_from_the_halves_of_their_head() {
        let rows: Vec<usize> = (0..8).map(|row| unturned(row, 4)).collect();
        assert_eq!(rows, [0, 2, 1, 3, 4, 6, 5, 7]);
    }
}
