//! Large pages: whether the memory of a mapped file is of them, and having the system read the file anew where it is not.
//!
//! A file system that has large pages fills them when it reads or writes two MiB in one go; what came into memory bit by bit
//! (another program read it, or memory ran short once) stays on small pages for as long as it is cached. Every 4 KiB then
//! needs a translation of its own, and the processor's prefetchers stop at their ends: a step of decode takes a third longer.
//!
//! Source: Linux, Documentation/admin-guide/mm/transhuge.rst, and fs/proc/task_mmu.c for the fields of `smaps`.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use memmap2::Mmap;
use yardstick_api::{Known, host};

/// A large page.
const LARGE: usize = 2 << 20;
/// Below so many large pages they do not matter.
const FEWEST: usize = 4;
/// This share of them is as good as all: the ends of a file never are.
const ENOUGH: f64 = 0.9;
/// Below this reading anew was in vain: the file system has none, or another process has the file mapped.
const NONE: f64 = 0.01;
/// After this time it is tried again.
const AGAIN: Duration = Duration::from_secs(3600);
/// The file in a cache folder whose time says when it was in vain.
const MARK: &str = "no-large-pages";

/// Has a file's memory on large pages if the system can, and says which share of it is.
///
/// Reads all of the file into the system's cache. Pages that another process has mapped stay as they are. `folder` remembers for an
/// hour that it was in vain; without one nothing is read anew.
pub(crate) fn settle(file: &File, folder: Option<&Path>) -> Known<String> {
    let words = |share: f64| format!("{:.0} % on large pages", 100.0 * share);
    match look(file) {
        Err(reason) => Known::unavailable(reason),
        Ok(share) if share >= ENOUGH => Known::Value(words(share)),
        Ok(share) => match folder {
            None => Known::Value(words(share)),
            Some(folder) if asked_lately(folder) => Known::Value(format!(
                "{}, read anew for more in vain within the hour",
                words(share)
            )),
            Some(folder) => match read_anew(file, folder) {
                Err(reason) => Known::unavailable(reason),
                Ok(now) => Known::Value(format!(
                    "{}, read anew for it ({:.0} % before)",
                    words(now),
                    100.0 * share
                )),
            },
        },
    }
}

fn read_anew(file: &File, folder: &Path) -> Result<f64, String> {
    forget(file);
    let share = look(file)?;
    if share < NONE {
        // Where it cannot be remembered it is tried again.
        let _ = std::fs::write(folder.join(MARK), b"");
    }
    Ok(share)
}

fn asked_lately(folder: &Path) -> bool {
    let modified = std::fs::metadata(folder.join(MARK)).and_then(|found| found.modified());
    modified.is_ok_and(|at| at.elapsed().is_ok_and(|since| since < AGAIN))
}

/// Takes a file out of the system's cache, as far as nobody has it mapped.
fn forget(file: &File) {
    // What is not on the disk yet stays; a refusal changes nothing.
    let _ = file.sync_data();
    #[cfg(target_os = "linux")]
    let _ = rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed);
}

/// Share of a file's bytes that a map of it has on large pages (0 to 1), or why nobody tells.
fn look(file: &File) -> Result<f64, String> {
    let told = |error: std::io::Error| error.to_string();
    let length = usize::try_from(file.metadata().map_err(told)?.len())
        .map_err(|_| "larger than this machine's address space")?;
    if length < FEWEST * LARGE {
        return Err(format!("{} KiB are too few for large pages to matter", length >> 10));
    }
    if cfg!(not(target_os = "linux")) {
        return Err("this system does not tell".to_owned());
    }
    if let Known::Value(free) = host::available_memory()
        && length as u64 > free
    {
        return Err(format!(
            "{} MiB do not fit into the {} MiB that are free",
            length >> 20,
            free >> 20
        ));
    }
    // SAFETY: the map is read-only and gone at the end of this function; whoever shortens the file meanwhile ends this process, as with
    // the maps that the weights are read from.
    let bytes = unsafe { Mmap::map(file) }.map_err(told)?;
    #[cfg(target_os = "linux")]
    let _ = bytes.advise(memmap2::Advice::HugePage);
    // A touched page is mapped: all of a large one, or a few small ones.
    for byte in bytes.iter().step_by(LARGE) {
        std::hint::black_box(*byte);
    }
    let maps = std::fs::read_to_string("/proc/self/smaps")
        .map_err(|error| format!("/proc/self/smaps: {error}"))?;
    let start = bytes.as_ptr().addr();
    let large = on_large(&maps, start, start + length.next_multiple_of(4096))
        .ok_or("/proc/self/smaps does not tell large pages of files")?;
    Ok(large as f64 / length as f64)
}

