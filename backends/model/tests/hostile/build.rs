//! Builds GGUF files byte by byte, right or wrong on purpose; shares no code with the reader or the writer.

/// Numbers of GGUF's value types.
pub(crate) const U8: u32 = 0;
pub(crate) const U32: u32 = 4;
pub(crate) const I32: u32 = 5;
pub(crate) const F32: u32 = 6;
pub(crate) const BOOL: u32 = 7;
pub(crate) const STRING: u32 = 8;
pub(crate) const ARRAY: u32 = 9;
pub(crate) const U64: u32 = 10;

/// A file to be. Counts are those of the lists unless set.
#[derive(Clone, Debug)]
pub(crate) struct File {
    pub(crate) magic: [u8; 4],
    pub version: u32,
    pub tensor_count: Option<u64>,
    pub kv_count: Option<u64>,
    pub pairs: Vec<Pair>,
    pub tensors: Vec<Tensor>,
    /// Pads header and tensors.
    pub alignment: u64,
    /// Bytes of data; as the tensors need unless set.
    pub data: Option<usize>,
    /// Length the file on disk is set to (sparse zeros).
    pub disk_bytes: Option<u64>,
}

#[derive(Clone, Debug)]
pub(crate) struct Pair {
    /// `None`: as long as the key.
    pub key_length: Option<u64>,
    pub key: Vec<u8>,
    pub kind: u32,
    pub value: Vec<u8>,
}

#[derive(Clone, Debug)]
pub(crate) struct Tensor {
    /// `None`: as long as the name.
    pub name_length: Option<u64>,
    pub name: Vec<u8>,
    /// `None`: as many as the shape has.
    pub dims: Option<u32>,
    pub shape: Vec<u64>,
    pub kind: u32,
    /// `None`: after the tensor before.
    pub offset: Option<u64>,
}

/// Weights and bytes of a block, of the formats the cases use.
fn block(kind: u32) -> (u64, u64) {
    match kind {
        2 => (32, 18),
        8 => (32, 34),
        12 => (256, 144),
        _ => (1, 4),
    }
}

impl Tensor {
    pub(crate) fn new(name: &str, kind: u32, shape: &[u64]) -> Tensor {
        let (name, shape) = (name.as_bytes().to_vec(), shape.to_vec());
        Tensor { name_length: None, name, dims: None, shape, kind, offset: None }
    }

    fn bytes(&self) -> u64 {
        let (weights, bytes) = block(self.kind);
        let n = self.shape.iter().fold(1u64, |n, &d| n.saturating_mul(d));
        (n / weights).saturating_mul(bytes)
    }
}

/// A length and the text.
pub(crate) fn text(s: &str) -> Vec<u8> {
    let mut out = (s.len() as u64).to_le_bytes().to_vec();
    out.extend_from_slice(s.as_bytes());
    out
}

/// Element type, count, elements.
pub(crate) fn array(kind: u32, count: u64, elements: &[u8]) -> Vec<u8> {
    let mut out = kind.to_le_bytes().to_vec();
    out.extend_from_slice(&count.to_le_bytes());
    out.extend_from_slice(elements);
    out
}

/// An array of strings.
pub(crate) fn texts<S: AsRef<str>>(strings: &[S]) -> Vec<u8> {
    let elements: Vec<u8> = strings.iter().flat_map(|s| text(s.as_ref())).collect();
    array(STRING, strings.len() as u64, &elements)
}

impl File {
    pub(crate) fn empty() -> File {
        File {
            magic: *b"GGUF",
            version: 3,
            tensor_count: None,
            kv_count: None,
            pairs: Vec::new(),
            tensors: Vec::new(),
            alignment: 32,
            data: None,
            disk_bytes: None,
        }
    }

    /// Sets a pair, in place of an earlier one of that key.
    pub(crate) fn set(mut self, key: &str, kind: u32, value: impl Into<Vec<u8>>) -> File {
        self = self.without(key);
        self.again(key, kind, value)
    }

    /// Appends a pair, even of a key that is there.
    pub(crate) fn again(mut self, key: &str, kind: u32, value: impl Into<Vec<u8>>) -> File {
        let (key, value) = (key.as_bytes().to_vec(), value.into());
        self.pairs.push(Pair { key_length: None, key, kind, value });
        self
    }

    pub(crate) fn without(mut self, key: &str) -> File {
        self.pairs.retain(|p| p.key != key.as_bytes());
        self
    }

    pub(crate) fn u32(self, key: &str, value: u32) -> File {
        self.set(key, U32, value.to_le_bytes())
    }

    pub(crate) fn f32(self, key: &str, value: f32) -> File {
        self.set(key, F32, value.to_le_bytes())
    }

    pub(crate) fn text(self, key: &str, value: &str) -> File {
        self.set(key, STRING, text(value))
    }

    pub(crate) fn tensor(mut self, name: &str, kind: u32, shape: &[u64]) -> File {
        self.tensors.push(Tensor::new(name, kind, shape));
        self
    }

    /// Changes the tensor of a name.
    pub(crate) fn change(mut self, name: &str, change: impl FnOnce(&mut Tensor)) -> File {
        let tensor = self.tensors.iter_mut().find(|t| t.name == name.as_bytes());
        change(tensor.expect("a tensor of that name"));
        self
    }

