//! Why a preset cannot be had.

use super::recipe::RecipeError;

/// Why a preset cannot be had; every message says what to do next.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No such preset.
    #[error("unknown preset {found:?}{advice} presets: {known}", advice = end(advice))]
    UnknownPreset {
        /// What was asked for.
        found: String,
        /// The nearest name.
        advice: String,
        /// Every name.
        known: String,
    },
    /// A preset without a quantisation.
    #[error("preset {preset} needs a quantisation, as in {preset}:Q4_0; one of {known}")]
    NoQuantisation {
        /// The preset.
        preset: String,
        /// Every quantisation.
        known: String,
    },
    /// No such quantisation.
    #[error("unknown quantisation {found:?} of preset {preset}{advice} quantisations: {known}", advice = end(advice))]
    UnknownQuantisation {
        /// What was asked for.
        found: String,
        /// The preset.
        preset: String,
        /// The nearest name.
        advice: String,
        /// Every name.
        known: String,
    },
    /// An override that cannot be.
    #[error("preset {preset}: override {found:?}, expected {expected}")]
    Override {
        /// The preset.
        preset: String,
        /// The pair.
        found: String,
        /// What may stand there.
        expected: String,
    },
    /// A recipe or the manifest is wrong: a mistake in this program, or in a recipe of one's own.
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    /// The architecture has a tensor that no rule makes weights for.
    #[error(
        "preset {preset}: no rule makes weights for tensor {tensor}; add one to the table of kinds"
    )]
    NoWeights {
        /// The preset.
        preset: String,
        /// The tensor.
        tensor: String,
    },
    /// The bytes written are not those of the manifest.
    #[error(
        "{preset}: wrote SHA-256 {found}, the manifest says {expected}; the file was removed. \
         Either this machine computes wrongly (memory, processor), or the generator changed without its manifest"
    )]
    Mismatch {
        /// The preset.
        preset: String,
        /// What was written.
        found: String,
        /// What the manifest holds.
        expected: String,
    },
    /// The file could not be written.
    #[error(transparent)]
    Write(#[from] crate::quantize::Error),
}

impl From<crate::Error> for Error {
    fn from(error: crate::Error) -> Error {
        Error::Write(error.into())
    }
}

/// The advice with what separates it from the list that follows.
fn end(advice: &str) -> String {
    if advice.is_empty() { ";".to_owned() } else { advice.to_owned() }
}
