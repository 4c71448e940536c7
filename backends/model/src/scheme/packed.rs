//! A packed matrix seen as floats: found by the names of its parts, whose shapes must agree, and decoded by rows.

use serde_json::Value;

use super::groups::Groups;
use super::nf4::{Nf4, State};
use super::{Order, Scheme};
use crate::Format;
use crate::safetensors::{Dtype, View};

/// A packed matrix: `(out, in)` weights.
#[derive(Clone, Copy, Debug)]
pub struct Packed<'a> {
    kind: Kind<'a>,
    inputs: usize,
}

#[derive(Clone, Copy, Debug)]
enum Kind<'a> {
    Groups(Groups<'a>),
    Nf4(Nf4<'a>),
}

impl Packed<'_> {
    /// Decodes weights from `first` on, counted over rows.
    pub fn floats(&self, first: usize, out: &mut [f32]) {
        let (mut at, mut out) = (first, out);
        while !out.is_empty() {
            let (row, column) = (at / self.inputs, at % self.inputs);
            let n = out.len().min(self.inputs - column);
            let (now, rest) = out.split_at_mut(n);
            match &self.kind {
                Kind::Groups(groups) => groups.row(row, column, now),
                Kind::Nf4(nf4) => nf4.row(row, column, now),
            }
            (at, out) = (at + n, rest);
        }
    }

    /// The format of GGUF that is nearest: it holds the codes of AWQ and GPTQ, or the floats that NF4 decodes to.
    pub fn nearest(&self) -> Format {
        match &self.kind {
            Kind::Groups(_) => Format::Q4_1,
            Kind::Nf4(nf4) => nf4.state.dtype.format().unwrap_or(Format::F32),
        }
    }

    /// A row as blocks of a format that holds the very codes; `false` where it does not, and nothing was written.
    pub fn blocks(&self, row: usize, format: Format, out: &mut [u8]) -> bool {
        match &self.kind {
            Kind::Groups(groups) => groups.blocks(row, format, out),
            Kind::Nf4(_) => false,
        }
    }
}

/// A packed matrix found in a checkpoint: what cannot be read from its parts as they lie.
#[derive(Debug)]
pub(crate) struct Derived {
    /// `model.layers.0.self_attn.q_proj.weight`
    pub(crate) name: String,
    /// (out, in)
    pub(crate) shape: [usize; 2],
    /// Names of its parts: `qweight`, `qzeros`, `scales`, or the codes alone.
    pub(crate) parts: Vec<String>,
    /// Every name that belongs to it.
    pub(crate) used: Vec<String>,
    how: How,
}

/// How the parts are read.
#[derive(Debug)]
enum How {
    /// The last is `g_idx`, where inputs are not in order.
    Groups(Order, usize, Option<Vec<u32>>),
    Nf4(State),
}

/// The bytes of the parts, in the order of [`Derived::parts`].
pub(crate) type Parts<'a> = [&'a [u8]; 3];

impl Derived {
    pub(crate) fn packed<'a>(&'a self, [first, zeros, scales]: Parts<'a>) -> Packed<'a> {
        let [out, inputs] = self.shape;
        let kind = match &self.how {
            How::Groups(order, group, index) => Kind::Groups(Groups {
                order: *order,
                group: *group,
                out,
                inputs,
                qweight: first,
                qzeros: zeros,
                scales,
                index: index.as_deref(),
            }),
            How::Nf4(state) => Kind::Nf4(Nf4 { inputs, codes: first, state }),
        };
        Packed { kind, inputs }
    }
}

/// A problem: the tensor, what was found, what was expected.
pub(crate) type Problem = (String, String, String);

/// The matrix whose first part has this name, if it is one; `find` finds a tensor.
pub(crate) fn derive<'a>(
    scheme: Scheme,
    name: &str,
    find: &dyn Fn(&str) -> Option<View<'a>>,
) -> Result<Option<Derived>, Problem> {
    match scheme {
        Scheme::Groups { order, group, act_order } => match name.strip_suffix(".qweight") {
            Some(stem) => groups((order, group, act_order), stem, find).map(Some),
            None => Ok(None),
        },
        Scheme::Nf4 => {
            let state = format!("{name}.quant_state.bitsandbytes__nf4");
            match find(&state) {
                Some(view) => nf4(name, state, view, find).map(Some),
                None => Ok(None),
            }
        }
    }
}

fn part<'a>(
    name: &str,
    dtypes: &[Dtype],
    shape: Option<&[usize]>,
    find: &dyn Fn(&str) -> Option<View<'a>>,
) -> Result<View<'a>, Problem> {
    let names = || dtypes.iter().map(|dtype| dtype.name()).collect::<Vec<_>>().join(" or ");
    let expected = || match shape {
        Some(shape) => format!("{} of shape {shape:?}", names()),
        None => names(),
    };
    let Some(view) = find(name) else {
        return Err((name.to_owned(), "no such tensor".to_owned(), expected()));
    };
    let fits = shape.is_none_or(|shape| view.shape == shape);
    match fits && dtypes.contains(&view.dtype) {
        true => Ok(view),
        false => {
            let found = format!("{} of shape {:?}", view.dtype.name(), view.shape);
            Err((name.to_owned(), found, expected()))
        }
    }
}

