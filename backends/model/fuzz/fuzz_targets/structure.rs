//! A valid small llama of which a few fields are changed: reaches the checks behind the header.
#![no_main]

#[path = "../../tests/hostile/build.rs"]
#[allow(dead_code, reason = "the hostile cases use the rest")]
mod build;

use arbitrary::Arbitrary;
use build::{File, llama};
use libfuzzer_sys::fuzz_target;
use yardstick_model::{Gguf, Model};

/// One change of one field; positions are taken modulo what there is.
#[derive(Arbitrary, Debug)]
enum Change {
    Version(u32),
    TensorCount(u64),
    KvCount(u64),
    Key(u8, Vec<u8>),
    KeyLength(u8, u64),
    Kind(u8, u32),
    Value(u8, Vec<u8>),
    NameLength(u8, u64),
    Dims(u8, u32),
    Shape(u8, Vec<u64>),
    Format(u8, u32),
    Offset(u8, u64),
    Alignment(u32),
    Data(u16),
}

fn apply(change: Change, mut file: File) -> File {
    let pairs = file.pairs.len();
    let tensors = file.tensors.len();
    match change {
        Change::Version(n) => file.version = n,
        Change::TensorCount(n) => file.tensor_count = Some(n),
        Change::KvCount(n) => file.kv_count = Some(n),
        Change::Key(i, key) => file.pairs[usize::from(i) % pairs].key = key,
        Change::KeyLength(i, n) => file.pairs[usize::from(i) % pairs].key_length = Some(n),
        Change::Kind(i, n) => file.pairs[usize::from(i) % pairs].kind = n,
        Change::Value(i, value) => file.pairs[usize::from(i) % pairs].value = value,
        Change::NameLength(i, n) => file.tensors[usize::from(i) % tensors].name_length = Some(n),
        Change::Dims(i, n) => file.tensors[usize::from(i) % tensors].dims = Some(n),
        Change::Shape(i, shape) => file.tensors[usize::from(i) % tensors].shape = shape,
        Change::Format(i, n) => file.tensors[usize::from(i) % tensors].kind = n,
        Change::Offset(i, n) => file.tensors[usize::from(i) % tensors].offset = Some(n),
        Change::Alignment(n) => file = file.u32("general.alignment", n),
        Change::Data(n) => file.data = Some(usize::from(n) * 16),
    }
    file
}

fuzz_target!(|changes: Vec<Change>| {
    let file = changes.into_iter().take(4).fold(llama(), |file, change| apply(change, file));
    if let Ok(gguf) = Gguf::from_bytes("fuzz", file.bytes()) {
        let _ = gguf.summary();
        let _ = Model::from_gguf(gguf);
    }
});
