//! What presets there are, and their exact sizes, without writing them.

use super::plan::Plan;
use super::reference::{PresetRef, quantisations};
use super::{Error, Recipe, table};
use crate::ModelInfo;
use crate::model::Header as ModelHeader;

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

/// What a preset's file will be once it is opened, before a byte of it is written.
pub fn info(preset: &PresetRef) -> Result<ModelInfo, Error> {
    let (header, _) = Plan::new(preset, "preset")?;
    let (_, tensors) = header.encode()?;
    let architecture = preset.recipe().network()?;
    let specs = architecture.tensors();
    let header = ModelHeader {
        name: preset.recipe().name.clone(),
        tensors: &tensors,
        file_bytes: header.file_bytes()?,
        file_type: Some(u64::from(preset.mix().file_type())),
    };
    Ok(ModelInfo::of_header(header, architecture, &specs))
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
            ("mistral-7b", 7_241_732_096, 4108.9e6),
            ("gemma-2-2b", 2_614_341_888, 1629.5e6),
        ];
        for (name, expected, q4_0) in cases {
            let preset = PresetRef::parse(&format!("{name}:Q4_0")).unwrap();
            assert_eq!(parameters(&preset).unwrap(), expected, "{name}");
            let bytes = file_bytes(&preset).unwrap() as f64;
            assert!((bytes / q4_0 - 1.0).abs() < 0.02, "{name}: {bytes} {q4_0}");
        }
    }

    #[test]
    fn parameters_of_every_family_are_those_published() {
        let cases = [
            ("llama-68m", 68_030_208),
            ("llama-3-70b", 70_553_706_496),
            ("qwen2.5-0.5b", 494_032_768),
            ("qwen3-0.6b", 596_049_920),
            ("qwen3-1.7b", 1_720_574_976),
            ("gemma-3-1b", 999_885_952),
            ("phi-3-mini", 3_821_079_552),
            ("stablelm-3b", 2_795_443_200),
            ("gpt2", 124_439_808),
            ("distilgpt2", 81_912_576),
            ("openelm-270m", 271_527_168),
            ("openelm-1.1b", 1_079_891_456),
            ("olmoe-1b-7b", 6_919_161_856),
        ];
        for (name, expected) in cases {
            let preset = PresetRef::parse(&format!("{name}:Q4_0")).unwrap();
            assert_eq!(parameters(&preset).unwrap(), expected, "{name}");
        }
    }

    #[test]
    fn the_dense_companions_have_the_active_and_the_total_weights_of_the_mixture() {
        let weights = |name: &str| {
            let preset = PresetRef::parse(&format!("{name}:Q4_0")).unwrap();
            (parameters(&preset).unwrap(), preset.recipe().network().unwrap())
        };
        let (total, network) = weights("olmoe-small");
        let experts = network.layers[0].ffn.experts.unwrap();
        let idle = (experts.count - experts.used) * 3 * 512 * 1024 * network.layers.len();
        let near = |a: u64, b: u64| (a as f64 / b as f64 - 1.0).abs() < 0.005;
        assert!(near(total, weights("olmoe-small-total").0));
        assert!(near(total - idle as u64, weights("olmoe-small-active").0));
    }
}
