//! How much heads and channels count: L2 norms of their weights, in f64 and in one order, so that every machine keeps the same.

use std::thread;

use super::plan::{down, group_columns};
use crate::arch::{Gate, Layer};
use crate::{Model, Tensor};

/// Of one layer.
#[derive(Clone, Debug, Default)]
pub(super) struct Scores {
    /// (kv_heads)
    pub(super) groups: Vec<f64>,
    /// (1 or experts) of (width)
    pub(super) channels: Vec<Vec<f64>>,
}

/// Scores of these layers, each read by one thread.
pub(super) fn scores(
    model: &Model,
    layers: &[usize],
    threads: usize,
    heads: bool,
    ffn: bool,
) -> Vec<Scores> {
    let mut scores = vec![Scores::default(); layers.len()];
    let each = layers.len().div_ceil(threads.max(1)).max(1);
    thread::scope(|scope| {
        for (layers, scores) in layers.chunks(each).zip(scores.chunks_mut(each)) {
            scope.spawn(move || {
                for (&layer, scores) in layers.iter().zip(scores) {
                    if heads {
                        scores.groups = groups(model, layer);
                    }
                    if ffn {
                        scores.channels = channels(model, layer);
                    }
                }
            });
        }
    });
    scores
}

/// L2 norm of each group's columns of `attn_output`.
fn groups(model: &Model, layer: usize) -> Vec<f64> {
    let shape = &model.architecture().layers[layer];
    let Some(output) = matrix(model, layer, "attn_output.weight") else { return Vec::new() };
    let columns = column_squares(&output, 0..output.rows);
    columns.chunks(group_columns(shape)).map(|c| c.iter().sum::<f64>().sqrt()).collect()
}

/// Product of the norms of each channel's rows and column, of every expert where there are experts.
fn channels(model: &Model, layer: usize) -> Vec<Vec<f64>> {
    let shape = &model.architecture().layers[layer];
    let experts = shape.ffn.experts.map(|experts| experts.count);
    (0..experts.unwrap_or(1)).map(|expert| of_expert(model, layer, shape, expert)).collect()
}

fn of_expert(model: &Model, layer: usize, shape: &Layer, expert: usize) -> Vec<f64> {
    let mixture = shape.ffn.experts.is_some();
    let part = |dense, experts| if mixture { experts } else { dense };
    let width = shape.ffn.width;
    let mut scores = vec![1.0; width];
    let mut times = |squares: Vec<f64>| {
        scores.iter_mut().zip(squares).for_each(|(score, square)| *score *= square.sqrt());
    };
    let up = matrix(model, layer, part("ffn_up.weight", "ffn_up_exps.weight"));
    let first = expert * width;
    match (shape.ffn.gate, up) {
        (Gate::Fused, Some(up)) => {
            times(row_squares(&up, 0..width));
            times(row_squares(&up, width..2 * width));
        }
        (_, Some(up)) => times(row_squares(&up, first..first + width)),
        (_, None) => {}
    }
    if shape.ffn.gate == Gate::Separate
        && let Some(gate) = matrix(model, layer, part("ffn_gate.weight", "ffn_gate_exps.weight"))
    {
        times(row_squares(&gate, first..first + width));
    }
    if let Some(down) = matrix(model, layer, down(shape)) {
        let d = model.architecture().embedding;
        times(column_squares(&down, expert * d..(expert + 1) * d));
    }
    scores
}

fn matrix<'a>(model: &'a Model, layer: usize, part: &str) -> Option<Tensor<'a>> {
    model.tensor(&format!("blk.{layer}.{part}"))
}

fn row_squares(tensor: &Tensor<'_>, rows: std::ops::Range<usize>) -> Vec<f64> {
    let mut row = vec![0.0; tensor.cols];
    let of = |i| {
        tensor.format.decode(tensor.row(i), &mut row);
        row.iter().map(|&x| f64::from(x).powi(2)).sum()
    };
    rows.map(of).collect()
}

fn column_squares(tensor: &Tensor<'_>, rows: std::ops::Range<usize>) -> Vec<f64> {
    let (mut row, mut sums) = (vec![0.0; tensor.cols], vec![0.0; tensor.cols]);
    for i in rows {
        tensor.format.decode(tensor.row(i), &mut row);
        sums.iter_mut().zip(&row).for_each(|(sum, &x)| *sum += f64::from(x).powi(2));
    }
    sums
}
