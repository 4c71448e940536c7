//! Which model a name means: an existing path, else a store's name, else `preset:format`. Opens nothing.

use std::path::{Path, PathBuf};

use yardstick_model::preset::{self, PresetRef};
use yardstick_model::source::Name;

use super::Error;

/// A model as asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelRequest {
    /// `smollm-135m:Q4_0`, or a file's name without its folders.
    pub name: String,
    /// Where it comes from.
    pub source: ModelSource,
}

/// Where a model comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelSource {
    /// A file that exists.
    File(PathBuf),
    /// A model of Ollama's or of Hugging Face's, found or fetched before the first measurement.
    Named(Name),
    /// A preset, written before the first measurement.
    Preset {
        /// Its name.
        name: String,
        /// Its format or mix.
        quantisation: String,
    },
}

impl ModelRequest {
    /// What `--model` takes to mean this model again.
    pub fn argument(&self) -> String {
        match &self.source {
            ModelSource::File(path) => path.display().to_string(),
            ModelSource::Named(_) | ModelSource::Preset { .. } => self.name.clone(),
        }
    }
}

/// The presets there are and the formats they are written in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalogue {
    /// Preset names.
    pub presets: Vec<String>,
    /// Formats and mixes.
    pub quantisations: Vec<String>,
}

/// Resolves names in order, each model once. A preset without a format takes every one of `quantisations`.
pub fn resolve(
    names: &[String],
    quantisations: &[String],
    catalogue: &Catalogue,
) -> Result<Vec<ModelRequest>, Error> {
    let mut models: Vec<ModelRequest> = Vec::new();
    for name in names {
        for model in resolve_one(name, quantisations, catalogue)? {
            if !models.contains(&model) {
                models.push(model);
            }
        }
    }
    Ok(models)
}

fn resolve_one(
    name: &str,
    quantisations: &[String],
    catalogue: &Catalogue,
) -> Result<Vec<ModelRequest>, Error> {
    let path = Path::new(name);
    if path.is_file() {
        return Ok(vec![file(path)]);
    }
    if let Some(named) = Name::parse(name) {
        let named = named.map_err(|error| Error::Name { message: error.to_string() })?;
        return Ok(vec![ModelRequest {
            name: named.to_string(),
            source: ModelSource::Named(named),
        }]);
    }
    let (preset, formats) = match name.split_once(':') {
        Some((preset, formats)) => (preset, formats.split(',').map(str::to_owned).collect()),
        None => (name, quantisations.to_vec()),
    };
    // `preset?key=number` is a preset changed for a study.
    let base = preset.split_once('?').map_or(preset, |(base, _)| base);
    if !catalogue.presets.iter().any(|known| known == base) {
        if path.exists() {
            return Err(Error::NotAFile { found: name.to_owned() });
        }
        let presets = catalogue.presets.join(", ");
        return Err(Error::UnknownModel { found: name.to_owned(), presets });
    }
    if formats.is_empty() {
        return Err(Error::NoQuantisation { model: preset.to_owned() });
    }
    formats.iter().map(|format| preset_model(preset, format, catalogue)).collect()
}

fn file(path: &Path) -> ModelRequest {
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    ModelRequest { name, source: ModelSource::File(path.to_owned()) }
}

/// Formats are compared without case and written as the catalogue writes them.
fn preset_model(preset: &str, format: &str, catalogue: &Catalogue) -> Result<ModelRequest, Error> {
    let known = catalogue.quantisations.iter().find(|known| known.eq_ignore_ascii_case(format));
    let quantisation = known.cloned().ok_or_else(|| Error::UnknownQuantisation {
        model: preset.to_owned(),
        found: format.to_owned(),
        known: catalogue.quantisations.join(", "),
    })?;
    let name = format!("{preset}:{quantisation}");
    if preset.contains('?') {
        let wrong = |error: preset::Error| Error::Override { message: error.to_string() };
        let study = PresetRef::parse(&name).map_err(wrong)?;
        return Ok(ModelRequest {
            name: study.to_string(),
            source: ModelSource::Preset { name: study.recipe().name.clone(), quantisation },
        });
    }
    Ok(ModelRequest { name, source: ModelSource::Preset { name: preset.to_owned(), quantisation } })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_stores_are_models_of_their_own() {
        let one = |name: &str| resolve(&[name.to_owned()], &[], &Catalogue::built_in());
        for (name, expected) in [
            ("ollama:llama3.2", "ollama:llama3.2:latest"),
            ("hf:a/b/c.gguf@v1", "hf:a/b/c.gguf@v1"),
        ] {
            let models = one(name).unwrap();
            assert_eq!((models.len(), models[0].argument()), (1, expected.to_owned()));
            assert!(matches!(models[0].source, ModelSource::Named(_)));
        }
        for (name, words) in [
            ("hf:a/b", "write hf:OWNER/REPO/FILE.gguf"),
            ("ollama:../x", "write ollama:NAME[:TAG]"),
            ("olama:x", "neither an existing file, a name (ollama:, hf:) nor a preset"),
        ] {
            let message = one(name).unwrap_err().to_string();
            assert!(message.contains(words), "{name}: {message}");
        }
    }

    #[test]
    fn a_preset_changed_for_a_study_is_a_model_of_its_own() {
        let one = |name: &str| resolve(&[name.to_owned()], &[], &Catalogue::built_in());
        let models = one("smollm-135m?layers=4+kv_heads=1:q4_0,Q8_0").unwrap();
        let names: Vec<&str> = models.iter().map(|model| model.name.as_str()).collect();
        let expected =
            ["smollm-135m?kv_heads=1+layers=4:Q4_0", "smollm-135m?kv_heads=1+layers=4:Q8_0"];
        assert_eq!(names, expected);
        for (name, words) in [
            ("smollm-135m?kv_heads=2:Q4_0", "a divisor of heads 9"),
            ("smollm-135m?ffn=2:Q4_0", "one of kv_heads, layers, context"),
            ("smollm-136m?layers=2:Q4_0", "nor a preset"),
        ] {
            let message = one(name).unwrap_err().to_string();
            assert!(message.contains(words), "{name}: {message}");
        }
    }
}
