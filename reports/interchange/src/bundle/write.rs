//! Writing a bundle: twice over the records, as the manifest comes first and says what follows.

use std::io::{self, Write};

use sha2::{Digest, Sha256};
use yardstick_record::{Profile, Record};

use super::{Manifest, VERSION};

/// The manifest of these records, in this order.
pub fn manifest_of<E>(
    records: impl Iterator<Item = Result<Record, E>>,
    profile: Profile,
    tool: &str,
) -> Result<Manifest, E> {
    let mut sum = Sum::default();
    for record in records {
        sum.add(&line(&record?));
    }
    Ok(Manifest {
        yardstick_bundle: VERSION,
        profile,
        tool: tool.to_owned(),
        records: sum.records,
        bytes: sum.bytes,
        sha256: sum.hash(),
    })
}

/// Lines after their manifest.
pub struct Writer<'a> {
    out: &'a mut dyn Write,
    manifest: Manifest,
    sum: Sum,
}

impl<'a> Writer<'a> {
    /// Writes the manifest.
    pub fn new(out: &'a mut dyn Write, manifest: Manifest) -> io::Result<Writer<'a>> {
        let text = serde_json::to_string(&manifest).expect("a manifest is plain data");
        writeln!(out, "{text}")?;
        Ok(Writer { out, manifest, sum: Sum::default() })
    }

    /// Writes a record.
    pub fn write(&mut self, record: &Record) -> io::Result<()> {
        let line = line(record);
        self.sum.add(&line);
        self.out.write_all(line.as_bytes())
    }

    /// The end; an error where the records were not those of the manifest.
    pub fn finish(self) -> io::Result<()> {
        self.out.flush()?;
        let same =
            self.sum.records == self.manifest.records && self.sum.hash() == self.manifest.sha256;
        match same {
            true => Ok(()),
            false => Err(io::Error::other("the records changed while the bundle was written")),
        }
    }
}

fn line(record: &Record) -> String {
    record.to_json() + "\n"
}

/// What a manifest says of the lines.
#[derive(Default)]
pub(super) struct Sum {
    pub(super) records: u64,
    pub(super) bytes: u64,
    hasher: Sha256,
}

impl Sum {
    pub(super) fn add(&mut self, line: &str) {
        self.records += 1;
        self.bytes += line.len() as u64;
        self.hasher.update(line.as_bytes());
    }

    pub(super) fn hash(&self) -> String {
        self.hasher.clone().finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
