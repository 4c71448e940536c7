//! Safetensors, untrusted: what is accepted, what is rejected and by which name, and that nothing panics.
#![allow(missing_docs, clippy::unwrap_used)]

mod random;
mod reject;
mod shards;

use yardstick_model::safetensors::{Dtype, Safetensors, encode};

/// A header of any length and text, and data of zeros.
pub(crate) fn file(header: &str, data: usize) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(header.as_bytes());
    bytes.resize(bytes.len() + data, 0);
    bytes
}

#[test]
fn tensors_come_back_as_they_were_written() {
    let (a, b) = ([1.5f32, -2.0, 3.25], [0x3f80u16, 0xc000]);
    let bytes_of = |v: &[f32]| v.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>();
    let halves: Vec<u8> = b.iter().flat_map(|x| x.to_le_bytes()).collect();
    let written = encode(&[
        ("a \"quoted\" name", Dtype::F32, &[3, 1], &bytes_of(&a)),
        ("b", Dtype::BF16, &[2], &halves),
        ("scalar", Dtype::I64, &[], &7i64.to_le_bytes()),
    ]);
    let file = Safetensors::from_bytes("x", written).unwrap();
    let names: Vec<&str> = file.tensors().iter().map(|t| t.name.as_str()).collect();
    assert_eq!(names, ["a \"quoted\" name", "b", "scalar"]);
    let view = file.tensor("a \"quoted\" name").unwrap();
    assert_eq!((view.dtype, view.shape, view.elements()), (Dtype::F32, &[3, 1][..], 3));
    let mut out = [0.0; 2];
    view.floats(1, &mut out).unwrap();
    assert_eq!(out, [-2.0, 3.25]);
    file.tensor("b").unwrap().floats(0, &mut out).unwrap();
    assert_eq!(out, [1.0, -2.0]);
    let scalar = file.tensor("scalar").unwrap();
    assert_eq!((scalar.elements(), scalar.floats(0, &mut out)), (1, None));
    assert!(file.tensor("c").is_none() && file.warnings().is_empty());
}

#[test]
fn metadata_padding_and_odd_offsets_are_accepted() {
    let header = r#"{"__metadata__":{"format":"pt"},"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},
        "b":{"dtype":"F32","shape":[1,1],"data_offsets":[1,5]}}   "#;
    let header = format!("{header:<192}");
    let file = Safetensors::from_bytes("x", file(&header, 5)).unwrap();
    assert_eq!(file.metadata(), [("format".to_owned(), "pt".to_owned())]);
    assert!(file.warnings()[0].contains("\"b\" begins at byte"), "{:?}", file.warnings());
    assert_eq!(file.tensor("b").unwrap().bytes.len(), 4);
}
