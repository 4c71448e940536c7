//! Where a file's bytes live: a read-only map, or memory (tests, fuzzing, archives).

use std::fs::{File, Metadata};
use std::ops::Range;
use std::path::Path;
use std::time::SystemTime;

use memmap2::Mmap;

/// The bytes of one file.
pub(crate) enum Backing {
    /// A map of an open file.
    Map(Map),
    /// Bytes owned by us.
    Memory(Vec<u8>),
}

/// A map and what the file looked like when it was made.
pub(crate) struct Map {
    mmap: Mmap,
    file: File,
    bytes: u64,
    modified: Option<SystemTime>,
}

/// Only a regular file has bytes to map.
fn regular(metadata: &Metadata) -> std::io::Result<()> {
    if metadata.is_file() {
        return Ok(());
    }
    let message = "not a regular file; give the path of a model file";
    Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, message))
}

/// Multiples of this begin a page, where pages are not larger.
#[cfg(unix)]
const PAGE: usize = 4096;

impl Backing {
    /// Maps the file at a path.
    pub(crate) fn open(path: &Path) -> std::io::Result<Backing> {
        // Asked before it is opened: a named pipe would be waited for.
        regular(&std::fs::metadata(path)?)?;
        Backing::map(File::open(path)?)
    }

    /// Maps an open file, read-only, at the length it has now.
    fn map(file: File) -> std::io::Result<Backing> {
        let metadata = file.metadata()?;
        regular(&metadata)?;
        let length = usize::try_from(metadata.len())
            .map_err(|_| std::io::Error::other("larger than this machine's address space"))?;
        // An empty map is an error on some systems; an empty file is the parser's business.
        if length == 0 {
            return Ok(Backing::Memory(Vec::new()));
        }
        // SAFETY: the map is read-only and private to this value. Another process that writes to the
        // file changes plain bytes, which every reader treats as untrusted numbers; one that shrinks it
        // makes later reads fault (SIGBUS), which ends this process only. `check_unchanged` narrows the
        // window, and measured runs happen in worker processes of their own.
        let mmap = unsafe { memmap2::MmapOptions::new().len(length).map(&file)? };
        // Advice: what is not in memory yet comes in large pages, which are looked up faster where the file system has them.
        #[cfg(target_os = "linux")]
        let _ = mmap.advise(memmap2::Advice::HugePage);
        let modified = metadata.modified().ok();
        Ok(Backing::Map(Map { mmap, file, bytes: metadata.len(), modified }))
    }

    /// All bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Backing::Map(map) => &map.mmap,
            Backing::Memory(bytes) => bytes,
        }
    }

    /// Lets go of the pages of a range that was walked once, so that a long header costs address space
    /// and not memory. They come back from the file when touched again.
    pub(crate) fn release(&self, range: Range<usize>) {
        #[cfg(unix)]
        if let Backing::Map(map) = self {
            // Whole pages of it; what shares a page with a neighbour stays.
            let start = range.start.next_multiple_of(PAGE);
            let range = start..(range.end / PAGE * PAGE).max(start);
            // SAFETY: the map is a read-only, shared map of a file: dropping its pages loses nothing,
            // the next access reads the same bytes from the file again. A refusal changes nothing.
            let _ = unsafe {
                map.mmap.unchecked_advise_range(
                    memmap2::UncheckedAdvice::DontNeed,
                    range.start,
                    range.len(),
                )
            };
        }
        #[cfg(not(unix))]
        let _ = range;
    }

    /// The open file, when there is one.
    pub(crate) fn file(&self) -> Option<&File> {
        match self {
            Backing::Map(map) => Some(&map.file),
            Backing::Memory(_) => None,
        }
    }

    /// What changed since the map was made: (what, found, expected).
    pub(crate) fn change(&self) -> std::io::Result<Option<(&'static str, String, String)>> {
        let Backing::Map(map) = self else { return Ok(None) };
        let now = map.file.metadata()?;
        if now.len() != map.bytes {
            let (found, expected) = (format!("{} bytes", now.len()), format!("{}", map.bytes));
            return Ok(Some(("file length", found, expected)));
        }
        let modified = now.modified().ok();
        if modified != map.modified {
            let (found, expected) = (format!("{modified:?}"), format!("{:?}", map.modified));
            return Ok(Some(("time of last change", found, expected)));
        }
        Ok(None)
    }
}
