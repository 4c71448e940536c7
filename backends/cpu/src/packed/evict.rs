//! Keeps the cache folder from growing for ever: what nobody has used for a month goes, then the least recently used until the
//! rest is small enough. When a file was used last is its time of access, which every load sets.

use std::fs::{self, File, FileTimes};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Bytes that packed files take together at most; the one just written always stays.
const LIMIT: u64 = 32 << 30;
/// Unused for longer than this, a file goes.
const AGE: Duration = Duration::from_secs(30 * 24 * 3600);
/// Older than this, a file half-written was left by a process that ended.
const UNFINISHED: Duration = Duration::from_secs(24 * 3600);

/// A packed file in the folder, whole or not.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Kept {
    path: PathBuf,
    bytes: u64,
    /// Time since it was used, or since it was written to.
    idle: Duration,
    whole: bool,
}

/// Notes that a file is used now. A refusal makes it look older than it is.
pub(super) fn used(file: &File) {
    let _ = file.set_times(FileTimes::new().set_accessed(SystemTime::now()));
}

/// Removes what the rules say, never `own`, and says how many files those were. On systems where a file in use cannot be
/// removed it stays; elsewhere a process that has mapped it keeps its pages.
pub(super) fn evict(folder: &Path, own: &Path) -> usize {
    let gone = chosen(list(folder), own, LIMIT);
    gone.iter().filter(|path| fs::remove_file(path).is_ok()).count()
}

/// The packed files of a folder; anything else in it is none of ours.
fn list(folder: &Path) -> Vec<Kept> {
    let now = SystemTime::now();
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let kept = entries.filter_map(|entry| {
        let path = entry.path();
        let whole = is_whole(&path)?;
        let known = entry.metadata().ok().filter(fs::Metadata::is_file)?;
        let since = if whole { known.accessed() } else { known.modified() };
        let idle = now.duration_since(since.ok()?).unwrap_or_default();
        Some(Kept { path, bytes: known.len(), idle, whole })
    });
    kept.collect()
}

/// Whether a packed file is whole, by its name: 32 hexadecimal digits, then `.v` and the layout's version, or `.part-` and the
/// number of the process that writes it.
fn is_whole(path: &Path) -> Option<bool> {
    let (stem, end) = path.file_name()?.to_str()?.split_once('.')?;
    let number = |text: &str| !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
    let hash = stem.len() == 32 && stem.bytes().all(|c| c.is_ascii_hexdigit());
    match (end.strip_prefix('v'), end.strip_prefix("part-")) {
        (Some(version), _) if hash && number(version) => Some(true),
        (_, Some(process)) if hash && number(process) => Some(false),
        _ => None,
    }
}

/// Which files go.
fn chosen(mut kept: Vec<Kept>, own: &Path, limit: u64) -> Vec<PathBuf> {
    kept.sort_by_key(|file| file.idle);
    let mine = kept.iter().filter(|file| file.path == own).map(|file| file.bytes);
    let mut total = mine.sum::<u64>();
    let others = kept.into_iter().filter(|file| file.path != own);
    let gone = others.filter(|file| {
        if !file.whole {
            return file.idle > UNFINISHED;
        }
        let fits = total.saturating_add(file.bytes) <= limit;
        if fits && file.idle <= AGE {
            total += file.bytes;
            return false;
        }
        true
    });
    gone.map(|file| file.path).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 24 * 3600;

    fn kept(name: &str, bytes: u64, days: u64, whole: bool) -> Kept {
        Kept { path: name.into(), bytes, idle: Duration::from_secs(days * DAY), whole }
    }

    fn gone(kept: Vec<Kept>, limit: u64) -> Vec<String> {
        let mut gone: Vec<String> = chosen(kept, Path::new("own"), limit)
            .into_iter()
            .map(|path| path.display().to_string())
            .collect();
        gone.sort_unstable();
        gone
    }

    #[test]
    fn the_least_recently_used_go_until_the_rest_fits() {
        let files = || vec![kept("a", 4, 3, true), kept("own", 5, 0, true), kept("b", 4, 2, true)];
        assert_eq!(gone(files(), 13), [] as [&str; 0]);
        assert_eq!(gone(files(), 12), ["a"]);
        assert_eq!(gone(files(), 8), ["a", "b"]);
        assert_eq!(gone(files(), 1), ["a", "b"], "the one just written stays");
    }

    #[test]
    fn what_is_old_or_was_left_half_written_goes_whatever_the_size() {
        let files = vec![
            kept("old", 1, 31, true),
            kept("young", 1, 29, true),
            kept("begun", 1, 0, false),
            kept("left", 1, 2, false),
        ];
        assert_eq!(gone(files, 100), ["left", "old"]);
    }

    #[test]
    fn only_files_with_our_names_are_ours() {
        let hash = "0123456789abcdef0123456789abcdef";
        let named = |end: &str| is_whole(Path::new(&format!("/x/{hash}{end}")));
        assert_eq!((named(".v2"), named(".part-77")), (Some(true), Some(false)));
        for end in ["", ".v", ".vx", ".v2.gguf", ".part-", ".gguf"] {
            assert_eq!(named(end), None, "{end}");
        }
        assert_eq!(is_whole(Path::new("/x/notes.v2")), None);
    }
}
