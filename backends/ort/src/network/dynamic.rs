//! The dynamic form: any number of rows of one sequence, keys and values in place (`GroupQueryAttention` with one buffer for what
//! was and what is), as ONNX Runtime's own generator runs models on processors.

use yardstick_api::{Error, KvType};
use yardstick_model::Model;
use yardstick_model::arch::Layer;

use super::parts::Parts;
use super::{Style, head, kv_element, layers, start};
use crate::onnx::{Attribute, Dim, ElementType};
use crate::weights::Index;

/// Inputs: `stream` (rows, embedding); `seqlens` (1), the last position; `total` (), positions with these rows; `positions`
/// (1, rows); `wanted` (some rows); `temperature` (rows, 1) where queries grow; `cos.i`, `sin.i` (context, dims / 2) of
/// each rotary embedding; `past.i.key`, `past.i.value` (1, kv heads, context, dim).
/// Outputs: `present.i.key`, `present.i.value`, the same buffers; `logits` (wanted, vocab).
pub(crate) fn dynamic(
    model: &Model,
    index: &Index,
    style: Style,
    context: usize,
) -> Result<Vec<u8>, Error> {
    let architecture = model.architecture();
    let mut parts = start(model, index, style);
    let rows = Dim::Named("rows");
    let shape = [rows.clone(), Dim::Fixed(architecture.embedding)];
    let stream = parts.graph.input("stream", ElementType::F32, &shape);
    parts.graph.input("seqlens", ElementType::I32, &[Dim::Fixed(1)]);
    parts.graph.input("total", ElementType::I32, &[]);
    parts.graph.input("wanted", ElementType::I64, &[Dim::Named("wanted")]);
    if !architecture.rotary.is_empty() {
        parts.graph.input("positions", ElementType::I64, &[Dim::Fixed(1), rows.clone()]);
    }
    if architecture.temperature.is_some() {
        parts.graph.input("temperature", ElementType::F32, &[rows, Dim::Fixed(1)]);
    }
    for (i, rotary) in architecture.rotary.iter().enumerate() {
        let shape = [Dim::Fixed(context), Dim::Fixed(rotary.dims / 2)];
        parts.graph.input(&format!("cos.{i}"), ElementType::F32, &shape);
        parts.graph.input(&format!("sin.{i}"), ElementType::F32, &shape);
    }
    let x = layers(&mut parts, stream, &mut |parts, i, layer, qkv| {
        attention(parts, i, layer, qkv, context)
    })?;
    let axis = [("axis", Attribute::Int(0))];
    let chosen = parts.graph.node("wanted", "Gather", &[&x, "wanted"], &axis);
    head(&mut parts, &chosen, Dim::Named("wanted"))?;
    Ok(parts.graph.into_model())
}

fn attention(
    parts: &mut Parts<'_>,
    i: usize,
    layer: &Layer,
    [mut q, mut k, v]: [String; 3],
    context: usize,
) -> Result<String, Error> {
    let architecture = parts.model.architecture();
    let name = format!("blk.{i}.attention");
    let kv = kv_element(parts.style.kv);
    // Queries grow before they turn: turning is linear.
    if architecture.temperature.is_some() {
        q = parts.graph.node(&name, "Mul", &[&q, "temperature"], &[]);
    }
    // (rows, width) to (1, rows, width)
    let batch = |parts: &mut Parts<'_>, x: &str| {
        let axis = parts.graph.ints(&[0]);
        parts.graph.node(&name, "Unsqueeze", &[x, &axis], &[])
    };
    [q, k] = [batch(parts, &q), batch(parts, &k)];
    let mut v = batch(parts, &v);
    // The operator turns heads itself where their widths suit it and its tables have the type of the cache.
    let mut own_turn = false;
    if let Some(r) = layer.rotary {
        let dims = architecture.rotary[r].dims;
        own_turn = [layer.key_dim, dims].iter().all(|width| width.is_multiple_of(16))
            && parts.style.kv == KvType::F32;
        if !own_turn {
            q = rotate(parts, &name, &q, r, layer.heads, dims, layer.key_dim);
            k = rotate(parts, &name, &k, r, layer.kv_heads, dims, layer.key_dim);
        }
    }
    if kv != ElementType::F32 {
        [q, k, v] = [q, k, v].map(|x| parts.cast(&name, &x, kv as i64));
    }
    let mut names = Vec::new();
    for (what, dim) in [("key", layer.key_dim), ("value", layer.value_dim)] {
        let shape = [1, layer.kv_heads, context, dim].map(Dim::Fixed);
        let (past, present) = (format!("past.{i}.{what}"), format!("present.{i}.{what}"));
        parts.graph.input(&past, kv, &shape);
        parts.graph.output(&present, kv, &shape);
        names.push((past, present));
    }
    let (cos, sin) = match layer.rotary.filter(|_| own_turn) {
        Some(r) => (format!("cos.{r}"), format!("sin.{r}")),
        None => (String::new(), String::new()),
    };
    let inputs = [&q[..], &k, &v, &names[0].0, &names[1].0, "seqlens", "total", &cos, &sin];
    let inputs = if own_turn { &inputs[..] } else { &inputs[..7] };
    let mut attributes = vec![
        ("num_heads", Attribute::Int(layer.heads as i64)),
        ("kv_num_heads", Attribute::Int(layer.kv_heads as i64)),
        ("scale", Attribute::Float(layer.attention_scale)),
        ("do_rotary", Attribute::Int(i64::from(own_turn))),
    ];
    if let Some(cap) = layer.softcap {
        attributes.push(("softcap", Attribute::Float(cap)));
    }
    if let Some(window) = layer.window {
        attributes.push(("local_window_size", Attribute::Int(window as i64)));
    }
    let seen = format!("{name}/seen");
    let outputs = [&seen[..], &names[0].1, &names[1].1];
    parts.graph.node_to(
        &name,
        "com.microsoft",
        "GroupQueryAttention",
        inputs,
        &outputs,
        &attributes,
    );
    let mut seen = seen;
    if kv != ElementType::F32 {
        seen = parts.cast(&name, &seen, ElementType::F32 as i64);
    }
    let axis = parts.graph.ints(&[0]);
    Ok(parts.graph.node(&name, "Squeeze", &[&seen, &axis], &[]))
}

/// (1, rows, heads * dim) to the same, by the operator of its own.
fn rotate(
    parts: &mut Parts<'_>,
    name: &str,
    x: &str,
    rotary: usize,
    heads: usize,
    dims: usize,
    width: usize,
) -> String {
    let tables = (format!("cos.{rotary}"), format!("sin.{rotary}"));
    let mut attributes = vec![("num_heads", Attribute::Int(heads as i64))];
    if dims != width {
        attributes.push(("rotary_embedding_dim", Attribute::Int(dims as i64)));
    }
    let inputs = [x, "positions", &tables.0, &tables.1];
    parts.graph.contrib(name, "RotaryEmbedding", &inputs, &attributes)
}
