//! What is known of a model without touching its weights.

use std::collections::{BTreeMap, HashMap};

use crate::arch::{Architecture, TensorSpec};
use crate::gguf::{TensorInfo, escape};
use crate::{Error, Format, Gguf};

/// What is known of a model without touching its weights.
#[derive(Clone, Debug)]
pub struct ModelInfo {
    /// Display name: `general.name`, else the file's stem; control characters escaped.
    pub name: String,
    /// The description its forward pass reads.
    pub architecture: Architecture,
    /// Weights in all tensors.
    pub parameters: u64,
    /// Bytes of all tensor data.
    pub tensor_bytes: u64,
    /// Bytes read to produce one token at depth 0: every weight once, the embedding table only when it is the head too,
    /// and only the experts used.
    pub streamed_bytes: u64,
    /// The same by how they are stored.
    pub streamed: Streamed,
    /// Bytes of the file.
    pub file_bytes: u64,
    /// Formats of the matrices with their share of the tensor bytes, largest first.
    pub formats: Vec<(Format, u64)>,
    /// llama.cpp's name of the mix, `Q4_K - Medium` files are `Q4_K_M`, from `general.file_type`; else the largest format's name.
    pub quantisation: String,
}

/// How a matrix is stored, as far as the kernel that multiplies it may depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Layout {
    /// The format.
    pub format: Format,
    /// Its rows are whole blocks of 256 and there are whole groups of 16 of them: libraries have other kernels for such
    /// matrices (candle's tiles of 16 x 256 are one).
    pub tiled: bool,
}

impl Layout {
    /// Of a tensor.
    fn of(tensor: &TensorInfo) -> Layout {
        let whole = |dimension: usize, of: usize| {
            tensor.shape.get(dimension).is_some_and(|length| length.is_multiple_of(of))
        };
        Layout { format: tensor.format, tiled: whole(0, 256) && whole(1, 16) }
    }
}

/// Weight bytes that one token reads, by how they are stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Streamed {
    /// Of the layers.
    pub layers: BTreeMap<Layout, u64>,
    /// Of the head and what else is outside of layers.
    pub head: BTreeMap<Layout, u64>,
}

impl Streamed {
    /// Bytes of all of them.
    pub fn total(&self) -> u64 {
        self.layers.values().chain(self.head.values()).sum()
    }
}

/// What a description is made of beside the architecture: a file's header, written or planned.
pub(crate) struct Header<'a> {
    pub(crate) name: String,
    pub(crate) tensors: &'a [TensorInfo],
    pub(crate) file_bytes: u64,
    pub(crate) file_type: Option<u64>,
}

/// Longest display name, in characters.
const NAME_CHARS: usize = 200;

/// llama.cpp's `llama_ftype` numbers of mixes made of formats we have.
const FILE_TYPES: &[(u64, &str)] = &[
    (0, "F32"),
    (1, "F16"),
    (2, "Q4_0"),
    (3, "Q4_1"),
    (7, "Q8_0"),
    (8, "Q5_0"),
    (9, "Q5_1"),
    (10, "Q2_K"),
    (11, "Q3_K_S"),
    (12, "Q3_K_M"),
    (13, "Q3_K_L"),
    (14, "Q4_K_S"),
    (15, "Q4_K_M"),
    (16, "Q5_K_S"),
    (17, "Q5_K_M"),
    (18, "Q6_K"),
    (25, "IQ4_NL"),
    (32, "BF16"),
];

impl ModelInfo {
    /// `general.file_type` of a mix's name (`Q4_K_M`), for writers.
    pub fn file_type(quantisation: &str) -> Option<u32> {
        FILE_TYPES.iter().find(|t| t.1 == quantisation).map(|t| t.0 as u32)
    }

    /// Describes a file whose tensors were checked against `specs`, the architecture's own list.
    pub(crate) fn of(
        gguf: &Gguf,
        architecture: Architecture,
        specs: &[TensorSpec],
    ) -> Result<ModelInfo, Error> {
        let header = Header {
            name: name(gguf)?,
            tensors: gguf.tensors(),
            file_bytes: gguf.file_bytes() as u64,
            file_type: gguf.unsigned("general.file_type")?,
        };
        Ok(ModelInfo::of_header(header, architecture, specs))
    }

    /// Describes a header whose tensors are `specs`, the architecture's own list.
    pub(crate) fn of_header(
        header: Header<'_>,
        architecture: Architecture,
        specs: &[TensorSpec],
    ) -> ModelInfo {
        let Header { name, tensors, file_bytes, file_type } = header;
        let formats = formats(tensors);
        let known = file_type.and_then(|n| FILE_TYPES.iter().find(|t| t.0 == n));
        let largest = || formats.first().map_or("F32", |f| f.0.name());
        let streamed = streamed(tensors, &architecture, specs);
        ModelInfo {
            name,
            parameters: tensors.iter().map(|t| t.weights() as u64).sum(),
            tensor_bytes: tensors.iter().map(|t| t.bytes as u64).sum(),
            streamed_bytes: streamed.total(),
            streamed,
            file_bytes,
            quantisation: known.map_or_else(largest, |t| t.1).to_owned(),
            formats,
            architecture,
        }
    }
}

fn name(gguf: &Gguf) -> Result<String, Error> {
    let stem = || gguf.path().file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let name = gguf.str("general.name")?.filter(|n| !n.trim().is_empty());
    let name: String = name.map_or_else(stem, str::to_owned).chars().take(NAME_CHARS).collect();
    Ok(escape(&name))
}

/// Bytes by format of the tensors with two dimensions or more, largest first.
fn formats(tensors: &[TensorInfo]) -> Vec<(Format, u64)> {
    let mut sums = BTreeMap::new();
    for tensor in tensors.iter().filter(|t| t.shape.len() > 1) {
        *sums.entry(tensor.format).or_insert(0) += tensor.bytes as u64;
    }
    let mut sums: Vec<(Format, u64)> = sums.into_iter().collect();
    sums.sort_by_key(|&(_, bytes)| std::cmp::Reverse(bytes));
    sums
}

fn streamed(tensors: &[TensorInfo], architecture: &Architecture, specs: &[TensorSpec]) -> Streamed {
    let stored: HashMap<&str, &TensorInfo> = tensors.iter().map(|t| (t.name.as_str(), t)).collect();
    let mut streamed = Streamed::default();
    for spec in specs {
        let Some(tensor) = stored.get(spec.name.as_str()) else { continue };
        let bytes = tensor.bytes as u64;
        let (part, read) = match spec.layer {
            // The experts are the slowest dimension of three: each takes the same share.
            Some(layer) if spec.shape.len() == 3 => {
                let (used, stored) = architecture.layers[layer].ffn.experts_of();
                (&mut streamed.layers, bytes / stored as u64 * used as u64)
            }
            Some(_) => (&mut streamed.layers, bytes),
            None if spec.part == "token_embd.weight" && !architecture.tied_head => continue,
            // A row of it.
            None if spec.part == "position_embd.weight" => continue,
            None => (&mut streamed.head, bytes),
        };
        *part.entry(Layout::of(tensor)).or_insert(0) += read;
    }
    streamed
}
