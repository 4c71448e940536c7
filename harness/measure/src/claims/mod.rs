//! Claims: sentences of articles, how each is tested, what was found, and a verdict. Reads files' sizes and what records say, runs nothing.

mod find;
mod measured;
mod wire;

use std::path::Path;

use serde::{Deserialize, Serialize};
use yardstick_api::KvType;

use crate::suite::Error;

pub use find::find;
pub use measured::{By, Evidence, Measured, Relation};

/// A file of claims.
#[derive(Clone, Debug, PartialEq)]
pub struct Claims {
    /// Its name.
    pub name: String,
    /// What it answers, and what not.
    pub analysis: String,
    /// In order.
    pub claims: Vec<Claim>,
}

/// One sentence, and how it is tested.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Claim {
    /// A word for it, unique in the file.
    pub id: String,
    /// What is claimed, in words of ours.
    pub claim: String,
    /// As the source has it.
    pub sentence: String,
    /// Author, title, place.
    pub source: String,
    /// How it is tested.
    #[serde(flatten)]
    pub test: Test,
}

/// How a claim is tested. Another kind of test is another variant, with a function in `find.rs`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Test {
    /// One format's size is a share of another's.
    Share(Share),
    /// A model has a size.
    Size(Size),
    /// A model, with keys and values, is within a memory.
    Fits(Fits),
    /// What records say of a test.
    Measured(Measured),
    /// It cannot be tested here.
    Cannot(Cannot),
}

/// Sizes of formats, and of files in them, as a share of those in another format.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Share {
    /// Formats and mixes the claim is about.
    pub quantisations: Vec<String>,
    /// The format they are held against.
    pub of: String,
    /// The share claimed.
    pub percent: f64,
    /// How far off is still true, percent of the share claimed.
    pub margin: f64,
    /// Presets whose files are compared.
    pub models: Vec<String>,
}

/// Sizes of files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Size {
    /// Formats and mixes the claim is about.
    pub quantisations: Vec<String>,
    /// Presets.
    pub models: Vec<String>,
    /// The size claimed, 10^9 bytes.
    pub gigabytes: f64,
    /// How far off is still true, percent of the size claimed.
    pub margin: f64,
}

/// Sizes of files with their keys and values, against a memory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fits {
    /// Formats and mixes the claim is about.
    pub quantisations: Vec<String>,
    /// Presets.
    pub models: Vec<String>,
    /// The memory, 10^9 bytes.
    pub gigabytes: f64,
    /// Positions of the keys and values.
    pub context: usize,
    /// How those are stored.
    pub kv: KvType,
    /// Whether the claim is that it fits.
    pub expected: bool,
}

/// Why a claim cannot be tested.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cannot {
    /// What is missing.
    pub because: String,
}

/// What was found of a claim.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// The claim.
    #[serde(flatten)]
    pub claim: Claim,
    /// How it was tested, in words.
    pub how: String,
    /// One line a format or model.
    pub measured: Vec<String>,
    /// What follows.
    pub verdict: Verdict,
}

/// What follows for a claim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", content = "why", rename_all = "snake_case")]
pub enum Verdict {
    /// Everything tested keeps it.
    True,
    /// Something tested does not.
    NotHere(String),
    /// What was measured is too uncertain to say.
    NotDecided(String),
    /// Nothing could be tested.
    CannotBeTested(String),
}

impl Verdict {
    /// For people.
    pub fn words(&self) -> String {
        match self {
            Verdict::True => "true".to_owned(),
            Verdict::NotHere(why) => format!("not here: {why}"),
            Verdict::NotDecided(why) => format!("not decided: {why}"),
            Verdict::CannotBeTested(why) => format!("cannot be tested: {why}"),
        }
    }
}

impl Claims {
    /// Parses a file's text.
    pub fn parse(file: &str, text: &str) -> Result<Claims, Error> {
        wire::parse(file, text)
    }

    /// Those compiled in.
    pub fn built_in() -> Result<Claims, Error> {
        Claims::parse("claims (built in)", include_str!("../../../../suites/claims.toml"))
    }

    /// Tests every claim; files that presets were written to are looked for in `cache`, what was measured in `evidence`.
    pub fn find(&self, cache: Option<&Path>, evidence: &[Evidence]) -> Vec<Finding> {
        self.claims.iter().map(|claim| find(claim, cache, evidence)).collect()
    }
}

#[cfg(test)]
mod tests;
