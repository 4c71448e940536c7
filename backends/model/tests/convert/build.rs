//! Checkpoints in a folder of a test's own, built from lists; shares no code with the converter.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use yardstick_model::convert::{Converted, Converting, convert};
use yardstick_model::quantize::Error;
use yardstick_model::safetensors::{Dtype, encode};
use yardstick_model::{Format, Model};

/// A checkpoint to be.
#[derive(Clone)]
pub(crate) struct Checkpoint {
    pub(crate) config: Value,
    /// Name and shape, as the checkpoint has them.
    pub(crate) tensors: Vec<(String, Vec<usize>)>,
}

/// A weight that says where it is, exact in f32.
pub(crate) fn weight(name: &str, i: usize) -> f32 {
    let hash = name.bytes().fold(17u32, |h, b| h.wrapping_mul(31).wrapping_add(b.into()));
    ((hash % 1000) as f32 * 4096.0 + i as f32) / 4_194_304.0
}

impl Checkpoint {
    pub(crate) fn add(&mut self, name: &str, shape: &[usize]) {
        self.tensors.push((name.to_owned(), shape.to_vec()));
    }

    pub(crate) fn drop(mut self, name: &str) -> Checkpoint {
        let before = self.tensors.len();
        self.tensors.retain(|tensor| tensor.0 != name);
        assert!(self.tensors.len() < before, "{name}");
        self
    }

    pub(crate) fn with(mut self, name: &str, shape: &[usize]) -> Checkpoint {
        self.tensors.retain(|tensor| tensor.0 != name);
        self.add(name, shape);
        self
    }

    pub(crate) fn set(mut self, key: &str, value: Value) -> Checkpoint {
        self.config[key] = value;
        self
    }

    pub(crate) fn write(&self, folder: &Path) {
        let data: Vec<Vec<u8>> = self
            .tensors
            .iter()
            .map(|(name, shape)| {
                (0..shape.iter().product()).flat_map(|i| weight(name, i).to_le_bytes()).collect()
            })
            .collect();
        let rows: Vec<_> = self
            .tensors
            .iter()
            .zip(&data)
            .map(|((name, shape), data)| (name.as_str(), Dtype::F32, &shape[..], &data[..]))
            .collect();
        std::fs::write(folder.join("model.safetensors"), encode(&rows)).unwrap();
        std::fs::write(folder.join("config.json"), self.config.to_string()).unwrap();
    }
}

/// A llama of one layer: 8 wide, 2 heads of 4, 1 for keys and values.
pub(crate) fn llama() -> Checkpoint {
    let config = json!({"model_type": "llama", "vocab_size": 5, "hidden_size": 8, "num_hidden_layers": 1,
        "num_attention_heads": 2, "num_key_value_heads": 1, "intermediate_size": 6, "rms_norm_eps": 1e-5,
        "max_position_embeddings": 64, "hidden_act": "silu", "rope_theta": 10000.0, "tie_word_embeddings": true});
    let mut made = Checkpoint { config, tensors: Vec::new() };
    made.add("model.embed_tokens.weight", &[5, 8]);
    made.add("model.norm.weight", &[8]);
    let layer = |name: &str| format!("model.layers.0.{name}.weight");
    for (name, shape) in [
        ("self_attn.q_proj", &[8usize, 8][..]),
        ("self_attn.k_proj", &[4, 8]),
        ("self_attn.v_proj", &[4, 8]),
        ("self_attn.o_proj", &[8, 8]),
        ("mlp.gate_proj", &[6, 8]),
        ("mlp.up_proj", &[6, 8]),
        ("mlp.down_proj", &[8, 6]),
        ("input_layernorm", &[8]),
        ("post_attention_layernorm", &[8]),
    ] {
        made.add(&layer(name), shape);
    }
    made
}

/// A folder with a checkpoint, and where the result goes.
pub(crate) struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    pub(crate) fn of(checkpoint: &Checkpoint) -> Place {
        let folder = tempfile::tempdir().unwrap();
        checkpoint.write(folder.path());
        Place { folder }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    pub(crate) fn convert(&self, lora: Option<&Path>) -> Result<Converted, Error> {
        let how = Converting { mix: None, lora, threads: 2 };
        let out = self.path("out/model.gguf");
        convert(self.folder.path(), &out, &how, &mut |_| ControlFlow::Continue(()))
    }

    /// Converts and opens.
    pub(crate) fn model(&self, lora: Option<&Path>) -> Model {
        self.convert(lora).unwrap_or_else(|error| panic!("{error}"));
        Model::open(&self.path("out/model.gguf")).unwrap()
    }

    /// The message of a conversion that is refused, after which nothing is there.
    pub(crate) fn refusal(&self, lora: Option<&Path>) -> String {
        let text =
            self.convert(lora).map(|_| "accepted".to_owned()).unwrap_or_else(|e| e.to_string());
        let left = std::fs::read_dir(self.path("out")).map_or(0, Iterator::count);
        assert_eq!(left, 0, "{text}: something was left behind");
        text
    }
}

/// All weights of a tensor.
pub(crate) fn values(model: &Model, name: &str) -> Vec<f32> {
    assert_eq!(model.tensor(name).unwrap().format, Format::F32);
    model.values(name).unwrap()
}
