//! Converted models on disk: a folder for each model (by the hash of its file), version of the converter and scheme. A file of
//! weights is there when its index is, and the index is renamed into place last.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, UNIX_EPOCH};

use yardstick_api::{Error, Unsupported};
use yardstick_model::{Architecture, Model, ModelInfo};

use super::carrier::{Carrier, Scheme};
use super::products::products;
use super::space;
use super::write::{Contents, write};

/// Changes with anything that changes what is written.
const CONVERTER: u32 = 1;
/// The file of weights, in a model's folder.
pub(crate) const WEIGHTS: &str = "weights.bin";
const INDEX: &str = "weights.json";

pub(crate) use super::write::{Contents as Index, Ranges};

/// A model as ONNX Runtime takes it.
pub(crate) struct Converted {
    /// Where its weights lie, and where graphs that name them must lie.
    pub(crate) folder: PathBuf,
    pub(crate) index: Contents,
    /// Time to learn what the model is.
    pub(crate) read: Duration,
    /// Time to convert it; zero when it was found.
    pub(crate) convert: Duration,
}

/// The folder of a model's conversion, whether it is there or not.
fn folder_of(cache: &Path, sha256: &str, scheme: Scheme) -> PathBuf {
    let model = sha256.get(..32).unwrap_or(sha256);
    cache.join(format!("{model}-v{CONVERTER}-{}", scheme.name()))
}

/// Finds a model's conversion, or makes it.
pub(crate) fn converted(cache: &Path, model: &Model, scheme: Scheme) -> Result<Converted, Error> {
    let start = Instant::now();
    let sha256 = sha256(cache, model)?;
    let folder = folder_of(cache, &sha256, scheme);
    let read = start.elapsed();
    let start = Instant::now();
    let index = match found(&folder) {
        Some(index) => index,
        None => convert(&folder, model, scheme)?,
    };
    model.check_unchanged()?;
    Ok(Converted { folder, index, read, convert: start.elapsed() })
}

/// What the index says, if the file of weights is as long as it says.
fn found(folder: &Path) -> Option<Contents> {
    let text = fs::read(folder.join(INDEX)).ok()?;
    let index: Contents = serde_json::from_slice(&text).ok()?;
    let end = index.tensors.values().map(|stored| stored.offset + stored.bytes).max()?;
    (fs::metadata(folder.join(WEIGHTS)).ok()?.len() == end).then_some(index)
}

impl Converted {
    /// Keeps what a calibration met with the weights it met it with.
    pub(crate) fn keep(&mut self, ranges: Ranges) -> Result<(), Error> {
        self.index.ranges = ranges;
        let listed = self.folder.join(format!("{INDEX}.{}.part", std::process::id()));
        let index = self.folder.join(INDEX);
        serde_json::to_vec(&self.index)
            .map_err(io::Error::other)
            .and_then(|text| fs::write(&listed, text))
            .and_then(|()| fs::rename(&listed, &index))
            .map_err(|error| Error::Device(format!("{}: {error}", index.display())))
    }
}

fn convert(folder: &Path, model: &Model, scheme: Scheme) -> Result<Contents, Error> {
    let at =
        |path: &Path, error: std::io::Error| Error::Device(format!("{}: {error}", path.display()));
    fs::create_dir_all(folder).map_err(|error| at(folder, error))?;
    let info = model.info();
    check_room(folder, &info.name, bytes_needed(info, scheme), space::left(folder))?;
    let part = |name: &str| folder.join(format!("{name}.{}.part", std::process::id()));
    let (weights, listed) = (part(WEIGHTS), part(INDEX));
    let written = || {
        let file = File::create(&weights).map_err(|error| at(&weights, error))?;
        let mut buffered = BufWriter::with_capacity(1 << 20, file);
        let index = write(model, scheme, &mut buffered)?;
        buffered
            .into_inner()
            .map_err(|error| error.into_error())
            .and_then(|file| file.sync_all())
            .map_err(|error| at(&weights, error))?;
        let text = serde_json::to_vec(&index).map_err(|error| Error::Device(error.to_string()))?;
        fs::write(&listed, text).map_err(|error| at(&listed, error))?;
        fs::rename(&weights, folder.join(WEIGHTS)).map_err(|error| at(&weights, error))?;
        fs::rename(&listed, folder.join(INDEX)).map_err(|error| at(&listed, error))?;
        Ok(index)
    };
    let index = written();
    if index.is_err() {
        // Half a file is of no use to anyone; that it cannot be removed is not the error to tell.
        let _ = (fs::remove_file(&weights), fs::remove_file(&listed));
    }
    index
}