    pub(crate) fn drop_tensor(mut self, name: &str) -> File {
        self.tensors.retain(|t| t.name != name.as_bytes());
        self
    }

    pub(crate) fn with(mut self, change: impl FnOnce(&mut File)) -> File {
        change(&mut self);
        self
    }

    /// Header with padding.
    pub(crate) fn header(&self) -> (Vec<u8>, u64) {
        let mut out = self.magic.to_vec();
        out.extend_from_slice(&self.version.to_le_bytes());
        let tensors = self.tensor_count.unwrap_or(self.tensors.len() as u64);
        out.extend_from_slice(&tensors.to_le_bytes());
        out.extend_from_slice(&self.kv_count.unwrap_or(self.pairs.len() as u64).to_le_bytes());
        for pair in &self.pairs {
            let length = pair.key_length.unwrap_or(pair.key.len() as u64);
            out.extend_from_slice(&length.to_le_bytes());
            out.extend_from_slice(&pair.key);
            out.extend_from_slice(&pair.kind.to_le_bytes());
            out.extend_from_slice(&pair.value);
        }
        let mut next = 0u64;
        for tensor in &self.tensors {
            let length = tensor.name_length.unwrap_or(tensor.name.len() as u64);
            out.extend_from_slice(&length.to_le_bytes());
            out.extend_from_slice(&tensor.name);
            let dims = tensor.dims.unwrap_or(tensor.shape.len() as u32);
            out.extend_from_slice(&dims.to_le_bytes());
            tensor.shape.iter().for_each(|n| out.extend_from_slice(&n.to_le_bytes()));
            out.extend_from_slice(&tensor.kind.to_le_bytes());
            let offset = tensor.offset.unwrap_or(next);
            out.extend_from_slice(&offset.to_le_bytes());
            let end = next.saturating_add(tensor.bytes());
            next = end.checked_next_multiple_of(self.alignment).unwrap_or(u64::MAX);
        }
        if !self.tensors.is_empty() {
            out.resize(out.len().next_multiple_of(self.alignment as usize), 0);
        }
        (out, next)
    }

    /// The whole file, tensors zero; data that would be large are left to `disk_bytes`.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let (mut out, needed) = self.header();
        let data = self.data.unwrap_or(if needed < 64 << 20 { needed as usize } else { 0 });
        out.resize(out.len() + data, 0);
        out
    }
}

/// Shape of a small llama.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    pub layers: u64,
    pub d: u64,
    pub heads: u64,
    pub kv_heads: u64,
    pub width: u64,
    pub vocab: u64,
}

pub(crate) const SMALL: Shape =
    Shape { layers: 2, d: 64, heads: 4, kv_heads: 2, width: 96, vocab: 40 };

/// A complete, valid llama with tied head, a vocabulary, and zeros for weights.
pub(crate) fn llama() -> File {
    llama_of(SMALL)
}

pub(crate) fn llama_of(shape: Shape) -> File {
    let Shape { layers, d, heads, kv_heads, width, vocab } = shape;
    let tokens: Vec<String> = (0..vocab).map(|i| format!("t{i}")).collect();
    let scores: Vec<u8> = (0..vocab).flat_map(|i| (i as f32).to_le_bytes()).collect();
    let types: Vec<u8> = (0..vocab).flat_map(|_| 1i32.to_le_bytes()).collect();
    let mut file = File::empty()
        .text("general.architecture", "llama")
        .text("general.name", "small")
        .u32("llama.context_length", 128)
        .u32("llama.embedding_length", d as u32)
        .u32("llama.block_count", layers as u32)
        .u32("llama.feed_forward_length", width as u32)
        .u32("llama.attention.head_count", heads as u32)
        .u32("llama.attention.head_count_kv", kv_heads as u32)
        .f32("llama.attention.layer_norm_rms_epsilon", 1e-5)
        .set("tokenizer.ggml.tokens", ARRAY, texts(&tokens))
        .set("tokenizer.ggml.scores", ARRAY, array(F32, vocab, &scores))
        .set("tokenizer.ggml.token_type", ARRAY, array(I32, vocab, &types))
        .set("tokenizer.ggml.merges", ARRAY, texts(&["t 1", "t 2"]))
        .u32("tokenizer.ggml.bos_token_id", 1)
        .u32("tokenizer.ggml.eos_token_id", 2)
        .tensor("token_embd.weight", 0, &[d, vocab])
        .tensor("output_norm.weight", 0, &[d]);
    let kv = d / heads * kv_heads;
    for i in 0..layers {
        let parts: [(&str, &[u64]); 9] = [
            ("attn_norm", &[d]),
            ("ffn_norm", &[d]),
            ("attn_q", &[d, d]),
            ("attn_k", &[d, kv]),
            ("attn_v", &[d, kv]),
            ("attn_output", &[d, d]),
            ("ffn_gate", &[d, width]),
            ("ffn_up", &[d, width]),
            ("ffn_down", &[width, d]),
        ];
        for (part, shape) in parts {
            file = file.tensor(&format!("blk.{i}.{part}.weight"), 0, shape);
        }
    }
    file
}
