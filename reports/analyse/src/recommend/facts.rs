//! What is known of models beside what was measured: licence, strengths, where they are meant to run. Each with where it stands.

use serde::{Deserialize, Serialize};

use super::candidate::Candidate;
use super::need::Only;

/// A fact with where it was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cited {
    /// The fact.
    pub value: String,
    /// Its address.
    pub source: String,
    /// The words it stands in there.
    pub quote: String,
}

/// Facts of the models that some presets have the shape of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Family {
    /// Names of the presets.
    pub presets: Vec<String>,
    /// What the weights may be used under.
    pub licence: Option<Cited>,
    /// What they are said to be good at.
    #[serde(default)]
    pub strengths: Vec<Cited>,
    /// What they are made for.
    #[serde(default)]
    pub targets: Vec<Cited>,
}

/// The facts of a model by its name in records: `llama-3.2-1b:Q4_0` is of the family of `llama-3.2-1b`.
pub(super) fn of<'a>(families: &'a [Family], model: &str) -> Option<&'a Family> {
    let preset = model.split([':', '?']).next().unwrap_or(model);
    families.iter().find(|family| family.presets.iter().any(|name| name == preset))
}

/// What filters by facts make of a candidate: it passes, it is none that is asked about, or nobody knows.
pub(super) enum Passes {
    Yes,
    No,
    /// Why there is no telling.
    Unknown(String),
}

/// Every filter must be met; a fact that nobody cites meets none and is told.
pub(super) fn passes(candidate: &Candidate, only: &Only, families: &[Family]) -> Passes {
    let family = of(families, &candidate.model);
    let known = |list: fn(&Family) -> Vec<&str>| family.map(list).unwrap_or_default();
    let filters: [(&str, &[String], Vec<&str>); 3] = [
        (
            "licence",
            &only.licences,
            known(|f| f.licence.iter().map(|c| c.value.as_str()).collect()),
        ),
        (
            "strengths",
            &only.strengths,
            known(|f| f.strengths.iter().map(|c| c.value.as_str()).collect()),
        ),
        ("targets", &only.targets, known(|f| f.targets.iter().map(|c| c.value.as_str()).collect())),
    ];
    let mut unknown = None;
    for (name, asked, found) in filters.iter().filter(|(_, asked, _)| !asked.is_empty()) {
        if found.is_empty() {
            unknown.get_or_insert_with(|| {
                format!(
                    "{name} not known: the catalogue of models cites none of {}",
                    candidate.model
                )
            });
        } else if !asked.iter().any(|one| found.iter().any(|f| f.eq_ignore_ascii_case(one))) {
            return Passes::No;
        }
    }
    unknown.map_or(Passes::Yes, Passes::Unknown)
}
