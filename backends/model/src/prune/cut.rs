//! The part of a tensor that stays, as bytes: whole rows, or whole blocks of every row. Decodes nothing.

use std::ops::Range;

use super::plan::{Kept, group_columns};
use crate::Tensor;
use crate::arch::{Gate, Layer, QkNorm};

/// What stays of a tensor, seen as a matrix; of a vector every element is a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// All of it.
    Whole,
    /// These rows.
    Rows(Vec<Range<usize>>),
    /// These columns: one list for all rows, or one for each of as many equal stretches of rows.
    Columns(Vec<Vec<Range<usize>>>),
}

/// What stays of a layer's tensor, by its name without the layer.
pub(super) fn cut(layer: &Layer, kept: &Kept, part: &str) -> Cut {
    let shared = layer.heads / layer.kv_heads;
    let groups = |width: usize| spans(&kept.groups, width, 0);
    let [q, k, v] = [shared * layer.key_dim, layer.key_dim, layer.value_dim];
    let each = layer.qk_norm == Some(QkNorm::EachHead);
    let whole = layer.qk_norm == Some(QkNorm::Whole);
    match part {
        "attn_q.weight" | "attn_q.bias" => Cut::Rows(groups(q)),
        "attn_k.weight" | "attn_k.bias" => Cut::Rows(groups(k)),
        "attn_v.weight" | "attn_v.bias" => Cut::Rows(groups(v)),
        "attn_qkv.weight" | "attn_qkv.bias" => Cut::Rows(fused(layer, kept, [q, k, v])),
        "attn_output.weight" => Cut::Columns(vec![groups(group_columns(layer))]),
        "attn_q_norm.weight" if each => Cut::Rows(groups(shared)),
        "attn_k_norm.weight" if each => Cut::Rows(groups(1)),
        "attn_q_norm.weight" if whole => Cut::Rows(groups(q)),
        "attn_k_norm.weight" if whole => Cut::Rows(groups(k)),
        "ffn_up.weight" | "ffn_up.bias" if layer.ffn.gate == Gate::Fused => {
            let one = &kept.channels[0];
            Cut::Rows([spans(one, 1, 0), spans(one, 1, layer.ffn.width)].concat())
        }
        "ffn_gate.weight"
        | "ffn_gate.bias"
        | "ffn_up.weight"
        | "ffn_up.bias"
        | "ffn_gate_exps.weight"
        | "ffn_up_exps.weight" => {
            let of = kept.channels.iter().enumerate();
            Cut::Rows(of.flat_map(|(e, one)| spans(one, 1, e * layer.ffn.width)).collect())
        }
        "ffn_down.weight" | "ffn_down_exps.weight" => {
            Cut::Columns(kept.channels.iter().map(|one| spans(one, 1, 0)).collect())
        }
        // Norms, the router, biases of what goes back into the stream, an expert all share.
        _ => Cut::Whole,
    }
}

/// The rows of queries, keys and values in one tensor.
fn fused(layer: &Layer, kept: &Kept, widths: [usize; 3]) -> Vec<Range<usize>> {
    let [q, k, _] = layer.qkv_rows();
    let starts = [0, q, q + k];
    widths
        .iter()
        .zip(starts)
        .flat_map(|(&width, start)| spans(&kept.groups, width, start))
        .collect()
}

/// Where these items lie, each `width` wide, from `start` on; neighbours are joined.
fn spans(items: &[usize], width: usize, start: usize) -> Vec<Range<usize>> {
    let mut spans: Vec<Range<usize>> = Vec::new();
    for item in items {
        let (from, to) = (start + item * width, start + (item + 1) * width);
        match spans.last_mut() {
            Some(last) if last.end == from => last.end = to,
            _ => spans.push(from..to),
        }
    }
    spans
}

