//! Ollama's store: manifests that name blobs by their SHA-256.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{Located, Name, Tell, invalid, is_sha256, verify};
use crate::Error;
use crate::gguf::quote;
use crate::safetensors::read_limited;

/// Longest manifest; real ones have 1 KB.
const MAX_MANIFEST_BYTES: u64 = 1 << 20;
const MODEL: &str = "application/vnd.ollama.image.model";
const ADAPTER: &str = "application/vnd.ollama.image.adapter";

/// Folders that may be Ollama's `models`, the likeliest first.
#[derive(Clone, Debug, Default)]
pub struct Ollama {
    /// The folders.
    pub folders: Vec<PathBuf>,
}

impl Ollama {
    /// The model file of a name, its bytes compared with the digest that names it. `Ok(None)`: stopped.
    pub fn locate(&self, name: &Name, tell: &mut Tell<'_>) -> Result<Option<Located>, Error> {
        let Name::Ollama { folders, tag } = name else {
            return Err(invalid(
                Path::new(&name.to_string()),
                "name",
                "another store",
                "ollama:NAME",
            ));
        };
        // Ports are part of a folder's name; Windows has no colons there.
        let below = folders.iter().fold(PathBuf::from("manifests"), |path, part| path.join(part));
        let manifest = self.folders.iter().map(|folder| (folder, folder.join(&below).join(tag)));
        let Some((folder, manifest)) = manifest.into_iter().find(|(_, path)| path.is_file()) else {
            return Err(self.missing(name));
        };
        let (digest, size) = model_layer(&manifest)?;
        let blob = folder.join("blobs").join(format!("sha256-{digest}"));
        let found = std::fs::metadata(&blob).map_err(|_| {
            let found = format!("no file {}", blob.display());
            let expected = format!("the blob of {name}; run `ollama pull` again");
            invalid(&manifest, "layer", found, expected)
        })?;
        if let Some(size) = size.filter(|&size| size != found.len()) {
            let expected = format!("{size} bytes, as {} says", manifest.display());
            return Err(invalid(&blob, "file length", format!("{} bytes", found.len()), expected));
        }
        let whole = verify(&blob, &digest, tell)?;
        Ok(whole.then_some(Located { path: blob, sha256: Some(digest) }))
    }

    /// The names this store has.
    fn missing(&self, name: &Name) -> Error {
        let shown: Vec<String> = self.folders.iter().map(|f| f.display().to_string()).collect();
        let there = self.list();
        let known = match there.is_empty() {
            true => "nothing is there".to_owned(),
            false => format!("there is {}", there.join(", ")),
        };
        let pull = name.to_string().replacen("ollama:", "ollama pull ", 1);
        let expected = format!(
            "a model of Ollama's; {known}; `{pull}` fetches it, OLLAMA_MODELS names another folder"
        );
        invalid(Path::new(&shown.join(", ")), name.to_string(), "no such model", expected)
    }

    /// Names of the official library that are there, at most twenty.
    fn list(&self) -> Vec<String> {
        const SHOWN: usize = 20;
        let mut names = Vec::new();
        for folder in &self.folders {
            let library = folder.join("manifests/registry.ollama.ai/library");
            for (model, path) in entries(&library) {
                names.extend(entries(&path).into_iter().map(|(tag, _)| format!("{model}:{tag}")));
            }
        }
        names.sort();
        names.truncate(SHOWN);
        names
    }
}

fn entries(folder: &Path) -> Vec<(String, PathBuf)> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let named = |entry: std::fs::DirEntry| {
        (crate::gguf::escape(&entry.file_name().to_string_lossy()), entry.path())
    };
    entries.flatten().map(named).collect()
}

/// Digest and size of the layer that holds the weights.
fn model_layer(manifest: &Path) -> Result<(String, Option<u64>), Error> {
    let bytes = read_limited(manifest, MAX_MANIFEST_BYTES)?;
    let json: Value = serde_json::from_slice(&bytes).map_err(|error| {
        let found = crate::gguf::escape(&error.to_string());
        invalid(manifest, "manifest", found, "JSON, as Ollama writes it")
    })?;
    let layers = json.get("layers").and_then(Value::as_array).cloned().unwrap_or_default();
    let of = |kind: &str| -> Vec<&Value> {
        let is = |layer: &&Value| layer.get("mediaType").and_then(Value::as_str) == Some(kind);
        layers.iter().filter(is).collect()
    };
    if !of(ADAPTER).is_empty() {
        let expected = "weights alone; `model convert --lora` merges an adapter";
        return Err(invalid(manifest, "layers", "an adapter beside the weights", expected));
    }
    let [layer] = of(MODEL)[..] else {
        let found = format!("{} layers of weights", of(MODEL).len());
        return Err(invalid(manifest, "layers", found, format!("one of type {MODEL}")));
    };
    let digest = layer.get("digest").and_then(Value::as_str).unwrap_or("");
    match digest.strip_prefix("sha256:").filter(|hex| is_sha256(hex)) {
        Some(hex) => Ok((hex.to_owned(), layer.get("size").and_then(Value::as_u64))),
        None => Err(invalid(manifest, "layer digest", quote(digest), "sha256: and 64 digits")),
    }
}
