//! The cache of written presets: a file per recipe and quantisation, written whole or not at all, and checked.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::plan::Plan;
use super::{Error, PresetRef, table};
use crate::gguf::Header;
use crate::quantize::{self, Output, Tell, hash as hex};

/// How a file found in the cache is checked before it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// Its length only: free.
    Size,
    /// Its SHA-256: reads all of it.
    Hash,
}

/// Whether the manifest knows a preset's hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InManifest {
    /// It does, and the file has it.
    Verified,
    /// Not in the manifest: nothing says what the hash should be.
    Absent {
        /// Why it is not there.
        reason: String,
    },
}

/// Why a preset is not in the manifest.
fn absent(preset: &PresetRef) -> InManifest {
    let (recipe, mix) = (preset.recipe(), preset.mix().name());
    let reason = match &recipe.unhashed {
        _ if recipe.name.contains('?') => "its recipe was overridden".to_owned(),
        Some(reason) => reason.clone(),
        None => format!("{mix} of {} was never hashed", recipe.name),
    };
    InManifest::Absent { reason }
}

/// A preset's file.
#[derive(Clone, Debug)]
pub struct Made {
    /// Where it is.
    pub path: PathBuf,
    /// Bytes of it.
    pub bytes: u64,
    /// Its SHA-256 as lower-case hex: computed while writing, or noted then.
    pub sha256: String,
    /// What the manifest says to the hash.
    pub manifest: InManifest,
    /// It was written now; false: it was there.
    pub written: bool,
    /// Why a file that was there was written anew.
    pub replaced: Option<String>,
}

/// Where a preset's file is or will be: the name holds 16 digits of a hash of the header and of a row of every tensor,
/// so that a changed recipe, generator or encoder does not find the file of the old one.
pub fn cache_path(preset: &PresetRef, cache: &Path) -> Result<PathBuf, Error> {
    let (header, plan) = Plan::new(preset, &preset.to_string())?;
    let (name, mix) = (&preset.recipe().name, preset.mix().name());
    let key = plan.fingerprint(&header)?;
    // Not every file system takes a question mark.
    Ok(cache.join(format!("{}-{mix}-{}.gguf", name.replace('?', "-"), &key[..16])))
}

/// The preset's file: from the cache, or written there now by `threads` threads and checked against the manifest.
/// `tell` hears of the progress and may stop it. Several processes may make the same preset at once.
pub fn make(
    preset: &PresetRef,
    cache: &Path,
    threads: usize,
    check: Check,
    tell: &mut Tell<'_>,
) -> Result<Made, Error> {
    let path = cache_path(preset, cache)?;
    let planned = Plan::new(preset, &path.display().to_string())?;
    let bytes = planned.0.file_bytes()?;
    let expected = table::manifest()?.remove(&preset.recipe().name);
    let expected = expected.and_then(|mut hashes| hashes.remove(preset.mix().name()));
    let manifest = if expected.is_some() { InManifest::Verified } else { absent(preset) };
    let replaced = match look(&path, bytes, expected.as_deref(), check) {
        Found::Good(sha256) => {
            return Ok(Made { path, bytes, sha256, manifest, written: false, replaced: None });
        }
        Found::Nothing => None,
        Found::Bad(reason) => Some(reason),
    };
    let first = replaced.is_none();
    let sha256 = write(preset, planned, (&path, first), threads, expected, tell)?;
    Ok(Made { path, bytes, sha256, manifest, written: true, replaced })
}

/// The SHA-256 of a preset's file and its bytes, without writing it: what the manifest is made of.
pub fn hash(
    preset: &PresetRef,
    threads: usize,
    tell: &mut Tell<'_>,
) -> Result<(String, u64), Error> {
    let (header, plan) = Plan::new(preset, &preset.to_string())?;
    let bytes = header.file_bytes()?;
    let mut sink = HashOnly(Sha256::new());
    quantize::write_to(header, &plan.stretches, plan.rows(), threads, &mut sink, tell)?;
    Ok((hex::hex(sink.0), bytes))
}

/// What lies at a path of the cache.
enum Found {
    Nothing,
    /// The preset, with its hash.
    Good(String),
    /// Something else, and why.
    Bad(String),
}

fn look(path: &Path, bytes: u64, expected: Option<&str>, check: Check) -> Found {
    let Ok(metadata) = fs::metadata(path) else { return Found::Nothing };
    if metadata.len() != bytes {
        return Found::Bad(format!("it had {} bytes instead of {bytes}", metadata.len()));
    }
    // What was noted when it was written, if that can still be read.
    let noted = fs::read_to_string(note(path)).ok();
    let noted = noted.as_deref().and_then(|text| text.get(..64)).filter(|t| is_hash(t));
    let found = match (check, noted) {
        (Check::Size, Some(noted)) => noted.to_owned(),
        _ => match hex::hex_of_file(path) {
            Ok(found) => found,
            Err(error) => return Found::Bad(format!("it could not be read: {error}")),
        },
    };
    match expected.or(noted) {
        Some(right) if right != found => {
            Found::Bad(format!("it had SHA-256 {found} instead of {right}"))
        }
        _ => {
            if noted != Some(&found) {
                write_note(path, &found);
            }
            Found::Good(found)
        }
    }
}

/// `first`: nothing was there, and what is there by then has been written by another process just now.
fn write(
    preset: &PresetRef,
    (header, plan): (Header, Plan),
    (path, first): (&Path, bool),
    threads: usize,
    expected: Option<String>,
    tell: &mut Tell<'_>,
) -> Result<String, Error> {
    let output = Output::create(path, header.file_bytes()?)?;
    let mut output = quantize::write(header, &plan.stretches, plan.rows(), threads, output, tell)?;
    let found = output.sync()?;
    match expected {
        Some(expected) if expected != found => {
            Err(Error::Mismatch { preset: preset.to_string(), found, expected })
        }
        _ => {
            match first {
                true => output.commit_first()?,
                false => output.commit()?,
            }
            write_note(path, &found);
            Ok(found)
        }
    }
}

fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Beside a file: its hash, as sha256sum prints it.
fn note(path: &Path) -> PathBuf {
    path.with_added_extension("sha256")
}

/// Without its note a file is hashed again the next time, so failing to write one is harmless. Too short to be seen
/// half written: a note that is not a hash does not count.
fn write_note(path: &Path, sha256: &str) {
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let _ = fs::write(note(path), format!("{sha256}  {name}\n"));
}

struct HashOnly(Sha256);

impl Write for HashOnly {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
