//! The matrices a model multiplies with: which tensor, which of its rows, in which order.

use std::ops::Range;

use yardstick_model::Architecture;
use yardstick_model::arch::{Gate, Layer, RotaryStyle};

/// A matrix of the graph: rows of a tensor of the file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Product {
    /// What the graph and profiles call it, `blk.0.attn_q`.
    pub(crate) name: String,
    /// The tensor it is of, `blk.0.attn_qkv.weight`.
    pub(crate) tensor: String,
    /// Its rows of the tensor.
    pub(crate) rows: Range<usize>,
    /// Rows are heads whose pairs of neighbours become pairs of halves.
    pub(crate) turned: Option<Turned>,
}

/// Heads whose first elements turn as neighbours in the file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Turned {
    /// Width of a head.
    pub(crate) width: usize,
    /// Elements that turn.
    pub(crate) dims: usize,
}

impl Product {
    /// The tensor's row that is row `i` here.
    pub(crate) fn source(&self, i: usize) -> usize {
        self.rows.start + self.turned.map_or(i, |turned| halves_first(turned, i))
    }
}

/// Where element `i` of a row of heads comes from when the pairs (2j, 2j + 1) of its head become (j, j + dims / 2). Scores are
/// products of queries and keys, so an order of elements that both share changes nothing.
pub(crate) fn halves_first(turned: Turned, i: usize) -> usize {
    let Turned { width, dims } = turned;
    let (head, at) = (i / width, i % width);
    let from = match at {
        at if at >= dims => at,
        at if at < dims / 2 => 2 * at,
        at => 2 * (at - dims / 2) + 1,
    };
    head * width + from
}

/// How queries and keys of a layer are turned, where the file has neighbours.
pub(crate) fn turned(architecture: &Architecture, layer: &Layer) -> Option<Turned> {
    let rotary = &architecture.rotary[layer.rotary?];
    (rotary.style == RotaryStyle::Interleaved)
        .then_some(Turned { width: layer.key_dim, dims: rotary.dims })
}

/// Every matrix of a model without experts.
pub(crate) fn products(architecture: &Architecture) -> Vec<Product> {
    let mut all = Vec::new();
    for (i, layer) in architecture.layers.iter().enumerate() {
        attention(architecture, i, layer, &mut all);
        feed_forward(architecture, i, layer, &mut all);
    }
    let head = if architecture.tied_head { "token_embd.weight" } else { "output.weight" };
    all.push(whole("output".into(), head.into(), architecture.vocab));
    all
}

fn whole(name: String, tensor: String, rows: usize) -> Product {
    Product { name, tensor, rows: 0..rows, turned: None }
}

fn attention(architecture: &Architecture, i: usize, layer: &Layer, all: &mut Vec<Product>) {
    let turned = turned(architecture, layer);
    let mut start = 0;
    for (part, rows) in ["attn_q", "attn_k", "attn_v"].into_iter().zip(layer.qkv_rows()) {
        let name = format!("blk.{i}.{part}");
        let (tensor, from) = match layer.fused_qkv {
            true => (format!("blk.{i}.attn_qkv.weight"), start),
            false => (format!("{name}.weight"), 0),
        };
        start += rows;
        let turned = turned.filter(|_| part != "attn_v");
        all.push(Product { name, tensor, rows: from..from + rows, turned });
    }
    let name = format!("blk.{i}.attn_output");
    all.push(whole(name.clone(), format!("{name}.weight"), architecture.embedding));
}

fn feed_forward(architecture: &Architecture, i: usize, layer: &Layer, all: &mut Vec<Product>) {
    let (width, of) = (layer.ffn.width, |part: &str| format!("blk.{i}.{part}"));
    let up = format!("{}.weight", of("ffn_up"));
    match layer.ffn.gate {
        Gate::None => all.push(whole(of("ffn_up"), up, width)),
        Gate::Separate => {
            all.push(whole(of("ffn_gate"), format!("{}.weight", of("ffn_gate")), width));
            all.push(whole(of("ffn_up"), up, width));
        }
        Gate::Fused => {
            let part = |name: &str, rows| Product {
                name: of(name),
                tensor: up.clone(),
                rows,
                turned: None,
            };
            all.push(part("ffn_gate", 0..width));
            all.push(part("ffn_up", width..2 * width));
        }
    }
    let down = of("ffn_down");
    all.push(whole(down.clone(), format!("{down}.weight"), architecture.embedding));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_become_halves_and_the_rest_stays() {
        let turned = Turned { width: 6, dims: 4 };
        let order: Vec<usize> = (0..12).map(|i| halves_first(turned, i)).collect();
        assert_eq!(order, [0, 2, 1, 3, 4, 5, 6, 8, 7, 9, 10, 11]);
    }
}
