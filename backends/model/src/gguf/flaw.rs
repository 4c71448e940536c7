//! What is wrong with a file, before the file's name is known.

use crate::Error;

/// An error without its path; [`Flaw::of`] adds it.
#[derive(Debug)]
pub(crate) enum Flaw {
    /// Breaks the specification or a limit of ours.
    Invalid {
        /// Field of the file.
        field: String,
        /// What stands there.
        found: String,
        /// What may stand there.
        expected: String,
    },
    /// Valid, but we have no code for it.
    Unsupported {
        /// What the file asks for.
        what: String,
        /// What there is.
        supported: String,
    },
}

impl Flaw {
    /// A field whose content is wrong.
    pub(crate) fn invalid(
        field: impl Into<String>,
        found: impl ToString,
        expected: impl Into<String>,
    ) -> Flaw {
        Flaw::Invalid { field: field.into(), found: found.to_string(), expected: expected.into() }
    }

    /// The error of a named file.
    pub(crate) fn of(self, path: &str) -> Error {
        let path = path.to_owned();
        match self {
            Flaw::Invalid { field, found, expected } => {
                Error::Invalid { path, field, found, expected }
            }
            Flaw::Unsupported { what, supported } => Error::Unsupported { path, what, supported },
        }
    }
}
