//! The static form, which is what NPUs take: every shape a number, nothing but ONNX's plain operators and `MatMulNBits`, and no look at
//! positions: the host hands over angles and masks, keeps keys and values, and appends what a call made of them.

use std::collections::BTreeSet;

use yardstick_api::Error;
use yardstick_model::arch::Layer;
use yardstick_model::{Architecture, Model};

use super::parts::Parts;
use super::{Style, head, kv_element, layers, start};
use crate::onnx::{Attribute, Dim, ElementType};
use crate::weights::Index;

/// What hides a score: its exponential is 0 in every type, and the number is finite in all of them.
pub(crate) const HIDDEN: f32 = -30_000.0;

/// The windows of a model's layers, each a mask of its own; `None` sees all before it.
pub(crate) fn windows(architecture: &Architecture) -> Vec<Option<usize>> {
    let all: BTreeSet<Option<usize>> = architecture.layers.iter().map(|l| l.window).collect();
    all.into_iter().collect()
}

/// The layers, for `rows` rows over a cache of `context` positions.
///
/// Inputs: `stream` (rows, embedding); `mask.i` (rows, context + rows), added to scores, for each of [`windows`]: positions of the
/// cache first, then the rows themselves; `temperature` (rows, 1) where queries grow; `cos.i`, `sin.i` (rows, 1, dims / 2) of each
/// rotary embedding; `past.i.key` (kv heads, context, key dim), `past.i.value`.
/// Outputs: `new.i.key` (kv heads, rows, key dim), `new.i.value`; `hidden` (rows, embedding).
pub(crate) fn body(
    model: &Model,
    index: &Index,
    style: Style,
    context: usize,
    rows: usize,
) -> Result<Vec<u8>, Error> {
    let architecture = model.architecture();
    let mut parts = start(model, index, style);
    let width = architecture.embedding;
    let shape = [rows, width].map(Dim::Fixed);
    let mut stream = parts.graph.input("stream", ElementType::F32, &shape);
    if style.echo {
        stream = parts.graph.contrib("echo", "SampleOp", &[&stream], &[]);
    }
    let windows = windows(architecture);
    for i in 0..windows.len() {
        let shape = [rows, context + rows].map(Dim::Fixed);
        parts.graph.input(&format!("mask.{i}"), ElementType::F32, &shape);
    }
    if architecture.temperature.is_some() {
        parts.graph.input("temperature", ElementType::F32, &[rows, 1].map(Dim::Fixed));
    }
    for (i, rotary) in architecture.rotary.iter().enumerate() {
        for table in ["cos", "sin"] {
            let shape = [rows, 1, rotary.dims / 2].map(Dim::Fixed);
            parts.graph.input(&format!("{table}.{i}"), ElementType::F32, &shape);
        }
    }
    let size = Size { rows, context };
    let x = layers(&mut parts, stream, &mut |parts, i, layer, qkv| {
        let mask = windows.iter().position(|&window| window == layer.window).unwrap_or(0);
        attention(parts, i, layer, qkv, size, mask)
    })?;
    parts.graph.output("hidden", ElementType::F32, &[rows, width].map(Dim::Fixed));
    parts.graph.node_to("hidden", "", "Identity", &[&x], &["hidden"], &[]);
    Ok(parts.graph.into_model())
}

/// The head, for one row: `hidden` (1, embedding) to `logits` (1, vocab).
pub(crate) fn head_alone(model: &Model, index: &Index, style: Style) -> Result<Vec<u8>, Error> {
    let mut parts = start(model, index, style);
    let shape = [1, model.architecture().embedding].map(Dim::Fixed);
    let hidden = parts.graph.input("hidden", ElementType::F32, &shape);
    head(&mut parts, &hidden, Dim::Fixed(1))?;
    Ok(parts.graph.into_model())
}

#[derive(Clone, Copy)]
struct Size {
    rows: usize,
    context: usize,
}

