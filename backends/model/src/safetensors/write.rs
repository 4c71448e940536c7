//! Small safetensors files in memory, for tests and for what is made from adapters. Models are written as GGUF.

use std::fmt::Write as _;

use super::Dtype;

/// The bytes of a file: tensors (name, type, shape, little-endian data) in the order given, whose data must have the
/// length their shape asks for. Names may be any text.
pub fn encode(tensors: &[(&str, Dtype, &[usize], &[u8])]) -> Vec<u8> {
    let mut json = String::from("{");
    let mut at = 0;
    for (i, (name, dtype, shape, data)) in tensors.iter().enumerate() {
        let comma = if i == 0 { "" } else { "," };
        let (name, dtype) = (serde_json::Value::from(*name), dtype.name());
        let end = at + data.len();
        let _ = write!(
            json,
            "{comma}{name}:{{\"dtype\":\"{dtype}\",\"shape\":{shape:?},\"data_offsets\":[{at},{end}]}}"
        );
        at = end;
    }
    json.push('}');
    // Data begin at a multiple of 8.
    while !json.len().is_multiple_of(8) {
        json.push(' ');
    }
    let mut out = (json.len() as u64).to_le_bytes().to_vec();
    out.extend_from_slice(json.as_bytes());
    tensors.iter().for_each(|tensor| out.extend_from_slice(tensor.3));
    out
}
