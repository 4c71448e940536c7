//! What presets there are, and their exact sizes, without writing them.

use super::plan::Plan;
use super::reference::{PresetRef, quantisations};
use super::{Error, Recipe, table};

/// A preset with its sizes.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Shape and seed.
    pub recipe: Recipe,
    /// Weights in all tensors.
    pub parameters: u64,
    /// Quantisation, and bytes of the file.
    pub sizes: Vec<(&'static str, u64)>,
}

/// Every preset with its size in every quantisation.
pub fn list() -> Result<Vec<Listed>, Error> {
    table::names().map(|name| listed(&PresetRef::parse(&format!("{name}:F32"))?)).collect()
}

fn listed(preset: &PresetRef) -> Result<Listed, Error> {
    let recipe = preset.recipe().clone();
    let size = |(name, mix)| Ok((name, file_bytes(&PresetRef::new(recipe.clone(), mix))?));
    let sizes = quantisations().map(size).collect::<Result<_, Error>>()?;
    Ok(Listed { parameters: parameters(preset)?, recipe, sizes })
}

/// Exact bytes of a preset's file.
pub fn file_bytes(preset: &PresetRef) -> Result<u64, Error> {
    Ok(Plan::new(preset, "preset")?.0.file_bytes()?)
}

/// Weights in all tensors of a preset.
pub fn parameters(preset: &PresetRef) -> Result<u64, Error> {
    Ok(Plan::new(preset, "preset")?.1.parameters)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_parameters_are_those_of_the_published_models() {
        // Parameters as published; bytes of Q4_0 files as llama.cpp writes them, within 2 %.
        let cases = [
            ("smollm-135m", 134_515_008, 91.7e6),
            ("smollm-360m", 361_821_120, 229.0e6),
            ("qwen2-0.5b", 494_032_768, 352.0e6),
            ("qwen2-1.5b", 1_543_714_304, 935.0e6),
            ("tinyllama-1.1b", 1_100_048_384, 637.7e6),
            ("llama-3.2-1b", 1_235_814_432, 770.9e6),
            ("llama-3.2-3b", 3_212_749_888, 1917.0e6),
        ];
        for (name, expected, q4_0) in cases {
            let preset = PresetRef::parse(&format!("{name}:Q4_0")).unwrap();
            assert_eq!(parameters(&preset).unwrap(), expected, "{name}");
            let bytes = file_bytes(&preset).unwrap() as f64;
            assert!((bytes / q4_0 - 1.0).abs() < 0.02, "{name}: {bytes} {q4_0}");
        }
    }
}