fn attention(
    parts: &mut Parts<'_>,
    i: usize,
    layer: &Layer,
    [mut q, k, v]: [String; 3],
    Size { rows, context }: Size,
    mask: usize,
) -> Result<String, Error> {
    let architecture = parts.model.architecture();
    let name = format!("blk.{i}.attention");
    let (kv, group) = (layer.kv_heads, layer.heads / layer.kv_heads);
    let (key, value, total) = (layer.key_dim, layer.value_dim, context + rows);
    if architecture.temperature.is_some() {
        q = parts.graph.node(&name, "Mul", &[&q, "temperature"], &[]);
    }

    // (rows, heads, dim), turned, then heads first
    let q = shaped(parts, &name, &q, &[rows, layer.heads, key]);
    let k = shaped(parts, &name, &k, &[rows, kv, key]);
    let v = shaped(parts, &name, &v, &[rows, kv, value]);
    let [q, k] = match layer.rotary {
        Some(r) => {
            let dims = architecture.rotary[r].dims;
            [q, k].map(|x| rotate(parts, &name, &x, r, dims, key))
        }
        None => [q, k],
    };
    // (heads, rows, dim): query heads that share a key head lie side by side
    let q = heads_first(parts, &name, &q);
    let q = shaped(parts, &name, &q, &[kv, group * rows, key]);
    let mut seen = Vec::new();
    for (what, new, dim) in [("key", k, key), ("value", v, value)] {
        let new = heads_first(parts, &name, &new);
        seen.push(with_past(parts, i, what, &new, [kv, rows, dim], context));
    }
    let order = parts.graph.transpose(&name, &seen[0], &[0, 2, 1]);
    let scores = parts.graph.node(&name, "MatMul", &[&q, &order], &[]);
    let scale = parts.graph.scalar(layer.attention_scale);
    let scores = parts.graph.node(&name, "Mul", &[&scores, &scale], &[]);
    let scores = shaped(parts, &name, &scores, &[kv * group, rows, total]);
    let scores = match layer.softcap {
        Some(cap) => parts.soft_cap(&name, &scores, cap),
        None => scores,
    };
    let scores = parts.graph.node(&name, "Add", &[&scores, &format!("mask.{mask}")], &[]);
    let shares = parts.graph.node(&name, "Softmax", &[&scores], &[("axis", Attribute::Int(-1))]);
    let shares = shaped(parts, &name, &shares, &[kv, group * rows, total]);
    let out = parts.graph.node(&name, "MatMul", &[&shares, &seen[1]], &[]);
    let out = shaped(parts, &name, &out, &[kv * group, rows, value]);
    let out = heads_first(parts, &name, &out);
    Ok(shaped(parts, &name, &out, &[rows, layer.heads * value]))
}

/// What a layer has seen, (kv heads, context + rows, dim) in f32: the cache, then the rows at hand, which are also an output.
fn with_past(
    parts: &mut Parts<'_>,
    i: usize,
    what: &str,
    new: &str,
    [kv, rows, dim]: [usize; 3],
    context: usize,
) -> String {
    let (name, element) = (format!("blk.{i}.attention"), kv_element(parts.style.kv));
    let (past, output) = (format!("past.{i}.{what}"), format!("new.{i}.{what}"));
    parts.graph.input(&past, element, &[kv, context, dim].map(Dim::Fixed));
    parts.graph.output(&output, element, &[kv, rows, dim].map(Dim::Fixed));
    let axis = [("axis", Attribute::Int(1))];
    if element == ElementType::F32 {
        parts.graph.node_to(&name, "", "Identity", &[new], &[&output], &[]);
        return parts.graph.node(&name, "Concat", &[&past, new], &axis);
    }
    // Rows are seen as they will be kept: rounded.
    let to = [("to", Attribute::Int(element as i64))];
    parts.graph.node_to(&name, "", "Cast", &[new], &[&output], &to);
    let both = parts.graph.node(&name, "Concat", &[&past, &output], &axis);
    parts.cast(&name, &both, ElementType::F32 as i64)
}

fn shaped(parts: &mut Parts<'_>, name: &str, x: &str, shape: &[usize]) -> String {
    let shape: Vec<i64> = shape.iter().map(|&size| size as i64).collect();
    let shape = parts.graph.ints(&shape);
    parts.graph.node(name, "Reshape", &[x, &shape], &[])
}

/// (a, b, dim) to (b, a, dim)
fn heads_first(parts: &mut Parts<'_>, name: &str, x: &str) -> String {
    parts.graph.transpose(name, x, &[1, 0, 2])
}

/// (rows, heads, width) with the first `dims` elements of each head turned, pairs of halves.
fn rotate(
    parts: &mut Parts<'_>,
    name: &str,
    x: &str,
    rotary: usize,
    dims: usize,
    width: usize,
) -> String {
    let half = dims / 2;
    let mut sizes = vec![half as i64, half as i64];
    if width > dims {
        sizes.push((width - dims) as i64);
    }
    let count = sizes.len();
    let sizes = parts.graph.ints(&sizes);
    let axis = [("axis", Attribute::Int(-1))];
    let pieces = parts.graph.nodes(name, "", "Split", &[x, &sizes], count, &axis);
    let (cos, sin) = (format!("cos.{rotary}"), format!("sin.{rotary}"));
    let mut product = |x: &str, y: &str| parts.graph.node(name, "Mul", &[x, y], &[]);
    let [a, b] = [product(&pieces[0], &cos), product(&pieces[1], &sin)];
    let [c, d] = [product(&pieces[1], &cos), product(&pieces[0], &sin)];
    let first = parts.graph.node(name, "Sub", &[&a, &b], &[]);
    let second = parts.graph.node(name, "Add", &[&c, &d], &[]);
    let mut together = vec![first.as_str(), second.as_str()];
    together.extend(pieces.get(2).map(String::as_str));
    parts.graph.node(name, "Concat", &together, &axis)
}
