//! Typed reading of a foreign record's fields: the value, nothing, or an error that names the field.

use std::collections::BTreeMap;
use std::fmt::Display;

use serde_json::Value;

use crate::Error;

/// A foreign record's fields.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    pub(crate) fields: &'a BTreeMap<String, Value>,
    pub(crate) place: &'a dyn Display,
    /// Every value is text, as in CSV, and an empty one is missing.
    pub(crate) text_only: bool,
}

impl<'a> Reader<'a> {
    /// The value, unless it is absent, null, or empty in CSV.
    fn get(self, name: &str) -> Option<&'a Value> {
        self.fields.get(name).filter(|value| match value {
            Value::Null => false,
            Value::String(text) => !(self.text_only && text.trim().is_empty()),
            _ => true,
        })
    }

    /// An error about a field.
    pub(crate) fn wrong(self, name: &str, expected: &str) -> Error {
        let found = self.fields.get(name).map_or("nothing".to_owned(), Value::to_string);
        Error::field(self.place, name, found, expected)
    }

    /// A whole number from 0 to `most`.
    pub(crate) fn whole(self, name: &str, most: u64) -> Result<Option<u64>, Error> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let number = match value {
            Value::String(text) if self.text_only => text.trim().parse().ok(),
            other => other.as_u64(),
        };
        match number.filter(|&number| number <= most) {
            Some(number) => Ok(Some(number)),
            None => Err(self.wrong(name, &format!("a whole number from 0 to {most}"))),
        }
    }

    /// A finite number that is not negative.
    pub(crate) fn number(self, name: &str) -> Result<Option<f64>, Error> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let number = match value {
            Value::String(text) if self.text_only => text.trim().parse().ok(),
            other => other.as_f64(),
        };
        match number.filter(|number: &f64| number.is_finite() && *number >= 0.0) {
            Some(number) => Ok(Some(number)),
            None => Err(self.wrong(name, "a finite number, 0 or more")),
        }
    }

    /// Text that is not empty.
    pub(crate) fn text(self, name: &str) -> Result<Option<&'a str>, Error> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) if text.trim().is_empty() => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(self.wrong(name, "text")),
        }
    }

    /// An array, in JSON only.
    pub(crate) fn array(self, name: &str) -> Result<Option<&'a [Value]>, Error> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Array(items)) => Ok(Some(items)),
            Some(_) if self.text_only => Ok(None),
            Some(_) => Err(self.wrong(name, "an array of numbers")),
        }
    }
}

/// A scalar as people and other formats write it; truth is `1` and `0`, as in llama-bench's CSV.
pub(crate) fn plain(value: &Value) -> Option<String> {
    match value {
        Value::Bool(truth) => Some(u8::from(*truth).to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) => Some(text.trim().to_owned()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}
