//! One hostile file and the error it must give.

use crate::build::File;

/// A file and what the three parts of its error must contain.
pub(crate) struct Case {
    /// Family of the reject list and what is wrong; llama.cpp's name of the case in brackets where it has one.
    pub name: String,
    pub bytes: Vec<u8>,
    pub disk_bytes: Option<u64>,
    /// Of `Invalid`; of `Unsupported` the first is in `what` and the last in `supported`.
    pub field: &'static str,
    pub found: &'static str,
    pub expected: &'static str,
}

/// A case of a built file.
pub(crate) fn case(name: &str, file: File, [field, found, expected]: [&'static str; 3]) -> Case {
    let disk_bytes = file.disk_bytes;
    Case { name: name.into(), bytes: file.bytes(), disk_bytes, field, found, expected }
}

/// A case of loose bytes.
pub(crate) fn raw(
    name: String,
    bytes: Vec<u8>,
    [field, found, expected]: [&'static str; 3],
) -> Case {
    Case { name, bytes, disk_bytes: None, field, found, expected }
}
