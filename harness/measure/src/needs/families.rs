//! Facts of models: the file that is compiled in, checked. Every fact names where it was read.

use serde::Deserialize;
use yardstick_analyse::recommend::{Cited, Family};

use crate::suite::Error;
use crate::suite::place::Place;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    family: Vec<Family>,
}

/// Longest text of a fact.
const MOST_CHARS: usize = 400;
/// Where this project's own facts stand.
const OWN: &str = "suites/";

/// The families compiled in.
pub(super) fn built_in() -> Result<Vec<Family>, Error> {
    parse("models (built in)", include_str!("../../../../suites/models/facts.toml"))
}

fn parse(file: &str, text: &str) -> Result<Vec<Family>, Error> {
    let at = Place { file, text };
    let read: File = at.read()?;
    for family in &read.family {
        let facts = family.licence.iter().chain(&family.strengths).chain(&family.targets);
        for fact in facts {
            cited(fact).map_err(|problem| {
                at.error(0..0, format!("family of {}: {problem}", family.presets.join(", ")))
            })?;
        }
    }
    Ok(read.family)
}

fn cited(fact: &Cited) -> Result<(), String> {
    for (key, text) in [("value", &fact.value), ("source", &fact.source), ("quote", &fact.quote)] {
        if text.trim().is_empty() || text.chars().count() > MOST_CHARS {
            return Err(format!("{key}: found {text:?}, expected 1 to {MOST_CHARS} characters"));
        }
    }
    let is_address =
        ["https://", "http://", OWN].iter().any(|start| fact.source.starts_with(start));
    match is_address {
        true => Ok(()),
        false => Err(format!("source: found {:?}, expected an address", fact.source)),
    }
}

#[cfg(test)]
mod tests {
    use crate::plan::Catalogue;

    #[test]
    fn every_fact_is_cited_and_of_a_preset_that_exists() {
        let known = Catalogue::built_in().presets;
        let families = super::built_in().unwrap();
        assert!(families.len() >= 8);
        for preset in families.iter().flat_map(|family| &family.presets) {
            assert!(known.contains(preset), "{preset}");
        }
    }

    #[test]
    fn a_fact_without_an_address_is_refused() {
        let text = "[[family]]\npresets = [\"tiny\"]\nlicence = { value = \"MIT\", source = \"memory\", quote = \"q\" }\n";
        let message = super::parse("f", text).unwrap_err().to_string();
        assert!(message.contains("family of tiny: source: found \"memory\""), "{message}");
    }
}
