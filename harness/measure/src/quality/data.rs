//! Files that tests of quality are asked on, with where they come from: a file `X` may have an `X.provenance.toml` beside it.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::Deserialize;
use sha2::{Digest, Sha256};
use yardstick_api::Known;
use yardstick_record::Data;

use super::Error;

/// A larger text would take days on any device.
const MAX_BYTES: u64 = 64 << 20;
/// The text that is built in, under its name.
pub const BUILT_IN: &str = "rust-docs";
const TEXT: &[u8] = include_bytes!("../../../../suites/text/rust-docs.txt");
const PROVENANCE: &str = include_str!("../../../../suites/text/rust-docs.txt.provenance.toml");

/// Its bytes.
pub(crate) fn built_in() -> &'static [u8] {
    TEXT
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Provenance {
    source: Option<String>,
    licence: Option<String>,
    date: Option<String>,
}

/// The text of a file, or the one that is built in, and its description.
pub(crate) fn read(name: &str) -> Result<(String, Data), Error> {
    let path = Path::new(name);
    if name == BUILT_IN && !path.exists() {
        return whole(name, TEXT.to_vec(), Some(PROVENANCE.to_owned()));
    }
    let wrong = |error: std::io::Error| Error::new(name, error.to_string());
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes))
        .map_err(wrong)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(Error::new(
            name,
            format!("found more than {MAX_BYTES} bytes, the most that is read"),
        ));
    }
    let beside = format!("{name}.provenance.toml");
    let told = match std::fs::read_to_string(&beside) {
        Ok(told) => Some(told),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(Error::new(&beside, error.to_string())),
    };
    whole(name, bytes, told)
}

fn whole(name: &str, bytes: Vec<u8>, told: Option<String>) -> Result<(String, Data), Error> {
    let beside = format!("{name}.provenance.toml");
    let told: Provenance = match &told {
        Some(text) => toml::from_str(text)
            .map_err(|error| Error::new(&beside, error.message().replace('\n', "; ")))?,
        None => Provenance::default(),
    };
    let known = |value: Option<String>, key: &str| {
        let missing = || Known::unavailable(format!("no {key} in {}.provenance.toml", file(name)));
        value.map_or_else(missing, Known::Value)
    };
    let sha256 = hash(&bytes);
    let size = bytes.len() as u64;
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Error::new(name, format!("found a byte that is not UTF-8 at {at}, expected UTF-8 text"))
    })?;
    if text.trim().is_empty() {
        return Err(Error::new(name, "found no text, expected some".to_owned()));
    }
    let data = Data {
        name: file(name),
        sha256,
        bytes: size,
        source: known(told.source, "source"),
        licence: known(told.licence, "licence"),
        date: known(told.date, "date"),
    };
    Ok((text, data))
}

/// The name without its folders: a record names no path.
fn file(name: &str) -> String {
    let path = Path::new(name);
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// SHA-256, lower-case hex.
pub(crate) fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_text_says_where_it_comes_from() {
        let (text, data) = read(BUILT_IN).unwrap();
        assert!(text.len() > 100_000);
        for told in [&data.source, &data.licence, &data.date] {
            assert!(told.value().is_some(), "{told:?}");
        }
    }

    #[test]
    fn what_is_no_text_is_an_error_naming_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        let name = path.display().to_string();
        for (bytes, words) in
            [(&b""[..], "found no text"), (b" \n", "found no text"), (b"ab\xff", "not UTF-8 at 2")]
        {
            std::fs::write(&path, bytes).unwrap();
            let message = read(&name).unwrap_err().to_string();
            assert!(message.contains(words) && message.contains("a.txt"), "{message}");
        }
        std::fs::remove_file(&path).unwrap();
        assert!(read(&name).unwrap_err().to_string().contains("a.txt"));
    }

    #[test]
    fn provenance_beside_a_file_is_read_and_its_absence_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        std::fs::write(&path, "hello").unwrap();
        let name = path.display().to_string();
        let data = read(&name).unwrap().1;
        assert_eq!((data.name.as_str(), data.bytes), ("a.txt", 5));
        assert!(data.licence.reason().unwrap().contains("a.txt.provenance.toml"));
        assert!(data.contamination().contains("cannot be told"));
        let beside = folder.path().join("a.txt.provenance.toml");
        std::fs::write(&beside, "source = \"me\"\nlicence = \"MIT\"\ndate = \"2026-01\"").unwrap();
        let data = read(&name).unwrap().1;
        assert_eq!(data.licence, Known::Value("MIT".to_owned()));
        assert!(data.contamination().contains("2026-01"));
        std::fs::write(&beside, "licnce = \"MIT\"").unwrap();
        assert!(read(&name).unwrap_err().to_string().contains("licnce"));
    }
}