impl Cut {
    /// Hands out what stays, in pieces. `Err` names what cannot be parted.
    pub(super) fn bytes<E>(
        &self,
        tensor: &Tensor<'_>,
        vector: bool,
        sink: &mut dyn FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), Failure<E>> {
        let format = tensor.format;
        match self {
            Cut::Whole => sink(tensor.bytes).map_err(Failure::Sink),
            Cut::Rows(rows) => {
                let row = match vector {
                    true if format.block_len() > 1 => return Err(Failure::Blocks),
                    true => format.block_bytes(),
                    false => format.row_bytes(tensor.cols),
                };
                rows.iter().try_for_each(|rows| {
                    sink(&tensor.bytes[rows.start * row..rows.end * row]).map_err(Failure::Sink)
                })
            }
            Cut::Columns(slices) => {
                let block = format.block_len();
                let mut spans = slices.iter().flatten();
                if spans.any(|s| s.start % block != 0 || s.end % block != 0) {
                    return Err(Failure::Blocks);
                }
                let rows = tensor.rows / slices.len().max(1);
                slices.iter().enumerate().try_for_each(|(slice, spans)| {
                    columns(tensor, slice * rows..(slice + 1) * rows, spans, sink)
                })
            }
        }
    }
}

/// Why bytes could not be handed out.
#[derive(Debug)]
pub(super) enum Failure<E> {
    /// The cut goes through a block.
    Blocks,
    /// Whoever took them failed.
    Sink(E),
}

/// Bytes gathered before they are handed on.
const PIECE: usize = 1 << 20;

fn columns<E>(
    tensor: &Tensor<'_>,
    rows: Range<usize>,
    spans: &[Range<usize>],
    sink: &mut dyn FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), Failure<E>> {
    let at = |column| tensor.format.row_bytes(column);
    let mut piece = Vec::new();
    for row in rows {
        let row = tensor.row(row);
        for span in spans {
            piece.extend_from_slice(&row[at(span.start)..at(span.end)]);
        }
        if piece.len() >= PIECE {
            sink(&piece).map_err(Failure::Sink)?;
            piece.clear();
        }
    }
    if piece.is_empty() { Ok(()) } else { sink(&piece).map_err(Failure::Sink) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Format;

    fn taken(cut: &Cut, tensor: &Tensor<'_>, vector: bool) -> Result<Vec<u8>, Failure<()>> {
        let mut all = Vec::new();
        cut.bytes(tensor, vector, &mut |piece| {
            all.extend_from_slice(piece);
            Ok(())
        })?;
        Ok(all)
    }

    #[test]
    fn neighbours_are_joined() {
        assert_eq!(spans(&[0, 1, 3], 4, 10), [10..18, 22..26]);
    }

    #[test]
    fn rows_and_columns_keep_their_bytes() {
        // (4 rows, 3 columns) of halves: byte 2i is i.
        let bytes: Vec<u8> = (0..12).flat_map(|i| [i, 0]).collect();
        let tensor = Tensor { name: "w", format: Format::F16, cols: 3, rows: 4, bytes: &bytes };
        let low = |bytes: Vec<u8>| bytes.into_iter().step_by(2).collect::<Vec<_>>();
        let rows = Cut::Rows(vec![0..1, 2..4]);
        assert_eq!(low(taken(&rows, &tensor, false).unwrap()), [0, 1, 2, 6, 7, 8, 9, 10, 11]);
        let columns = Cut::Columns(vec![vec![0..1, 2..3]]);
        assert_eq!(low(taken(&columns, &tensor, false).unwrap()), [0, 2, 3, 5, 6, 8, 9, 11]);
        let by_expert = Cut::Columns(vec![vec![0..1], vec![2..3]]);
        assert_eq!(low(taken(&by_expert, &tensor, false).unwrap()), [0, 3, 8, 11]);
        let vector = Tensor { cols: 12, rows: 1, ..tensor };
        assert_eq!(low(taken(&rows, &vector, true).unwrap()), [0, 2, 3]);
    }

    #[test]
    fn no_block_is_parted() {
        let bytes = vec![0; 2 * 36];
        let tensor = Tensor { name: "w", format: Format::Q4_0, cols: 64, rows: 2, bytes: &bytes };
        let half = Cut::Columns(vec![vec![0..16, 32..64]]);
        assert!(matches!(taken(&half, &tensor, false), Err(Failure::Blocks)));
        let whole = Cut::Columns(vec![vec![32..64]]);
        assert_eq!(taken(&whole, &tensor, false).unwrap().len(), 36);
    }
}
