//! The environment block: the machine and its state, each field a value or the reason it is missing.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use yardstick_api::Known;

/// The machine and its state, by dotted name with the unit as suffix: `cpu.model`, `memory.total_bytes`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Environment {
    /// The fields.
    pub fields: BTreeMap<String, Known<Value>>,
}

impl Environment {
    /// Stores a value.
    pub fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.fields.insert(name.to_owned(), Known::Value(value.into()));
    }

    /// Stores the reason a value is missing.
    pub fn missing(&mut self, name: &str, reason: impl Into<String>) {
        self.fields.insert(name.to_owned(), Known::unavailable(reason));
    }

    /// A field as text for people, if it has a value.
    pub fn text(&self, name: &str) -> Option<String> {
        match self.fields.get(name)?.value()? {
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        }
    }
}
