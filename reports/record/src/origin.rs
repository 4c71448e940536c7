//! Origin: the foreign result a record was made from, kept whole.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The foreign result a record was made from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// The format it was written in: `llama-bench`, `optimum-benchmark`, `criterion`.
    pub format: String,
    /// Every field of the original, known to us or not, by its own name.
    pub fields: BTreeMap<String, Value>,
    /// What it was run with and the cell's options have no word for or would state wrongly: by our name where there is one
    /// (`kv`), else by its own (`n_gpu_layers`). Tells rows apart.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, String>,
}
