//! A value or the reason it is missing: never 0, never a guess.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A value that may be unavailable. In JSON: the value itself, or `{"unavailable": "reason"}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Known<T> {
    /// Why there is no value, worded so that a person can act on it.
    Unavailable {
        /// The reason.
        unavailable: String,
    },
    /// The value.
    Value(T),
}

impl<T> Known<T> {
    /// A missing value with its reason.
    pub fn unavailable(reason: impl Into<String>) -> Known<T> {
        Known::Unavailable { unavailable: reason.into() }
    }

    /// The value, if there is one.
    pub fn value(&self) -> Option<&T> {
        match self {
            Known::Value(value) => Some(value),
            Known::Unavailable { .. } => None,
        }
    }

    /// The reason, if there is no value.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Known::Value(_) => None,
            Known::Unavailable { unavailable } => Some(unavailable),
        }
    }

    /// Maps the value, keeps the reason.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Known<U> {
        match self {
            Known::Value(value) => Known::Value(f(value)),
            Known::Unavailable { unavailable } => Known::Unavailable { unavailable },
        }
    }
}

impl<T> From<T> for Known<T> {
    fn from(value: T) -> Known<T> {
        Known::Value(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_the_value_or_the_reason() {
        let value: Known<u64> = 3.into();
        let missing: Known<u64> = Known::unavailable("no sensor");
        assert_eq!(serde_json::to_string(&value).unwrap(), "3");
        assert_eq!(serde_json::to_string(&missing).unwrap(), r#"{"unavailable":"no sensor"}"#);
        for known in [value, missing] {
            let text = serde_json::to_string(&known).unwrap();
            assert_eq!(serde_json::from_str::<Known<u64>>(&text).unwrap(), known);
        }
    }
}
