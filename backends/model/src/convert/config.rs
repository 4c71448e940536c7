//! Typed access to JSON files of a checkpoint, with errors that name file, key, found and expected.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::Error;
use crate::gguf::{Flaw, quote};
use crate::safetensors::read_limited;
use crate::scheme::Scheme;

/// Longest config.json; published ones have a few KB, some with lists of layers.
const MAX_CONFIG_BYTES: u64 = 4 << 20;

/// A JSON object and where it stands.
#[derive(Clone)]
pub(super) struct Config {
    path: PathBuf,
    /// Of keys in messages: `rope_parameters.`
    prefix: String,
    object: Map<String, Value>,
}

impl Config {
    /// Reads an object of at most `most` bytes.
    pub(super) fn read(path: &Path, most: u64) -> Result<Config, Error> {
        let bytes = read_limited(path, most)?;
        let flaw = |found: String| {
            Flaw::invalid("file", found, "a JSON object").of(&path.display().to_string())
        };
        match serde_json::from_slice(&bytes) {
            Ok(Value::Object(object)) => {
                Ok(Config { path: path.to_owned(), prefix: String::new(), object })
            }
            Ok(_) => Err(flaw("another JSON value".to_owned())),
            Err(error) => Err(flaw(crate::gguf::escape(&error.to_string()))),
        }
    }

    /// A folder's config.json or another small file.
    pub(super) fn of_folder(folder: &Path, name: &str) -> Result<Config, Error> {
        Config::read(&folder.join(name), MAX_CONFIG_BYTES)
    }

    /// The object under a key; `None` where it is absent or null.
    pub(super) fn inner(&self, key: &str) -> Result<Option<Config>, Error> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::Object(object)) => Ok(Some(Config {
                path: self.path.clone(),
                prefix: format!("{}{key}.", self.prefix),
                object: object.clone(),
            })),
            Some(other) => Err(self.invalid(key, shown(other), "an object")),
        }
    }

    /// The value of a key; null is absent.
    pub(super) fn value(&self, key: &str) -> Option<&Value> {
        self.object.get(key).filter(|value| !value.is_null())
    }

    /// The scheme weights are packed by; `None` where they are plain floats.
    pub(super) fn scheme(&self) -> Result<Option<Scheme>, Error> {
        Scheme::of_config(&self.object, &self.path)
    }

    /// No keys.
    pub(super) fn is_empty(&self) -> bool {
        self.object.is_empty()
    }

    /// Whether a key is there, null or not.
    pub(super) fn has(&self, key: &str) -> bool {
        self.object.contains_key(key)
    }

    /// The first of several names of a number that is there.
    pub(super) fn first(&self, keys: &[&'static str]) -> Option<&'static str> {
        keys.iter().find(|key| self.value(key).is_some()).copied()
    }

    pub(super) fn unsigned(&self, key: &str) -> Result<Option<u32>, Error> {
        self.typed(key, "a whole number below 2^32", |value| {
            value.as_u64().and_then(|n| u32::try_from(n).ok())
        })
    }

    pub(super) fn required(&self, key: &str) -> Result<u32, Error> {
        self.unsigned(key)?.ok_or_else(|| self.invalid(key, "no such key", "a whole number"))
    }

    /// A finite number.
    pub(super) fn float(&self, key: &str) -> Result<Option<f64>, Error> {
        self.typed(key, "a finite number", |value| value.as_f64().filter(|v| v.is_finite()))
    }

    pub(super) fn bool(&self, key: &str) -> Result<Option<bool>, Error> {
        self.typed(key, "true or false", Value::as_bool)
    }

    pub(super) fn text(&self, key: &str) -> Result<Option<&str>, Error> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(self.invalid(key, shown(other), "a text")),
        }
    }

    /// A list whose elements `read` takes.
    pub(super) fn list<T>(
        &self,
        key: &str,
        expected: &str,
        read: impl Fn(&Value) -> Option<T>,
    ) -> Result<Option<Vec<T>>, Error> {
        self.typed(key, expected, |value| value.as_array()?.iter().map(&read).collect())
    }

    /// A list of positive, finite floats.
    pub(super) fn floats(&self, key: &str) -> Result<Option<Vec<f32>>, Error> {
        self.list(key, "a list of positive numbers", |value| {
            value.as_f64().map(|v| v as f32).filter(|v| v.is_normal() && *v > 0.0)
        })
    }

    fn typed<T>(
        &self,
        key: &str,
        expected: &str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        let Some(value) = self.value(key) else { return Ok(None) };
        read(value).map(Some).ok_or_else(|| self.invalid(key, shown(value), expected))
    }

    /// An error of a key.
    pub(super) fn invalid(
        &self,
        key: &str,
        found: impl ToString,
        expected: impl Into<String>,
    ) -> Error {
        let field = format!("{}{key}", self.prefix);
        Flaw::invalid(field, found, expected).of(&self.path.display().to_string())
    }

    /// Something valid that this file asks for and that has no counterpart here.
    pub(super) fn unsupported(&self, what: String, supported: impl Into<String>) -> Error {
        Flaw::Unsupported { what, supported: supported.into() }.of(&self.path.display().to_string())
    }
}

/// A value for a message, short.
pub(super) fn shown(value: &Value) -> String {
    quote(&value.to_string())
}
