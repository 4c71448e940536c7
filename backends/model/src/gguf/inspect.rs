//! What a person wants to see of a file: a summary that can be serialised, and a scan for NaN and infinity.

use serde::Serialize;

use super::value::{Value, short};
use super::{Gguf, TensorInfo, Type, escape};

/// Array elements shown.
const SHOWN: usize = 4;
/// Longest text value shown, in characters.
const SHOWN_TEXT: usize = 200;
/// Weights decoded at a time while scanning.
const SCAN_CHUNK: usize = 1 << 16;

/// A whole file in short; every text is escaped.
#[derive(Clone, Debug, Serialize)]
pub struct FileSummary {
    /// Where it was opened.
    pub path: String,
    /// GGUF version.
    pub version: u32,
    /// Bytes of the file.
    pub file_bytes: u64,
    /// Alignment of tensor data.
    pub alignment: usize,
    /// Harmless oddities.
    pub warnings: Vec<String>,
    /// Metadata in file order.
    pub metadata: Vec<MetadataSummary>,
    /// Tensors in file order.
    pub tensors: Vec<TensorSummary>,
}

/// One key and its value.
#[derive(Clone, Debug, Serialize)]
pub struct MetadataSummary {
    /// The key.
    pub key: String,
    /// Type of the value, `u32`, `array`.
    #[serde(rename = "type")]
    pub kind: Type,
    /// The value as text; for arrays the first elements.
    pub value: String,
    /// What the array holds, when it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub array: Option<ArraySummary>,
}

/// An array without its elements.
#[derive(Clone, Debug, Serialize)]
pub struct ArraySummary {
    /// Type of the elements.
    pub element: Type,
    /// Elements.
    pub len: usize,
}

/// One tensor.
#[derive(Clone, Debug, Serialize)]
pub struct TensorSummary {
    /// GGUF name.
    pub name: String,
    /// Format, `Q4_K`.
    pub format: &'static str,
    /// GGUF order, row length first.
    pub shape: Vec<usize>,
    /// Offset in the file.
    pub offset: usize,
    /// Bytes of data.
    pub bytes: usize,
}

impl Gguf {
    /// The file in short, for `inspect`.
    pub fn summary(&self) -> FileSummary {
        FileSummary {
            path: escape(&self.path().display().to_string()),
            version: self.version(),
            file_bytes: self.file_bytes() as u64,
            alignment: self.alignment(),
            warnings: self.warnings().to_vec(),
            metadata: (0..).map_while(|i| self.entry(i)).map(|(k, v)| summarise(k, &v)).collect(),
            tensors: self.tensors().iter().map(TensorSummary::of).collect(),
        }
    }
}

fn summarise(key: &str, value: &Value<'_>) -> MetadataSummary {
    let mut array = None;
    let text = match value {
        Value::Array(values) => {
            array = Some(ArraySummary { element: values.element(), len: values.len() });
            let first: Vec<String> = values.iter().take(SHOWN).map(|v| short(&v)).collect();
            let more = if values.len() > SHOWN { ", ..." } else { "" };
            format!("[{}{more}]", first.join(", "))
        }
        Value::String(bytes) => shorten(bytes),
        other => other.display(),
    };
    MetadataSummary { key: key.to_owned(), kind: value.kind(), value: text, array }
}

fn shorten(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    match text.char_indices().nth(SHOWN_TEXT) {
        None => escape(&text),
        Some((end, _)) => format!("{}... ({} bytes)", escape(&text[..end]), bytes.len()),
    }
}

impl TensorSummary {
    fn of(tensor: &TensorInfo) -> TensorSummary {
        TensorSummary {
            name: escape(&tensor.name),
            format: tensor.format.name(),
            shape: tensor.shape.clone(),
            offset: tensor.offset,
            bytes: tensor.bytes,
        }
    }
}

/// What a scan of one tensor found. A bad scale makes every weight of its block bad.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Scan {
    /// Weights decoded.
    pub weights: u64,
    /// Weights that are NaN.
    pub nan: u64,
    /// Weights that are infinite.
    pub infinite: u64,
    /// Blocks holding at least one of those (single weights for F32, F16, BF16).
    pub blocks: u64,
    /// The first such weight.
    pub first: Option<u64>,
}

impl Scan {
    /// Neither NaN nor infinity.
    pub fn is_clean(&self) -> bool {
        self.blocks == 0
    }

    /// Weights are decoded values of whole blocks.
    fn add(&mut self, values: &[f32], block_len: usize) {
        for (b, block) in values.chunks(block_len).enumerate() {
            let Some(first) = block.iter().position(|v| !v.is_finite()) else { continue };
            let at = self.weights + (b * block_len + first) as u64;
            self.first.get_or_insert(at);
            self.blocks += 1;
            self.nan += block.iter().filter(|v| v.is_nan()).count() as u64;
            self.infinite += block.iter().filter(|v| v.is_infinite()).count() as u64;
        }
        self.weights += values.len() as u64;
    }
}

/// Decodes a whole tensor and counts what is not finite. Reads every byte: opening a model never does this.
pub fn scan(gguf: &Gguf, tensor: &TensorInfo) -> Scan {
    let (block_len, block_bytes) = (tensor.format.block_len(), tensor.format.block_bytes());
    let blocks = SCAN_CHUNK / block_len;
    let mut values = vec![0.0; blocks * block_len];
    let mut found = Scan::default();
    for bytes in gguf.bytes(tensor).chunks(blocks * block_bytes) {
        let out = &mut values[..bytes.len() / block_bytes * block_len];
        tensor.format.decode(bytes, out);
        found.add(out, block_len);
    }
    gguf.release(tensor);
    found
}
