//! Reading a bundle: everything in it is somebody's claim, and is checked before it is passed on.

use std::io::{BufRead, Read};

use serde::Deserialize;
use yardstick_analyse::flaw;
use yardstick_record::{Profile, Record, SCHEMA};

use super::write::Sum;
use super::{MOST_BUNDLE_BYTES, MOST_NESTING, MOST_RECORDS, Manifest, VERSION, nesting};
use crate::{Error, MOST_BYTES};

/// Bytes of the first line.
const MOST_MANIFEST: u64 = 4 << 10;

/// A bundle whose manifest was read; its records follow. After the first error, and after the last record, there is nothing.
pub struct Reader<'a> {
    input: &'a mut dyn BufRead,
    manifest: Manifest,
    sum: Sum,
    is_over: bool,
}

/// Reads the manifest.
pub fn read(input: &mut dyn BufRead) -> Result<Reader<'_>, Error> {
    let text = line(input, MOST_MANIFEST, 1)?;
    let text = text.ok_or_else(|| Error::shape("line 1", "there is no manifest"))?;
    #[derive(Deserialize)]
    struct Version {
        yardstick_bundle: u64,
    }
    let place = "line 1 (the manifest)";
    let shape = |error: serde_json::Error| Error::shape(place, error.to_string());
    let Version { yardstick_bundle: version } = serde_json::from_str(&text).map_err(shape)?;
    if version > VERSION || version == 0 {
        let expected = format!("1 to {VERSION}; a newer yardstick reads it");
        return Err(Error::field(place, "yardstick_bundle", version, expected));
    }
    let manifest: Manifest = serde_json::from_str(&text).map_err(shape)?;
    if !(1..=MOST_RECORDS).contains(&manifest.records) {
        let expected = format!("1 to {MOST_RECORDS}");
        return Err(Error::field(place, "records", manifest.records, expected));
    }
    if manifest.bytes > MOST_BUNDLE_BYTES {
        return Err(Error::field(
            place,
            "bytes",
            manifest.bytes,
            format!("at most {MOST_BUNDLE_BYTES}"),
        ));
    }
    Ok(Reader { input, manifest, sum: Sum::default(), is_over: false })
}

impl Reader<'_> {
    /// What the bundle says of itself.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    fn advance(&mut self) -> Result<Option<Record>, Error> {
        let number = self.sum.records + 2;
        let left = self.manifest.bytes - self.sum.bytes;
        // One byte more than is due, so that more than is due is seen.
        let text = line(self.input, MOST_BYTES.min(left + 1), number)?;
        let Some(text) = text else { return self.end().map(|()| None) };
        if self.sum.records == self.manifest.records {
            return Err(Error::shape(
                format!("line {number}"),
                "more follows than the manifest says",
            ));
        }
        if text.len() as u64 > left {
            return Err(Error::shape(
                format!("line {number}"),
                "longer than the manifest's bytes allow",
            ));
        }
        self.sum.add(&text);
        record(&text, number, self.manifest.profile).map(Some)
    }

    fn end(&self) -> Result<(), Error> {
        let (sum, manifest) = (&self.sum, &self.manifest);
        let place = "the end";
        if sum.records < manifest.records {
            let flaw = format!(
                "it was cut short: {} of {} records are there",
                sum.records, manifest.records
            );
            return Err(Error::shape(place, flaw));
        }
        if sum.bytes != manifest.bytes || sum.hash() != manifest.sha256 {
            return Err(Error::field(
                place,
                "sha256",
                sum.hash(),
                format!("{}, as the manifest says", manifest.sha256),
            ));
        }
        Ok(())
    }
}

impl Iterator for Reader<'_> {
    type Item = Result<Record, Error>;

    fn next(&mut self) -> Option<Result<Record, Error>> {
        if self.is_over {
            return None;
        }
        let next = self.advance().transpose();
        self.is_over = !matches!(next, Some(Ok(_)));
        next
    }
}

/// A record that agrees with its id, its bundle and itself.
fn record(text: &str, number: u64, profile: Profile) -> Result<Record, Error> {
    let place = format!("line {number}");
    let depth = nesting(text);
    if depth > MOST_NESTING {
        let flaw = format!("JSON nested {depth} levels deep, at most {MOST_NESTING} are taken");
        return Err(Error::shape(place, flaw));
    }
    let record = Record::from_json(text.trim_end()).map_err(|error| match error {
        yardstick_record::Error::Newer { found } => Error::field(
            &place,
            "schema",
            found,
            format!("at most {SCHEMA}; a newer yardstick reads it"),
        ),
        yardstick_record::Error::Changed { id, actual } => Error::field(
            &place,
            "id",
            id,
            format!("{actual}, the hash of what it holds: it was changed after it was written"),
        ),
        other => Error::shape(&place, other.to_string()),
    })?;
    let Some(shared) = &record.shared else {
        return Err(Error::field(place, "shared", "nothing", "the record it was made from"));
    };
    let is_id =
        shared.original.len() == 64 && shared.original.bytes().all(|b| b.is_ascii_hexdigit());
    if !is_id {
        return Err(Error::field(place, "shared.original", &shared.original, "a record's id"));
    }
    if shared.profile != profile {
        let (found, expected) = (shared.profile.name(), profile.name());
        return Err(Error::field(
            place,
            "shared.profile",
            found,
            format!("{expected}, as the manifest says"),
        ));
    }
    if record.origin.is_some() {
        return Err(Error::field(place, "origin", "another tool's result", "none"));
    }
    match flaw(&record) {
        Some(flaw) => Err(Error::field(place, flaw.field, flaw.found, flaw.expected)),
        None => Ok(record),
    }
}

/// The next line with its end, `None` at the end of the input.
fn line(input: &mut dyn BufRead, most: u64, number: u64) -> Result<Option<String>, Error> {
    let place = || format!("line {number}");
    let mut bytes = Vec::new();
    let read = Read::take(&mut *input, most).read_until(b'\n', &mut bytes);
    read.map_err(|error| Error::shape(place(), error.to_string()))?;
    match bytes.last() {
        None => Ok(None),
        Some(b'\n') => {
            let text = String::from_utf8(bytes);
            text.map(Some).map_err(|error| Error::shape(place(), format!("not UTF-8: {error}")))
        }
        Some(_) if bytes.len() as u64 == most => {
            Err(Error::shape(place(), format!("longer than the {most} bytes that may be there")))
        }
        Some(_) => Err(Error::shape(place(), "it was cut short within the line")),
    }
}