/// Bytes on large pages of the maps from one address to another, by the text of `smaps`; `None` where it has no such field.
fn on_large(maps: &str, from: usize, to: usize) -> Option<u64> {
    let mut inside = false;
    let mut found = None;
    for line in maps.lines() {
        if let Some((start, end)) = range(line) {
            inside = from <= start && end <= to;
            continue;
        }
        let Some((field, rest)) = line.split_once(':').filter(|_| inside) else { continue };
        if matches!(field, "FilePmdMapped" | "ShmemPmdMapped") {
            let kib: u64 = rest.trim().strip_suffix("kB")?.trim().parse().ok()?;
            found = Some(found.unwrap_or(0_u64).saturating_add(kib.saturating_mul(1024)));
        }
    }
    found
}

/// The addresses that begin the lines of one map: `7f00-7f80 r--s ...`
fn range(line: &str) -> Option<(usize, usize)> {
    let (start, end) = line.split_once(' ')?.0.split_once('-')?;
    let address = |text| usize::from_str_radix(text, 16).ok();
    Some((address(start)?, address(end)?))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const MAPS: &str = "\
1000-3000 r--s 00000000 fe:00 12 /m/a.gguf
Size:                  8 kB
FilePmdMapped:      2048 kB
ShmemPmdMapped:        0 kB
3000-9000 r--s 00002000 fe:00 12 /m/a.gguf
FilePmdMapped:      4096 kB
VmFlags: rd mr hg
a000-b000 rw-p 00000000 00:00 0
FilePmdMapped:      8192 kB
";

    #[test]
    fn the_maps_of_a_file_are_summed_and_no_others() {
        assert_eq!(on_large(MAPS, 0x1000, 0x9000), Some(6 << 20));
        assert_eq!(on_large(MAPS, 0x3000, 0x9000), Some(4 << 20));
        assert_eq!(on_large(MAPS, 0xc000, 0xd000), None);
        assert_eq!(on_large("1000-2000 r--s 0 0 0 x\nFilePmdMapped: many kB\n", 0, 0x9000), None);
        assert_eq!(on_large("", 0, 1), None);
    }

    #[test]
    fn a_small_file_and_a_folder_are_reasons() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("small");
        std::fs::write(&path, [1; 5000]).unwrap();
        let of = |path: &Path| settle(&File::open(path).unwrap(), Some(folder.path()));
        assert!(of(&path).reason().unwrap().contains("4 KiB are too few"), "{:?}", of(&path));
        assert!(of(folder.path()).reason().is_some());
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn what_came_into_memory_bit_by_bit_is_read_anew_or_the_refusal_remembered() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights");
        let mut file = File::create(&path).unwrap();
        for n in 0..6 * LARGE / 4096 {
            file.write_all(&[n as u8; 4096]).unwrap();
        }
        let file = File::open(&path).unwrap();
        let first = settle(&file, Some(folder.path()));
        let first = first.value().unwrap();
        let percent = |words: &str| words.split(' ').next()?.parse::<f64>().ok();
        let whole = |words: &str| percent(words).is_some_and(|n| n >= 90.0);
        let refused = folder.path().join(MARK).exists();
        let second = settle(&file, Some(folder.path()));
        let second = second.value().unwrap();
        match refused {
            true => assert!(second.contains("in vain"), "{first}; {second}"),
            // Found so from then on, where memory was not too scattered for some of them.
            false if whole(first) => assert!(!second.contains("anew"), "{first}; {second}"),
            false => assert!(second.contains("on large pages"), "{first}; {second}"),
        }
    }
}
