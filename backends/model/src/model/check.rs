//! Whether a file's tensors and vocabulary fit its own hyper-parameters.

use std::collections::HashSet;

use crate::arch::{Architecture, TensorSpec};
use crate::gguf::{Type, quote, quote_bytes};
use crate::{Error, Gguf};

/// Every tensor the architecture needs is there with its shape, and no other: a tensor that no forward pass
/// reads would mean that the file computes something else than we do.
pub(crate) fn tensors(gguf: &Gguf, arch: &Architecture, specs: &[TensorSpec]) -> Result<(), Error> {
    for spec in specs {
        let field = || format!("tensor {}", spec.name);
        let Some(found) = gguf.tensor(&spec.name) else {
            let expected = format!("shape {:?}, as {} needs it", spec.shape, arch.name);
            return Err(gguf.invalid(field(), "no such tensor", expected));
        };
        if found.shape != spec.shape {
            let expected = format!("{:?}, from the hyper-parameters", spec.shape);
            return Err(gguf.invalid(
                format!("{} shape", field()),
                format!("{:?}", found.shape),
                expected,
            ));
        }
    }
    if gguf.tensors().len() == specs.len() {
        return Ok(());
    }
    let known: HashSet<&str> = specs.iter().map(|s| s.name.as_str()).collect();
    match gguf.tensors().iter().find(|t| !known.contains(t.name.as_str())) {
        None => Ok(()),
        Some(extra) => {
            let what = format!("tensor {} in a {} model", quote(&extra.name), arch.name);
            let parts: Vec<&str> =
                specs.iter().filter(|s| s.layer.is_none_or(|l| l == 0)).map(|s| s.part).collect();
            Err(gguf.unsupported(what, parts.join(", ")))
        }
    }
}

/// Vocabulary arrays agree with each other and with the embedding's rows. A file may have no vocabulary.
pub(crate) fn vocabulary(gguf: &Gguf, vocab: usize) -> Result<(), Error> {
    let tables: [(&str, &[Type]); 3] = [
        ("tokenizer.ggml.tokens", &[Type::String]),
        ("tokenizer.ggml.scores", &[Type::F32]),
        ("tokenizer.ggml.token_type", &[Type::I32, Type::U32]),
    ];
    for (key, elements) in tables {
        match gguf.array(key, elements)? {
            Some(array) if array.len() != vocab => {
                let expected = format!("{vocab}, one for each row of token_embd.weight");
                return Err(gguf.invalid(format!("{key} length"), array.len(), expected));
            }
            _ => {}
        }
    }
    for key in ["tokenizer.ggml.bos_token_id", "tokenizer.ggml.eos_token_id"] {
        match gguf.unsigned(key)? {
            Some(id) if id >= vocab as u64 => {
                return Err(gguf.invalid(key, id, format!("less than the vocabulary of {vocab}")));
            }
            _ => {}
        }
    }
    merges(gguf)
}

/// Each merge is two pieces with one space between.
fn merges(gguf: &Gguf) -> Result<(), Error> {
    let key = "tokenizer.ggml.merges";
    let Some(array) = gguf.array(key, &[Type::String])? else { return Ok(()) };
    for (i, merge) in array.strings().enumerate() {
        // A piece may begin with a space, never be empty.
        let split = merge.iter().skip(1).position(|&b| b == b' ').map(|at| at + 1);
        if split.is_none_or(|at| at + 1 == merge.len()) {
            let expected = "two pieces separated by a space";
            return Err(gguf.invalid(format!("{key}[{i}]"), quote_bytes(merge), expected));
        }
    }
    Ok(())
}
