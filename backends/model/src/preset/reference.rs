//! `smollm-135m:Q4_0`: a preset and its quantisation, parsed with advice where it cannot be.

use std::fmt;

use super::recipe::Recipe;
use super::{Error, overrides, table};
use crate::quantize::Mix;

/// A preset in one quantisation.
#[derive(Clone, Debug, PartialEq)]
pub struct PresetRef {
    recipe: Recipe,
    mix: Mix,
}

/// The mixes a preset can be written in, in the order of llama.cpp's list.
pub fn quantisations() -> impl Iterator<Item = (&'static str, Mix)> {
    Mix::all().filter(|(_, mix)| mix.base().layout().encode.is_some())
}

impl PresetRef {
    /// Parses `preset:quantisation` or `preset?key=number+key=number:quantisation`, in any case.
    pub fn parse(text: &str) -> Result<PresetRef, Error> {
        let (name, quantisation) = match text.split_once(':') {
            Some((name, quantisation)) => (name, Some(quantisation)),
            None => (text, None),
        };
        let (name, overrides) = match name.split_once('?') {
            Some((name, overrides)) => (name, Some(overrides)),
            None => (name, None),
        };
        let name = name.to_ascii_lowercase();
        let recipe = table::recipe(&name).ok_or_else(|| Error::UnknownPreset {
            found: name.clone(),
            advice: advice(&name, table::names()),
            known: table::names().collect::<Vec<_>>().join(", "),
        })??;
        let recipe = match overrides {
            Some(overrides) => overrides::apply(recipe, overrides)?,
            None => recipe,
        };
        let names = || quantisations().map(|(name, _)| name);
        let known = || names().collect::<Vec<_>>().join(", ");
        let Some(quantisation) = quantisation else {
            return Err(Error::NoQuantisation { preset: recipe.name, known: known() });
        };
        let mix = quantisations().find(|(name, _)| name.eq_ignore_ascii_case(quantisation));
        let (_, mix) = mix.ok_or_else(|| Error::UnknownQuantisation {
            found: quantisation.to_owned(),
            preset: recipe.name.clone(),
            advice: advice(&quantisation.to_ascii_uppercase(), names()),
            known: known(),
        })?;
        Ok(PresetRef { recipe, mix })
    }

    /// A preset of a recipe of one's own.
    pub fn new(recipe: Recipe, mix: Mix) -> PresetRef {
        PresetRef { recipe, mix }
    }

    /// Shape and seed.
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// Quantisation.
    pub fn mix(&self) -> Mix {
        self.mix
    }
}

impl fmt::Display for PresetRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.recipe.name, self.mix.name())
    }
}

/// `; did you mean X?` where a known name is near.
fn advice(found: &str, known: impl Iterator<Item = &'static str>) -> String {
    let nearest = known.map(|name| (distance(found, name), name)).min();
    match nearest {
        Some((distance, name)) if distance <= name.len() / 3 => format!("; did you mean {name}?"),
        _ => String::new(),
    }
}

/// Edits between two names (Levenshtein), over bytes. Long input is cut: it is not near anything.
fn distance(a: &str, b: &str) -> usize {
    let a = &a.as_bytes()[..a.len().min(64)];
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let substituted = diagonal + usize::from(*x != y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_parse_in_any_case_and_print_as_users_write_them() {
        for text in ["smollm-135m:Q4_0", "SmolLM-135M:q4_0"] {
            assert_eq!(PresetRef::parse(text).unwrap().to_string(), "smollm-135m:Q4_0");
        }
        let study = PresetRef::parse("SmolLM-135M?layers=4+KV_heads=1:q4_0").unwrap();
        assert_eq!(study.to_string(), "smollm-135m?kv_heads=1+layers=4:Q4_0");
        for (name, _) in quantisations() {
            PresetRef::parse(&format!("tiny:{name}")).unwrap();
        }
    }

    #[test]
    fn wrong_references_say_what_would_be_right() {
        let cases = [
            ("smollm-135:Q4_0", "did you mean smollm-135m?"),
            ("gpt-5:Q4_0", "presets: smollm-135m, smollm-360m"),
            ("", "unknown preset"),
            ("tiny", "tiny:Q4_0"),
            ("tiny:", "unknown quantisation"),
            ("tiny:Q4_K_N", "did you mean Q4_K_M?"),
            ("tiny:Q4-K-M", "did you mean Q4_K_M?"),
            ("tiny:Q9_K", "unknown quantisation"),
            ("tiny:é:Q4_0", "unknown quantisation"),
            ("tiny?kv_heads=3:Q4_0", "kv_heads: found 3, expected a divisor of heads 4"),
            ("tiny?heads=3:Q4_0", "one of kv_heads, layers, context"),
            ("tiny?layers=x:Q4_0", "layers=NUMBER"),
            ("tiny?layers=0:Q4_0", "layers: found 0"),
            ("tiny?layers=1+layers=2:Q4_0", "layers once"),
            ("tiny?:Q4_0", "one of kv_heads"),
            ("openelm-270m?layers=3:Q4_0", "heads: found 16 values, expected 3"),
            ("rustdoc-6m?layers=3:Q4_0", "its weights are trained"),
        ];
        for (text, expected) in cases {
            let message = PresetRef::parse(text).unwrap_err().to_string();
            assert!(message.contains(expected), "{text}: {message}");
        }
    }
}
