//! The cell: device × model × options × test, the unit of work.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use yardstick_api::{Known, Options};

use crate::Test;

/// Device × model × options × test.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cell {
    /// Device id, `cpu:avx2`.
    pub device: String,
    /// The model.
    pub model: ModelRef,
    /// Options asked for.
    pub options: Options,
    /// Label of the build or program that ran it, where a run compares several: `base`, `candidate`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build: Option<String>,
    /// The test.
    pub test: Test,
    /// The text or the questions it was asked on, and what answers are held against: the same test on others is another cell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Subject>,
}

/// What a test of quality is asked on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// Name of the text or the questions.
    pub data: String,
    /// SHA-256 of all that decides what is asked: the data, how much of it, the longest answer.
    pub sha256: String,
    /// Name of the model whose answers count as right, for tests that compare.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

impl Cell {
    /// Two records are of the same cell when their keys are equal: device, model hash (or the name, where there is no hash),
    /// options, build and test.
    pub fn key(&self) -> String {
        let model = self.model.sha256.value().unwrap_or(&self.model.name);
        let options = serde_json::to_string(&self.options).expect("options are plain data");
        let build = self.build.as_ref().map(|build| format!("|build {build}")).unwrap_or_default();
        let subject = self.subject.as_ref().map(Subject::key).unwrap_or_default();
        format!("{}|{model}|{options}|{}{build}{subject}", self.device, self.test)
    }
}

impl Subject {
    fn key(&self) -> String {
        let against = self.reference.as_ref().map(|name| format!(" against {name}"));
        format!("|on {}{}", self.sha256, against.unwrap_or_default())
    }
}

/// Which model, identified by its hash, never by its name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelRef {
    /// As asked for: `smollm-135m:Q4_0`, or a file's name.
    pub name: String,
    /// SHA-256 of the file, lower-case hex.
    pub sha256: Known<String>,
    /// GGUF's `general.architecture`.
    pub architecture: Known<String>,
    /// `Q4_0`, `Q4_K_M`, ...
    pub quantisation: Known<String>,
    /// Weights.
    pub parameters: Known<u64>,
    /// Size of the file.
    pub file_bytes: Known<u64>,
    /// Bytes of the tensors.
    pub tensor_bytes: Known<u64>,
    /// Why the weights carry no quality (`random weights`), if so.
    pub random_weights: Option<String>,
}

impl ModelRef {
    /// Of a test that needs no model: a limit of the device.
    pub fn none() -> ModelRef {
        ModelRef::unopened("no model", "a limit of the device, no model takes part")
    }

    /// A model that could not be opened: everything but the name is missing for this reason.
    pub fn unopened(name: impl Into<String>, reason: &str) -> ModelRef {
        ModelRef {
            name: name.into(),
            sha256: Known::unavailable(reason),
            architecture: Known::unavailable(reason),
            quantisation: Known::unavailable(reason),
            parameters: Known::unavailable(reason),
            file_bytes: Known::unavailable(reason),
            tensor_bytes: Known::unavailable(reason),
            random_weights: None,
        }
    }
}
