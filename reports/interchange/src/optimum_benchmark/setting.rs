//! What optimum-benchmark's configuration tells: shapes, backend, machine.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use yardstick_record::{Environment, ForeignTest, Test};

use crate::Error;
use crate::field::plain;

use super::NAME;

/// More tokens than any context in use.
const MOST_TOKENS: u64 = 1 << 24;
/// Backends whose decode is not timed but what is left of `generate` after the mean of `prefill`.
const SUBTRACTING: [&str; 4] = ["llama_cpp", "vllm", "tensorrt_llm", "py_txi"];

/// What the configuration tells, if there is one.
#[derive(Default)]
pub(super) struct Setting {
    pub(super) backend: Option<String>,
    pub(super) device: Option<String>,
    pub(super) model: Option<String>,
    pub(super) version: Option<String>,
    pub(super) commit: Option<String>,
    batch: Option<u64>,
    prompt: Option<u64>,
    new_tokens: Option<u64>,
    beams: Option<u64>,
    pub(super) settings: BTreeMap<String, String>,
    pub(super) environment: Environment,
}

impl Setting {
    pub(super) fn of(config: Option<&Value>) -> Result<Setting, Error> {
        let nothing = json!({});
        let config = config.unwrap_or(&nothing);
        let text = |path: &str| match config.pointer(path) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(other) => Err(Error::field("config", dotted(path), other, "text")),
        };
        let count = |path: &str| match config.pointer(path) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => match value.as_u64().filter(|n| (1..=MOST_TOKENS).contains(n)) {
                Some(count) => Ok(Some(count)),
                None => {
                    let expected = format!("a whole number from 1 to {MOST_TOKENS}");
                    Err(Error::field("config", dotted(path), value, expected))
                }
            },
        };
        let new_tokens = match count("/scenario/generate_kwargs/max_new_tokens")? {
            Some(tokens) => Some(tokens),
            None => count("/scenario/new_tokens")?,
        };
        Ok(Setting {
            backend: text("/backend/name")?,
            device: text("/backend/device")?,
            model: text("/backend/model")?,
            version: text("/environment/optimum_benchmark_version")?,
            commit: text("/environment/optimum_benchmark_commit")?,
            batch: count("/scenario/input_shapes/batch_size")?,
            prompt: count("/scenario/input_shapes/sequence_length")?,
            new_tokens,
            beams: count("/scenario/generate_kwargs/num_beams")?,
            settings: settings(config),
            environment: environment(config),
        })
    }

    /// The test of a target, the sequences at once, and the tokens of one of its samples.
    pub(super) fn test(&self, target: &str) -> (Test, usize, u64) {
        let batch = self.batch.unwrap_or(0);
        let (tokens, depth) = match (target, self.prompt, self.new_tokens) {
            ("prefill", Some(prompt), _) => (prompt, 0),
            // The first new token is prefill's.
            ("decode", Some(prompt), Some(new)) => (new - 1, prompt),
            _ => (0, 0),
        };
        let subtracted = self.backend.as_deref().is_some_and(|name| SUBTRACTING.contains(&name));
        let one_beam = self.beams.is_none_or(|beams| beams == 1);
        let (size, deep) = (tokens as usize, depth as usize);
        match target {
            "prefill" if tokens > 0 && batch > 0 => {
                (Test::Prefill { tokens: size, depth: deep }, batch as usize, batch * tokens)
            }
            "decode" if tokens > 0 && batch > 0 && one_beam && !subtracted => {
                (Test::Generate { tokens: size, depth: deep }, batch as usize, batch * tokens)
            }
            _ => {
                let name = ForeignTest::new(NAME, target)
                    .or_else(|| ForeignTest::new(NAME, "unnamed"))
                    .expect("a word");
                (Test::Foreign(name), batch.max(1) as usize, 1)
            }
        }
    }
}

/// The backend's and the scenario's scalars that differ between sweeps, under their own names.
fn settings(config: &Value) -> BTreeMap<String, String> {
    const LEFT: [&str; 6] = ["name", "_target_", "model", "processor", "device", "version"];
    let mut settings = BTreeMap::new();
    let backend = config.pointer("/backend").and_then(Value::as_object);
    for (name, value) in backend.into_iter().flatten().filter(|(n, _)| !LEFT.contains(&n.as_str()))
    {
        if let Some(text) = plain(value).filter(|text| !text.is_empty()) {
            settings.insert(name.clone(), text);
        }
    }
    if let Some(gpu) = config.pointer("/environment/gpu").filter(|gpu| !gpu.is_null()) {
        settings.insert("gpu".to_owned(), plain(gpu).unwrap_or_else(|| gpu.to_string()));
    }
    settings
}

fn environment(config: &Value) -> Environment {
    const FIELDS: [(&str, &str); 6] = [
        ("cpu", "cpu.model"),
        ("cpu_count", "cpu.threads"),
        ("system", "os.name"),
        ("machine", "cpu.architecture"),
        ("gpu", "gpu.model"),
        ("gpu_count", "gpu.count"),
    ];
    let mut environment = Environment::default();
    let field = |name: &str| {
        config.pointer(&format!("/environment/{name}")).filter(|value| !value.is_null())
    };
    for (theirs, ours) in FIELDS {
        match field(theirs) {
            Some(Value::String(text)) => environment.set(ours, text.trim()),
            Some(value) => environment.set(ours, value.clone()),
            None => {
                environment.missing(ours, format!("imported: no {theirs} in the configuration"))
            }
        }
    }
    match field("cpu_ram_mb").and_then(Value::as_f64).filter(|mb| (0.0..1e12).contains(mb)) {
        Some(megabytes) => environment.set("memory.total_bytes", (megabytes * 1e6) as u64),
        None => environment
            .missing("memory.total_bytes", "imported: no cpu_ram_mb in the configuration"),
    }
    environment
}

fn dotted(path: &str) -> String {
    path.trim_start_matches('/').replace('/', ".")
}
