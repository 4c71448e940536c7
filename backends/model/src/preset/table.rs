//! The table of presets: one line and one file in suites/models each, both compiled in.

use std::collections::BTreeMap;

use super::recipe::{Recipe, RecipeError};

/// A line of the table: the file's name without `.toml`, and its text.
macro_rules! preset {
    ($name:literal) => {
        ($name, include_str!(concat!("../../../../suites/models/", $name, ".toml")))
    };
}

/// Every preset, smallest of its family first; the last ones are for tests.
const PRESETS: &[(&str, &str)] = &[
    preset!("smollm-135m"),
    preset!("smollm-360m"),
    preset!("llama-68m"),
    preset!("tinyllama-1.1b"),
    preset!("llama-3.2-1b"),
    preset!("llama-3.2-3b"),
    preset!("mistral-7b"),
    preset!("llama-3-70b"),
    preset!("qwen2-0.5b"),
    preset!("qwen2-1.5b"),
    preset!("qwen2.5-0.5b"),
    preset!("qwen3-0.6b"),
    preset!("qwen3-1.7b"),
    preset!("gemma-2-2b"),
    preset!("gemma-3-1b"),
    preset!("phi-3-mini"),
    preset!("stablelm-3b"),
    preset!("gpt2"),
    preset!("distilgpt2"),
    preset!("openelm-270m"),
    preset!("openelm-1.1b"),
    preset!("olmoe-1b-7b"),
    preset!("olmoe-small"),
    preset!("olmoe-small-active"),
    preset!("olmoe-small-total"),
    preset!("rustdoc-6m"),
    preset!("tiny"),
    preset!("tiny-qwen2"),
    preset!("tiny-moe"),
    preset!("tiny-gemma3"),
];

/// Weights of the trained presets, F16: GGUF files whose tensors are those of the recipe.
const TRAINED: &[(&str, &[u8])] =
    &[("rustdoc-6m", include_bytes!("../../../../suites/models/bundled/rustdoc-6m-F16.gguf"))];

/// SHA-256 of preset and quantisation, as computed by `cargo run --release --example manifest`.
const MANIFEST: &str = include_str!("../../../../suites/models/manifest.toml");

/// Names of every preset, in the table's order.
pub fn names() -> impl Iterator<Item = &'static str> {
    PRESETS.iter().map(|preset| preset.0)
}

/// The recipe of a name; `None` for a name that is not in the table.
pub(super) fn recipe(name: &str) -> Option<Result<Recipe, RecipeError>> {
    PRESETS.iter().find(|preset| preset.0 == name).map(|preset| Recipe::parse(preset.0, preset.1))
}

/// The trained weights of a preset; `None` for one without.
pub(super) fn trained(name: &str) -> Option<&'static [u8]> {
    TRAINED.iter().find(|trained| trained.0 == name).map(|trained| trained.1)
}

/// Hashes by preset, then by quantisation.
pub type Manifest = BTreeMap<String, BTreeMap<String, String>>;

/// The manifest that is compiled in.
pub fn manifest() -> Result<Manifest, RecipeError> {
    toml::from_str(MANIFEST)
        .map_err(|e| RecipeError { preset: "manifest".to_owned(), problem: e.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_parses_and_every_line_of_the_manifest_names_one() {
        for name in names() {
            recipe(name).expect("in the table").unwrap();
        }
        for (name, hashes) in manifest().unwrap() {
            assert!(names().any(|other| other == name), "{name}");
            for (quantisation, hash) in hashes {
                super::super::PresetRef::parse(&format!("{name}:{quantisation}")).unwrap();
                assert!(hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit()), "{hash}");
            }
        }
    }
}