/// Bytes the file of weights will take, pages between tensors included.
pub(crate) fn bytes_needed(info: &ModelInfo, scheme: Scheme) -> u64 {
    let of = |&(format, bytes): &(yardstick_model::Format, u64)| {
        let weights = bytes / format.block_bytes() as u64 * format.block_len() as u64;
        scheme.carrier(format).bytes(1, weights)
    };
    let pages = products(&info.architecture).len() as u64 * 3 * 4096;
    info.formats.iter().map(of).fold(pages, u64::saturating_add)
}

/// Refuses what the disk has no room for, before anything is written.
fn check_room(
    folder: &Path,
    name: &str,
    needed: u64,
    left: Option<u64>,
) -> Result<(), Unsupported> {
    match left {
        Some(left) if left < needed => Err(Unsupported {
            reason: format!(
                "converting {name} takes {} MiB in {}, {} MiB are left there",
                needed >> 20,
                folder.display(),
                left >> 20
            ),
            fix: Some("free some room, or name another cache: --cache-dir DIR".into()),
        }),
        _ => Ok(()),
    }
}

/// The hash of the model's file; remembered by the file's path, length and time, since it takes longer than loading.
fn sha256(cache: &Path, model: &Model) -> Result<String, Error> {
    let path = model.gguf().path();
    let known = identity(path).map(|identity| cache.join(format!("{identity:016x}.sha256")));
    if let Some(text) = known.as_ref().and_then(|file| fs::read_to_string(file).ok())
        && text.len() == 64
    {
        return Ok(text);
    }
    let hash = model.sha256()?;
    if let Some(file) = known {
        // Remembering is a convenience: a cache that cannot be written fails where it matters.
        let part = file.with_extension(format!("{}.part", std::process::id()));
        let _ = fs::create_dir_all(cache)
            .and_then(|()| fs::write(&part, &hash))
            .and_then(|()| fs::rename(&part, &file));
    }
    Ok(hash)
}

fn identity(path: &Path) -> Option<u64> {
    let path = path.canonicalize().ok()?;
    let about = fs::metadata(&path).ok()?;
    let time = about.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    let mut hasher = DefaultHasher::new();
    (path, about.len(), time.as_nanos()).hash(&mut hasher);
    Some(hasher.finish())
}

/// Bytes of products a decode step reads, as carried here.
pub(crate) fn streamed(architecture: &Architecture, index: &Contents) -> u64 {
    let of = |name: &str| index.tensors.get(name).map_or(0, |stored| stored.bytes);
    let all = products(architecture);
    let parts = ["", ".codes", ".scales", ".offsets"];
    let of_product =
        |name: &str| -> u64 { parts.iter().map(|part| of(&format!("{name}{part}"))).sum() };
    all.iter().map(|product| of_product(&product.name)).sum()
}

impl Carrier {
    /// Bytes in memory: what is not f32 and dense is widened.
    pub(crate) fn resident(self, stored: u64) -> u64 {
        match self {
            Carrier::Dense(crate::onnx::ElementType::F32)
            | Carrier::Blocks { .. }
            | Carrier::Groups { .. } => stored,
            // A runtime may decode it once and for all.
            Carrier::Channels { bits } => stored.saturating_mul(32 / bits as u64 + 1),
            Carrier::Dense(_) => stored.saturating_mul(2),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_without_room_is_refused_with_the_numbers_and_the_fix() {
        let check = |left| check_room(Path::new("/cache"), "big", 3 << 20, left);
        assert!(check(None).is_ok() && check(Some(3 << 20)).is_ok());
        let refusal = check(Some(2 << 20)).unwrap_err();
        let expected = "converting big takes 3 MiB in /cache, 2 MiB are left there";
        assert_eq!(refusal.reason, expected);
        assert!(refusal.fix.is_some_and(|fix| fix.contains("--cache-dir")));
    }
}
