//! Large files that are as they should be: they open within the same limits, or a cap refuses them by name.

use std::path::Path;

use crate::build::{ARRAY, File, Pair, SMALL, STRING, Shape, U8, array, llama, llama_of, texts};
use crate::measure::{measured, over_limits};
use yardstick_model::{Error, Gguf, Model};

/// What should become of a file.
enum Answer {
    /// GGUF, and not a model.
    File,
    /// A model.
    Model,
    /// Refused for this field.
    Refused(&'static str),
}

/// A file and its answer.
type Large = (&'static str, fn() -> File, Answer);

const LARGE: &[Large] = &[
    ("20 million empty strings", || strings(20 << 20), Answer::Model),
    ("65,536 keys", || keys(65_536, 4), Answer::File),
    ("65,537 keys", || keys(65_537, 4), Answer::Refused("key/value count")),
    ("a million keys", || keys(1 << 20, 4), Answer::Refused("key/value count")),
    ("16,384 keys each in pages of its own", || keys(16_384, 8192), Answer::File),
    ("65,536 tensors", || tensors(65_536), Answer::File),
    ("65,537 tensors", || tensors(65_537), Answer::Refused("tensor count")),
    ("a vocabulary of a million", || vocabulary(1 << 20), Answer::Model),
    ("a million merges", merges, Answer::Model),
    ("a sparse model of more than 1 TiB", tebibyte, Answer::Model),
];

/// Opens each; what is wrong.
pub(crate) fn check(folder: &Path) -> Vec<String> {
    let path = folder.join("large.gguf");
    let mut wrong = Vec::new();
    for (name, build, answer) in LARGE {
        let header = match write(&path, build()) {
            Ok(header) => header,
            Err(e) => {
                println!("skipped: {name}: the file system refused: {e}");
                continue;
            }
        };
        let (result, seconds, grown) = match answer {
            Answer::File => measured(|| Gguf::open(&path).map(|_| ())),
            _ => measured(|| Model::open(&path).map(|_| ())),
        };
        println!("{seconds:8.5} s {:6} KiB  {name}, {} KiB", grown / 1024, header / 1024);
        wrong.extend(over_limits(header, seconds, grown).map(|p| format!("{name}: {p}")));
        match (result, answer) {
            (Ok(()), Answer::File | Answer::Model) => {}
            (Err(Error::Invalid { field, .. }), Answer::Refused(f)) if field == *f => {}
            (Ok(()), _) => wrong.push(format!("{name}: accepted")),
            (Err(e), _) => wrong.push(format!("{name}: {e}")),
        }
    }
    wrong
}

/// The header, then zeros up to the length it needs. Returns the length of the header.
fn write(path: &Path, file: File) -> std::io::Result<u64> {
    let (header, data) = file.header();
    std::fs::write(path, &header)?;
    let length = header.len() as u64 + data;
    std::fs::OpenOptions::new().write(true).open(path)?.set_len(length)?;
    Ok(header.len() as u64)
}

fn strings(count: u64) -> File {
    let mut zeros = array(STRING, count, &[]);
    zeros.resize(zeros.len() + 8 * count as usize, 0);
    llama().set("a.list", ARRAY, zeros)
}

fn keys(count: usize, value_bytes: u64) -> File {
    File::empty().with(|f| {
        let value = array(U8, value_bytes, &vec![0; value_bytes as usize]);
        f.pairs.extend((0..count).map(|i| {
            let key = format!("key.number_{i}").into_bytes();
            Pair { key_length: None, key, kind: ARRAY, value: value.clone() }
        }));
    })
}

fn tensors(count: usize) -> File {
    (0..count).fold(File::empty(), |f, i| f.tensor(&format!("tensor.number.{i}"), 0, &[1]))
}

fn vocabulary(vocab: u64) -> File {
    llama_of(Shape { vocab, ..SMALL })
}

fn merges() -> File {
    let merges: Vec<String> = (0..1 << 20).map(|i| format!("t{i} x")).collect();
    llama().set("tokenizer.ggml.merges", ARRAY, texts(&merges))
}

/// Three matrices of 2^36 weights in each of two layers.
fn tebibyte() -> File {
    llama_of(Shape { d: 1 << 16, width: 1 << 20, heads: 512, kv_heads: 8, ..SMALL })
}
