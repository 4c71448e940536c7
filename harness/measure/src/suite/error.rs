//! Errors in suites: file, line, column, key, what was found and what was expected.

use std::ops::Range;

/// A suite that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("{file}: {source}; pass a path, or the name of a suite that is built in")]
    Io {
        /// The file.
        file: String,
        /// The system's own error.
        source: std::io::Error,
    },
    /// The text is not a suite.
    #[error("{file}:{line}:{column}: {}{message}", key_prefix(.key))]
    Invalid {
        /// The file.
        file: String,
        /// Line, from 1.
        line: usize,
        /// Column in characters, from 1.
        column: usize,
        /// The key, with its table: `sampling.interval`; empty where there is none.
        key: String,
        /// Found and expected.
        message: String,
    },
}

fn key_prefix(key: &str) -> String {
    if key.is_empty() { String::new() } else { format!("key `{key}`: ") }
}

impl Error {
    /// An error at a byte range of the text.
    pub(crate) fn at(file: &str, text: &str, span: Range<usize>, message: String) -> Error {
        let start = floor_char(text, span.start);
        let line_start = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
        Error::Invalid {
            file: file.to_owned(),
            line: text[..start].matches('\n').count() + 1,
            column: text[line_start..start].chars().count() + 1,
            key: if message.starts_with("missing field") {
                table_at(text, start)
            } else {
                key_at(text, start)
            },
            message,
        }
    }
}

fn floor_char(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// The key whose line holds the offset, or the last one before it, under its table's header.
/// Reads lines, not TOML: good enough to point a person at the place, which line and column already name.
fn key_at(text: &str, at: usize) -> String {
    let end = text[at..].find('\n').map_or(text.len(), |newline| at + newline);
    let mut key = String::new();
    let mut table = String::new();
    for line in text[..end].lines().map(str::trim) {
        if line.starts_with('[') && line.ends_with(']') {
            table = line.trim_matches(['[', ']']).trim().to_owned();
            key.clear();
        } else if let Some((name, _)) = line.split_once('=')
            && is_key(name.trim())
        {
            key = name.trim().to_owned();
        }
    }
    match (table.is_empty(), key.is_empty()) {
        (true, _) => key,
        (false, true) => table,
        (false, false) => format!("{table}.{key}"),
    }
}

/// The table a whole missing key belongs to: the header at the offset, or none at the top of the file.
fn table_at(text: &str, at: usize) -> String {
    let line = text[at..].lines().next().unwrap_or_default();
    if line.starts_with('[') { key_at(text, at) } else { String::new() }
}

fn is_key(name: &str) -> bool {
    let bare = |c: char| c.is_ascii_alphanumeric() || "-_.\"".contains(c);
    !name.is_empty() && name.len() <= 64 && name.chars().all(bare)
}
