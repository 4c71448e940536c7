//! The packed file: a head, then every tensor's panels, page by page, just as they are in memory.
//!
//! Written under a name of its own and renamed when whole, so that whoever finds the file finds all of it. The head
//! repeats the key; its length says whether anything was cut off.

use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::path::Path;

use memmap2::{Mmap, MmapMut};
use yardstick_api::Known;
use yardstick_model::Model;

use super::{ALIGN, Bytes, Store, Wanted, build, evict, key, places};
use crate::pages;
use crate::pool::Pool;

const MAGIC: &[u8; 16] = b"yardstick-packed";

/// Maps the file of a model if it is there and whole, and writes it otherwise.
pub(super) fn open_or_write(
    model: &Model,
    wanted: &[Wanted],
    folder: &Path,
    pool: &mut Pool,
) -> Result<Store, String> {
    let key = key::of(model, wanted);
    let name: String = key[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    let path = folder.join(format!("{name}.v{}", key::VERSION));
    let (_, end) = places(wanted, ALIGN);
    let rejected = match open(&path, &key, end) {
        Ok((bytes, pages)) => return Ok(store(bytes, wanted, "mapped", &path, &pages)),
        Err(reason) => reason,
    };
    write(model, wanted, &path, &key, pool)?;
    let (bytes, pages) = open(&path, &key, end).map_err(|reason| {
        format!(
            "{} was written and cannot be mapped: {}",
            path.display(),
            reason.unwrap_or_default()
        )
    })?;
    let mut after = pages;
    if let Some(reason) = rejected {
        after += &format!(" (what was there: {reason})");
    }
    match evict::evict(folder, &path) {
        0 => {}
        gone => after += &format!(" ({gone} files long unused removed)"),
    }
    Ok(store(bytes, wanted, "written now and mapped", &path, &after))
}

fn store(bytes: Mmap, wanted: &[Wanted], done: &str, path: &Path, after: &str) -> Store {
    let (places, end) = places(wanted, ALIGN);
    let how = format!("{} MiB, {done}: {}{after}", end >> 20, path.display());
    Store { bytes: Bytes::Shared(bytes), places, how: Known::Value(how) }
}

/// The map of a whole file with this key, and on what pages; `Err(None)` if there is none, else what is wrong with it.
fn open(path: &Path, key: &[u8; 32], length: usize) -> Result<(Mmap, String), Option<String>> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(None),
        Err(error) => return Err(Some(error.to_string())),
    };
    let found = file.metadata().map_err(|error| Some(error.to_string()))?.len();
    if found != length as u64 {
        return Err(Some(format!("{found} bytes, expected {length}")));
    }
    // Read, not mapped: a mapped page could not be read anew.
    let mut head = [0; MAGIC.len() + 32];
    file.read_exact(&mut head).map_err(|error| Some(error.to_string()))?;
    if head[..MAGIC.len()] != *MAGIC || head[MAGIC.len()..] != *key {
        return Err(Some("of another model or version".to_owned()));
    }
    let pages = match pages::settle(&file, path.parent()) {
        Known::Value(words) => format!(", {words}"),
        Known::Unavailable { unavailable } => format!(" ({unavailable})"),
    };
    // SAFETY: files here are written whole under another name and renamed, never changed; whoever truncates one while it is
    // mapped ends this process, as with the model itself.
    let bytes = unsafe { Mmap::map(&file) }.map_err(|error| Some(error.to_string()))?;
    // Advice: where the file system has large pages, both what is read into memory and what is found there is mapped by them.
    #[cfg(target_os = "linux")]
    let _ = bytes.advise(memmap2::Advice::HugePage);
    evict::used(&file);
    Ok((bytes, pages))
}

/// Writes the file, under a name of this process until it is whole.
fn write(
    model: &Model,
    wanted: &[Wanted],
    path: &Path,
    key: &[u8; 32],
    pool: &mut Pool,
) -> Result<(), String> {
    let folder = path.parent().ok_or("the cache folder has no name")?;
    let told = |error: std::io::Error| format!("{}: {error}", folder.display());
    fs::create_dir_all(folder).map_err(told)?;
    let own = path.with_extension(format!("part-{}", std::process::id()));
    let written =
        fill(model, wanted, &own, key, pool).and_then(|()| fs::rename(&own, path).map_err(told));
    if written.is_err() {
        let _ = fs::remove_file(&own);
    }
    written
}

fn fill(
    model: &Model,
    wanted: &[Wanted],
    path: &Path,
    key: &[u8; 32],
    pool: &mut Pool,
) -> Result<(), String> {
    let told = |error: std::io::Error| format!("{}: {error}", path.display());
    let (places, end) = places(wanted, ALIGN);
    let mut options = OpenOptions::new();
    let file =
        options.read(true).write(true).create(true).truncate(true).open(path).map_err(told)?;
    reserve(&file, end as u64).map_err(told)?;
    // SAFETY: the file is new and its name is this process's own.
    let mut bytes = unsafe { MmapMut::map_mut(&file) }.map_err(told)?;
    // Advice, as when it is mapped to be read.
    #[cfg(target_os = "linux")]
    let _ = bytes.advise(memmap2::Advice::HugePage);
    build::build(model, wanted, &places, &mut bytes, pool)?;
    bytes[..MAGIC.len()].copy_from_slice(MAGIC);
    bytes[16..48].copy_from_slice(key);
    Ok(())
}

/// Makes room, so that a full disk is an error here and not a fault while writing to the map.
fn reserve(file: &File, bytes: u64) -> std::io::Result<()> {
    #[cfg(target_os = "linux")]
    match rustix::fs::fallocate(file, rustix::fs::FallocateFlags::empty(), 0, bytes) {
        // Not every file system can; then a full disk ends the process, as it would any writer to a map.
        Err(rustix::io::Errno::OPNOTSUPP) => {}
        other => other?,
    }
    file.set_len(bytes)
}
