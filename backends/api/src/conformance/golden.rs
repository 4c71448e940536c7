//! The golden answers: models, tokens and logits of an independent engine, described by a manifest.

use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;
use yardstick_model::Model;

use super::Case;
use crate::Token;

/// The context the independent engine was loaded with, for models whose answers depend on it.
const CONTEXT: usize = 256;

/// What a folder of golden answers holds.
pub enum Golden {
    /// There is no such folder.
    Absent,
    /// There is one, but it cannot be used.
    Broken(String),
    /// Its cases: every architecture and every quantisation format.
    Cases(Vec<Case>),
}

#[derive(Deserialize)]
struct Manifest {
    arch: Vec<Entry>,
    quant: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    name: String,
    model: String,
    tokens: Vec<Token>,
    logits: String,
    tolerance_abs: Option<f32>,
}

/// Reads the golden answers in `root`.
pub fn golden(root: &Path) -> Golden {
    let path = root.join("manifest.json");
    if !path.exists() {
        return Golden::Absent;
    }
    let entries = std::fs::read(&path)
        .map_err(|error| error.to_string())
        .and_then(|text| serde_json::from_slice(&text).map_err(|error| error.to_string()))
        .map(|manifest: Manifest| manifest.arch.into_iter().chain(manifest.quant));
    entries
        .and_then(|entries| entries.map(|entry| read(root, entry)).collect())
        .map_or_else(|error| Golden::Broken(format!("{}: {error}", path.display())), Golden::Cases)
}

fn read(root: &Path, entry: Entry) -> Result<Case, String> {
    let model = Model::open(&root.join(&entry.model)).map_err(|error| error.to_string())?;
    let bytes = std::fs::read(root.join(&entry.logits))
        .map_err(|error| format!("{}: {error}", entry.logits))?;
    let expected: Vec<f32> =
        bytes.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
    let wanted = entry.tokens.len() * model.architecture().vocab;
    if bytes.len() != wanted * 4 {
        return Err(format!(
            "{}: found {} bytes, expected {wanted} f32",
            entry.logits,
            bytes.len()
        ));
    }
    Ok(Case {
        name: entry.name,
        context: model.architecture().long_beyond().map(|_| CONTEXT),
        model: Arc::new(model),
        tokens: entry.tokens,
        expected,
        tolerance: entry.tolerance_abs,
    })
}
