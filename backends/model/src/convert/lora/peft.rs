//! PEFT's adapters: adapter_config.json and adapter_model.safetensors.

use std::collections::BTreeMap;
use std::path::Path;

use super::super::config::{Config, shown};
use super::{Delta, Matrix};
use crate::Error;
use crate::gguf::{Flaw, quote};
use crate::safetensors::Safetensors;

/// Before the model's own names.
const PREFIX: &str = "base_model.model.";
/// What may stand before those of a checkpoint that was saved without its head.
const HEADLESS: [&str; 2] = ["transformer.", "model."];

/// Keys that must have one of these values (as JSON), or be absent: else the adapter is more than two matrices, or not
/// relative to the model as it was published.
const PLAIN: &[(&str, &[&str], &str)] = &[
    ("peft_type", &["\"LORA\""], "another kind of adapter than LoRA"),
    ("use_dora", &["false"], "DoRA"),
    ("bias", &["\"none\""], "biases trained with the adapter"),
    ("lora_bias", &["false"], "biases of the adapter"),
    ("modules_to_save", &["[]"], "modules saved whole (modules_to_save)"),
    ("alpha_pattern", &["{}"], "an alpha for each module (alpha_pattern)"),
    ("trainable_token_indices", &["[]", "{}"], "trained rows of the embedding"),
    ("layer_replication", &["[]"], "replicated layers"),
    ("target_parameters", &["[]"], "targets that are parameters (target_parameters)"),
    ("use_qalora", &["false"], "QALoRA"),
    ("use_bdlora", &["false"], "block-diagonal LoRA"),
    ("megatron_config", &["{}"], "Megatron layers"),
    ("arrow_config", &["{}"], "Arrow routing"),
    ("kasa_config", &["{}"], "KaSA"),
    ("velora_config", &["{}"], "VeLoRA"),
    (
        "init_lora_weights",
        &["true", "false", "\"gaussian\"", "\"orthogonal\"", "\"eva\""],
        "an initialisation that changes the model itself (init_lora_weights)",
    ),
];

/// An open adapter.
pub(in super::super) struct Peft {
    file: Safetensors,
    /// Module (`model.layers.0.self_attn.q_proj`) and its rank.
    modules: BTreeMap<String, usize>,
    alpha: f64,
    /// Divided by the root of the rank.
    rslora: bool,
}

impl Peft {
    pub(super) fn open(folder: &Path) -> Result<Peft, Error> {
        let config = Config::of_folder(folder, "adapter_config.json")?;
        for (key, plain, words) in PLAIN {
            let Some(value) = config.value(key) else { continue };
            if !plain.contains(&value.to_string().as_str()) {
                let what = format!("{words} ({key} = {})", shown(value));
                return Err(config.unsupported(what, "LoRA matrices A and B alone"));
            }
        }
        let alpha = config.float("lora_alpha")?;
        let alpha = alpha.ok_or_else(|| config.invalid("lora_alpha", "no such key", "a number"))?;
        let rank = config.required("r")? as usize;
        let varied = config.inner("rank_pattern")?.is_some_and(|pattern| !pattern.is_empty());
        let file = Safetensors::open(&folder.join("adapter_model.safetensors"))?;
        let rslora = config.bool("use_rslora")?.unwrap_or(false);
        let mut peft = Peft { file, modules: BTreeMap::new(), alpha, rslora };
        peft.modules = peft.read_modules()?;
        if peft.modules.is_empty() {
            return Err(peft.invalid(
                "tensors".into(),
                "no adapter",
                "lora_A and lora_B of a module",
            ));
        }
        let other = peft.modules.iter().find(|module| *module.1 != rank && !varied);
        match other {
            None => Ok(peft),
            Some((module, found)) => {
                let expected = format!("r = {rank}, as adapter_config.json says");
                let field = format!("rank of {}", quote(module));
                Err(peft.invalid(field, found, expected))
            }
        }
    }

    /// Every module with both matrices; any other tensor is refused by what it is.
    fn read_modules(&self) -> Result<BTreeMap<String, usize>, Error> {
        let mut modules = BTreeMap::new();
        for entry in self.file.tensors() {
            let name = entry.name.strip_prefix(PREFIX).unwrap_or(&entry.name);
            let half = [(".lora_A.weight", ".lora_B.weight"), (".lora_B.weight", ".lora_A.weight")]
                .into_iter()
                .find_map(|(this, other)| Some((name.strip_suffix(this)?, other)));
            let Some((module, other)) = half else { return Err(self.foreign(&entry.name)) };
            let partner = format!("{}{other}", entry.name.trim_end_matches(&name[module.len()..]));
            if self.file.tensor(&partner).is_none() {
                let field = format!("tensor {}", quote(&partner));
                let expected = format!("the other half of {}", quote(&entry.name));
                return Err(self.invalid(field, "no such tensor", expected));
            }
            if entry.shape.len() != 2 || entry.dtype.format().is_none() {
                let field = format!("tensor {}", quote(&entry.name));
                let found = format!("shape {:?} of {}", entry.shape, entry.dtype.name());
                return Err(self.invalid(field, found, "a matrix in F32, F16 or BF16"));
            }
            if other == ".lora_B.weight" {
                modules.insert(module.to_owned(), entry.shape[0]);
            }
        }
        Ok(modules)
    }

    fn foreign(&self, name: &str) -> Error {
        let kinds = [
            ("lora_magnitude_vector", "DoRA"),
            ("lora_embedding", "an adapter of embeddings"),
            ("bias", "a bias"),
        ];
        let kind = kinds.iter().find(|kind| name.contains(kind.0));
        let kind = kind.map_or("a module saved whole (modules_to_save)", |kind| kind.1);
        let what = format!("{kind}: tensor {}", quote(name));
        let path = self.file.path().display().to_string();
        Flaw::Unsupported { what, supported: "LoRA matrices A and B alone".into() }.of(&path)
    }

    /// What is added to a checkpoint's tensor, and the module's name.
    pub(super) fn delta(&self, tensor: &str) -> Result<Option<(String, Delta<'_>)>, Error> {
        let Some(module) = tensor.strip_suffix(".weight") else { return Ok(None) };
        let names = [String::new()].into_iter().chain(HEADLESS.map(str::to_owned));
        let mut names = names.map(|prefix| format!("{prefix}{module}"));
        let Some(module) = names.find(|name| self.modules.contains_key(name)) else {
            return Ok(None);
        };
        let half = |half: &str| {
            let full = format!("{PREFIX}{module}.{half}.weight");
            let view = self.file.tensor(&full);
            let view = view.or_else(|| self.file.tensor(full.trim_start_matches(PREFIX)))?;
            Some(Matrix { format: view.dtype.format()?, cols: view.shape[1], bytes: view.bytes })
        };
        let (Some(a), Some(b)) = (half("lora_A"), half("lora_B")) else { return Ok(None) };
        let rank = a.rows() as f64;
        let scale = self.alpha / if self.rslora { rank.sqrt() } else { rank };
        Ok(Some((module, Delta { a, b, scale: scale as f32 })))
    }

    pub(super) fn modules(&self) -> Vec<&str> {
        self.modules.keys().map(String::as_str).collect()
    }

    pub(super) fn invalid(
        &self,
        field: String,
        found: impl ToString,
        expected: impl Into<String>,
    ) -> Error {
        self.file.invalid(field, found, expected)
    }
}
