//! The metadata of a pruned file: the source's, with the numbers that changed, and proof that they describe what is left.

use super::{Error, Kept};
use crate::arch::{Architecture, Factors};
use crate::gguf::{Header, Type, Value};
use crate::{Gguf, Model};

/// Header of the result, without tensors, and its description.
pub(super) fn header(
    model: &Model,
    kept: &[Kept],
    path: String,
    what: &str,
) -> Result<(Header, Architecture), Error> {
    let expected = expected(model.architecture(), kept);
    let mut header = Header::new(path);
    header.copy_metadata(model.gguf());
    layers(&mut header, model, kept);
    numbers(&mut header, model.architecture(), &expected, model.gguf());
    header.set("general.name", format!("{} pruned", model.info().name));
    // It says how many weights there were.
    header.remove("general.size_label");
    header.set("yardstick.pruned", what);
    let found = read(&header, model, kept)?;
    if windows(&found) != windows(&expected) {
        let key = format!("{}.attention.sliding_window_pattern", expected.name);
        header.set_array(&key, &windows(&expected));
    }
    let found = read(&header, model, kept)?;
    match found == expected {
        true => Ok((header, expected)),
        false => Err(Error::Inexpressible {
            path: model.gguf().path().display().to_string(),
            problem: format!(
                "the layers of {} differ by their place, and its metadata cannot say what would be left; \
                 choose layers that keep the pattern ({})",
                expected.name,
                difference(&found, &expected)
            ),
        }),
    }
}

/// The description of the result; rotary factors are zeros, as in what [`Architecture::of_metadata`] reads.
fn expected(source: &Architecture, kept: &[Kept]) -> Architecture {
    let mut expected = source.clone();
    for rotary in &mut expected.rotary {
        match &mut rotary.factors {
            Factors::None => {}
            Factors::Fixed(values) => values.fill(0.0),
            Factors::ByContext { short, long, .. } => {
                short.fill(0.0);
                long.fill(0.0);
            }
        }
    }
    let layer = |kept: &Kept| {
        let mut layer = source.layers[kept.from].clone();
        layer.heads = layer.heads / layer.kv_heads * kept.groups.len();
        layer.kv_heads = kept.groups.len();
        layer.ffn.width = kept.channels[0].len();
        layer
    };
    expected.layers = kept.iter().map(layer).collect();
    expected
}

fn read(header: &Header, model: &Model, kept: &[Kept]) -> Result<Architecture, Error> {
    let stored = |name: &str| {
        let layer = name.strip_prefix("blk.").and_then(|rest| rest.split_once('.'));
        let Some((number, part)) = layer else { return model.gguf().tensor(name).is_some() };
        let from = number.parse::<usize>().ok().and_then(|i| kept.get(i)).map(|kept| kept.from);
        from.is_some_and(|from| model.gguf().tensor(&format!("blk.{from}.{part}")).is_some())
    };
    Ok(Architecture::of_metadata(header, &stored)?)
}

fn windows(architecture: &Architecture) -> Vec<bool> {
    architecture.layers.iter().map(|layer| layer.window.is_some()).collect()
}

/// The number of layers, and every array with one value a layer.
fn layers(header: &mut Header, model: &Model, kept: &[Kept]) {
    let source = model.architecture();
    let prefix = format!("{}.", source.name);
    header.set(&format!("{prefix}block_count"), kept.len() as u32);
    for key in model.gguf().keys().filter(|key| key.starts_with(&prefix)) {
        let Some(Value::Array(array)) = model.gguf().value(key) else { continue };
        if array.len() != source.layers.len() {
            continue;
        }
        let values: Vec<Value<'_>> = array.iter().collect();
        let chosen = || kept.iter().map(|kept| &values[kept.from]);
        match array.element() {
            Type::Bool => {
                let is = |value: &Value<'_>| matches!(value, Value::Bool(true));
                header.set_array(key, &chosen().map(is).collect::<Vec<_>>());
            }
            Type::F32 => {
                let number = |value: &Value<'_>| if let Value::F32(v) = value { *v } else { 0.0 };
                header.set_array(key, &chosen().map(number).collect::<Vec<_>>());
            }
            Type::U32 | Type::I32 => {
                let number = |value: &Value<'_>| value.unsigned_or_positive().unwrap_or(0) as u32;
                header.set_array(key, &chosen().map(number).collect::<Vec<_>>());
            }
            _ => {}
        }
    }
}

/// Heads and widths where they changed; and what readers else derive from them.
fn numbers(header: &mut Header, source: &Architecture, expected: &Architecture, gguf: &Gguf) {
    let name = &source.name;
    let key = |suffix: &str| format!("{name}.{suffix}");
    header.set(&key("vocab_size"), source.vocab as u32);
    let each = |of: fn(&crate::arch::Layer) -> usize, layers: &[crate::arch::Layer]| {
        layers.iter().map(of).map(|n| n as u32).collect::<Vec<_>>()
    };
    let mut set = |suffix: &str, values: Vec<u32>| match values.split_first() {
        Some((first, rest)) if rest.iter().all(|value| value == first) => {
            header.set(&key(suffix), *first);
        }
        _ => header.set_array(&key(suffix), &values),
    };
    set("attention.head_count", each(|layer| layer.heads, &expected.layers));
    set("attention.head_count_kv", each(|layer| layer.kv_heads, &expected.layers));
    if let Some(layer) = expected.layers.first() {
        set("attention.key_length", vec![layer.key_dim as u32]);
        set("attention.value_length", vec![layer.value_dim as u32]);
    }
    let widths = each(|layer| layer.ffn.width, &expected.layers);
    match expected.layers.first().and_then(|layer| layer.ffn.experts) {
        None => set("feed_forward_length", widths),
        Some(_) => {
            let alike = widths.windows(2).all(|pair| pair[0] == pair[1]);
            let own = "expert_feed_forward_length";
            // One number for all experts of all layers, in the key that readers look at first.
            if alike && (gguf.value(&key(own)).is_some() || source.name != "llama") {
                set(own, widths);
            } else {
                set("feed_forward_length", widths);
            }
        }
    }
}

/// The first layer that would be read differently, in words.
fn difference(found: &Architecture, expected: &Architecture) -> String {
    let layers = found.layers.iter().zip(&expected.layers);
    match layers.enumerate().find(|(_, (found, expected))| found != expected) {
        Some((i, (found, expected))) if found.rotary != expected.rotary => {
            let turns = |rotary: Option<usize>| if rotary.is_some() { "turn" } else { "not turn" };
            let (found, expected) = (turns(found.rotary), turns(expected.rotary));
            format!("queries and keys of layer {i} would {found} and should {expected}")
        }
        Some((i, (found, expected))) if found.attention_scale != expected.attention_scale => {
            let (found, expected) = (found.attention_scale, expected.attention_scale);
            format!("scores of layer {i} would be scaled by {found}, not by {expected}")
        }
        Some((i, _)) => format!("layer {i} would be read as another one"),
        None => "other numbers would be read".to_owned(),
    }
}
