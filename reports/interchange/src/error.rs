//! Why a foreign file is refused: where, which field, what was found and what was expected.

/// Characters of foreign text that an error repeats.
const FOUND: usize = 80;

/// Why a foreign file is refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A field that cannot be used.
    #[error("{place}: field {field}: found {found}, expected {expected}")]
    Field {
        /// `record 3 (line 7)`, or the part of the file.
        place: String,
        /// Its name, dotted where it is nested.
        field: String,
        /// What it holds, cut to a readable length.
        found: String,
        /// What it may hold.
        expected: String,
    },
    /// Not what the format is made of: broken JSON, an odd line of CSV, not UTF-8, too long.
    #[error("{place}: {flaw}")]
    Shape {
        /// Where.
        place: String,
        /// What is wrong there.
        flaw: String,
    },
    /// No format is recognised.
    #[error(
        "found {found}, expected yardstick's JSON lines, llama-bench's JSON, JSON lines or CSV, or a report of optimum-benchmark; for criterion name the folder target/criterion"
    )]
    Unknown {
        /// What it begins with.
        found: String,
    },
}

impl Error {
    /// A field that cannot be used.
    pub(crate) fn field(
        place: impl ToString,
        field: impl Into<String>,
        found: impl ToString,
        expected: impl Into<String>,
    ) -> Error {
        let (place, field) = (place.to_string(), short(&field.into()));
        Error::Field { place, field, found: short(&found.to_string()), expected: expected.into() }
    }

    /// Something that is not of the format at all.
    pub(crate) fn shape(place: impl ToString, flaw: impl Into<String>) -> Error {
        Error::Shape { place: place.to_string(), flaw: flaw.into() }
    }
}

/// Foreign text short enough for an error.
pub(crate) fn short(text: &str) -> String {
    match text.char_indices().nth(FOUND) {
        Some((cut, _)) => format!("{}…", &text[..cut]),
        None => text.to_owned(),
    }
}
