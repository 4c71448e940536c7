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
}