fn groups<'a>(
    (order, group, act_order): (Order, usize, bool),
    stem: &str,
    find: &dyn Fn(&str) -> Option<View<'a>>,
) -> Result<Derived, Problem> {
    let of = |part: &str| format!("{stem}.{part}");
    let qweight = part(&of("qweight"), &[Dtype::I32], None, find)?;
    let awq = order == Order::Awq;
    let (out, inputs) = match *qweight.shape {
        [rows, cols] if awq => (cols.saturating_mul(8), rows),
        [rows, cols] => (cols, rows.saturating_mul(8)),
        _ => {
            let found = format!("shape {:?}", qweight.shape);
            return Err((of("qweight"), found, "two dimensions".to_owned()));
        }
    };
    if inputs == 0 || out == 0 || out % 8 != 0 || inputs % group != 0 {
        let found = format!("{out} outputs of {inputs} inputs");
        let expected = format!("whole groups of {group} inputs, and outputs in eights");
        return Err((of("qweight"), found, expected));
    }
    let count = inputs / group;
    part(&of("qzeros"), &[Dtype::I32], Some(&[count, out / 8]), find)?;
    part(&of("scales"), &[Dtype::F16], Some(&[count, out]), find)?;
    let mut used = vec![of("qweight"), of("qzeros"), of("scales")];
    let index = match find(&of("g_idx")) {
        None if act_order => {
            let expected = "i32, one an input, since desc_act is true".to_owned();
            return Err((of("g_idx"), "no such tensor".to_owned(), expected));
        }
        None => None,
        Some(_) => {
            let view = part(&of("g_idx"), &[Dtype::I32], Some(&[inputs]), find)?;
            used.push(of("g_idx"));
            let index: Vec<u32> =
                view.bytes.as_chunks().0.iter().map(|b| u32::from_le_bytes(*b)).collect();
            if let Some(i) = index.iter().position(|&g| g as usize >= count) {
                let found = format!("group {} of input {i}", index[i]);
                return Err((of("g_idx"), found, format!("groups 0 to {}", count - 1)));
            }
            // In order it says nothing that the size of the groups does not.
            let plain = index.iter().enumerate().all(|(i, &g)| g as usize == i / group);
            (!plain).then_some(index)
        }
    };
    let parts = used[..3].to_vec();
    let name = of("weight");
    Ok(Derived { name, shape: [out, inputs], parts, used, how: How::Groups(order, group, index) })
}

fn nf4<'a>(
    name: &str,
    state_name: String,
    state: View<'a>,
    find: &dyn Fn(&str) -> Option<View<'a>>,
) -> Result<Derived, Problem> {
    let of = |part: &str| format!("{name}.{part}");
    let wrong =
        |what: &str, expected: &str| (state_name.clone(), what.to_owned(), expected.to_owned());
    let json: Value = serde_json::from_slice(state.bytes)
        .map_err(|error| wrong(&crate::gguf::escape(&error.to_string()), "JSON"))?;
    let number = |key: &str| json.get(key).and_then(Value::as_u64).map(|n| n as usize);
    let shape: Vec<usize> = json
        .get("shape")
        .and_then(Value::as_array)
        .map(|list| list.iter().filter_map(Value::as_u64).map(|n| n as usize).collect())
        .unwrap_or_default();
    let [out, inputs] = *shape.as_slice() else {
        return Err(wrong(&format!("shape {shape:?}"), "a shape of two dimensions"));
    };
    let dtype = match json.get("dtype").and_then(Value::as_str) {
        Some("float16") => Dtype::F16,
        Some("bfloat16") => Dtype::BF16,
        Some("float32") => Dtype::F32,
        other => return Err(wrong(&format!("dtype {other:?}"), "float16, bfloat16 or float32")),
    };
    let block = number("blocksize").filter(|b| (32..=4096).contains(b) && b.is_power_of_two());
    let block = block.ok_or_else(|| wrong("no blocksize", "a power of two from 32 to 4096"))?;
    let weights = out.checked_mul(inputs).filter(|n| *n > 0 && n % 2 == 0);
    let weights =
        weights.ok_or_else(|| wrong("an odd number of weights", "an even one above 0"))?;
    part(name, &[Dtype::U8], Some(&[weights / 2, 1]), find)?;
    let blocks = weights.div_ceil(block);
    let table = floats(&part(&of("quant_map"), &[Dtype::F32], Some(&[16]), find)?);
    let mut used = vec![name.to_owned(), of("absmax"), of("quant_map"), state_name.clone()];
    let largest = match json.get("nested_blocksize") {
        None => floats(&part(&of("absmax"), &[Dtype::F32], Some(&[blocks]), find)?),
        Some(_) => {
            let inner = number("nested_blocksize").filter(|&n| n > 0);
            let inner = inner.ok_or_else(|| wrong("nested_blocksize 0", "a number above 0"))?;
            let offset = json.get("nested_offset").and_then(Value::as_f64);
            let offset = offset.filter(|o| o.is_finite()).ok_or_else(|| {
                wrong("no nested_offset", "a finite number beside nested_blocksize")
            })? as f32;
            let absmax = part(&of("absmax"), &[Dtype::U8], Some(&[blocks]), find)?;
            let scales = [blocks.div_ceil(inner)];
            let scales = floats(&part(&of("nested_absmax"), &[Dtype::F32], Some(&scales), find)?);
            let map = part(&of("nested_quant_map"), &[Dtype::F32], Some(&[256]), find)?;
            used.extend([of("nested_absmax"), of("nested_quant_map")]);
            State::nested(absmax.bytes, &floats(&map), &scales, inner, offset)
        }
    };
    let mut values = [0.0; 16];
    values.copy_from_slice(&table);
    let state = State { table: values, block, largest, dtype };
    Ok(Derived {
        name: name.to_owned(),
        shape: [out, inputs],
        parts: vec![name.to_owned()],
        used,
        how: How::Nf4(state),
    })
}

/// The values of a view that was checked to be f32.
fn floats(view: &View<'_>) -> Vec<f32> {
    view.bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
}
