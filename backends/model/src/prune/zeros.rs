//! Unstructured zeros: the smallest weights of every row set to zero, in the same format and at the same size. An
//! experiment, not a saving: nothing here stores or multiplies less for it.

use std::ops::ControlFlow;
use std::path::Path;

use super::Error;
use super::file::check_place;
use crate::gguf::{Header, TensorInfo};
use crate::quantize::{self, Output, Progress, Rows, Stretch, Tell};
use crate::{Format, Gguf, Model};

/// A file that was written.
#[derive(Clone, Debug)]
pub struct Zeroed {
    /// SHA-256 of the file, lower-case hex.
    pub sha256: String,
    /// Bytes of the file, as many as the source's.
    pub bytes: u64,
    /// Weights of the matrices that were touched.
    pub weights: u64,
    /// Those of them that decode to zero now.
    pub zeros: u64,
    /// And in the source.
    pub zeros_before: u64,
    /// Root mean square of what changed in weights that were to stay, over that of those weights: formats that encode a
    /// block anew may move them.
    pub moved: f64,
}

/// Weights encoded at a time.
const CHUNK: usize = quantize::CHUNK_WEIGHTS;

/// Sets the smallest `share` of every row to zero, by magnitude, in every matrix of the layers; of equals the first goes.
/// Everything else keeps its bytes.
pub fn zero(
    model: &Model,
    out: &Path,
    share: f64,
    threads: usize,
    tell: &mut Tell<'_>,
) -> Result<Zeroed, Error> {
    check_place(model, out)?;
    if !(share > 0.0 && share < 1.0) {
        let expected = "the share of zeros, above 0 and below 1".to_owned();
        return Err(Error::Asked { what: "zeros", found: share.to_string(), expected });
    }
    let gguf = model.gguf();
    let mut header = Header::new(out.display().to_string());
    header.copy_metadata(gguf);
    header.set("general.name", format!("{} with zeros", model.info().name));
    header.set("yardstick.zeros", share as f32);
    for tensor in gguf.tensors() {
        header.tensor(&tensor.name, tensor.format, &tensor.shape)?;
    }
    let total_bytes = header.file_bytes()?;
    let mut output = Output::create(out, total_bytes)?;
    let mut tally = Tally::default();
    let written = write(gguf, header, share, threads, &mut output, &mut tally, total_bytes, tell);
    written.map_err(|error| output.explain(error))?;
    gguf.check_unchanged()?;
    let sha256 = output.sync()?;
    output.commit()?;
    let Tally { weights, zeros, zeros_before, moved, kept } = tally;
    let moved = if kept > 0.0 { (moved / kept).sqrt() } else { 0.0 };
    Ok(Zeroed { sha256, bytes: total_bytes, weights, zeros, zeros_before, moved })
}

/// What became of the weights, in sums.
#[derive(Default)]
struct Tally {
    weights: u64,
    zeros: u64,
    zeros_before: u64,
    moved: f64,
    kept: f64,
}

#[allow(clippy::too_many_arguments, reason = "one call, and every one of them is another thing")]
fn write(
    gguf: &Gguf,
    header: Header,
    share: f64,
    threads: usize,
    output: &mut Output,
    tally: &mut Tally,
    total_bytes: u64,
    tell: &mut Tell<'_>,
) -> Result<(), quantize::Error> {
    let mut writer = header.start(output)?;
    let mut bytes = 0;
    let mut told = |more: usize| {
        bytes += more as u64;
        match tell(Progress { bytes, total_bytes }) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(quantize::Error::Stopped),
        }
    };
    for tensor in gguf.tensors() {
        if !is_layer_matrix(tensor) {
            writer.write(gguf.bytes(tensor))?;
            told(tensor.bytes)?;
            continue;
        }
        let cols = tensor.shape[0];
        let stretch = Stretch { format: tensor.format, cols, rows: tensor.weights() / cols };
        let rows = Sparse { bytes: gguf.bytes(tensor), format: tensor.format, cols, share };
        let mut row = 0;
        quantize::encode(&[stretch], &rows, threads, CHUNK, &mut |piece| {
            row = tally.count(&rows, row, piece);
            writer.write(piece)?;
            told(piece.len())
        })?;
    }
    writer.finish()?;
    Ok(())
}

/// Matrices of layers, those of experts among them; no norms, no embedding, no head.
fn is_layer_matrix(tensor: &TensorInfo) -> bool {
    tensor.name.starts_with("blk.")
        && tensor.name.ends_with(".weight")
        && tensor.shape.len() > 1
        && !tensor.name.contains("_norm.")
}

/// A matrix whose rows lose their smallest weights.
struct Sparse<'a> {
    bytes: &'a [u8],
    format: Format,
    cols: usize,
    share: f64,
}

impl Sparse<'_> {
    fn decoded(&self, first: usize, out: &mut [f32]) {
        let stride = self.format.row_bytes(self.cols);
        let rows = out.len() / self.cols;
        self.format.decode(&self.bytes[first * stride..(first + rows) * stride], out);
    }
}

impl Rows for Sparse<'_> {
    fn rows(&self, _: usize, first: usize, out: &mut [f32]) {
        self.decoded(first, out);
        out.chunks_exact_mut(self.cols).for_each(|row| sparsify(row, self.share));
    }
}

/// Sets the smallest weights of a row to zero.
fn sparsify(row: &mut [f32], share: f64) {
    let count = (share * row.len() as f64).round() as usize;
    let mut order: Vec<usize> = (0..row.len()).collect();
    if count == 0 || count >= row.len() {
        return;
    }
    let by_size = |&a: &usize, &b: &usize| row[a].abs().total_cmp(&row[b].abs()).then(a.cmp(&b));
    order.select_nth_unstable_by(count - 1, by_size);
    order[..count].iter().for_each(|&i| row[i] = 0.0);
}

impl Tally {
    /// Compares encoded rows, from `first` on, with what they were to be; the first row behind them.
    fn count(&mut self, rows: &Sparse<'_>, first: usize, encoded: &[u8]) -> usize {
        let n = encoded.len() / rows.format.row_bytes(rows.cols);
        let mut before = vec![0.0; n * rows.cols];
        rows.decoded(first, &mut before);
        let mut meant = before.clone();
        meant.chunks_exact_mut(rows.cols).for_each(|row| sparsify(row, rows.share));
        let mut now = vec![0.0; meant.len()];
        rows.format.decode(encoded, &mut now);
        let none = |values: &[f32]| values.iter().filter(|&&v| v == 0.0).count() as u64;
        self.weights += now.len() as u64;
        self.zeros += none(&now);
        self.zeros_before += none(&before);
        for (&meant, &now) in meant.iter().zip(&now).filter(|(meant, _)| **meant != 0.0) {
            self.moved += f64::from(now - meant).powi(2);
            self.kept += f64::from(meant).powi(2);
        }
        first + n
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_of_a_row_go_and_of_equals_the_first() {
        let mut row = [3.0, -1.0, 0.5, -4.0, 1.0, 2.0];
        sparsify(&mut row, 0.5);
        assert_eq!(row, [3.0, 0.0, 0.0, -4.0, 0.0, 2.0]);
        let mut row = [1.0; 4];
        sparsify(&mut row, 0.25);
        assert_eq!(row, [0.0, 1.0, 1.0, 1.0]);
    }
}
