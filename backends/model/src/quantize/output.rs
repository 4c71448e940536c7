//! A file that appears whole or not at all: written under another name beside it, synced, then renamed.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use sha2::{Digest, Sha256};

use super::Error;

/// End of the names of unfinished files.
const PART: &str = ".part";
/// An unfinished file that nobody wrote to for this long belongs to a writer that was killed.
const ABANDONED: Duration = Duration::from_secs(3600);

/// A file being written and hashed. Dropped before [`Output::commit`], it leaves nothing.
pub(crate) struct Output {
    /// `Some` until committed.
    file: Option<File>,
    part: PathBuf,
    path: PathBuf,
    needed: u64,
    hash: Sha256,
}

impl Output {
    /// Starts a file of `needed` bytes, if the disk has room for it. The folder is made if it is not there.
    pub(crate) fn create(path: &Path, needed: u64) -> Result<Output, Error> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        // A rename would put a file in the place of a device or a pipe.
        if fs::metadata(path).is_ok_and(|there| !there.is_file()) {
            let message = "not a regular file; name another destination";
            return Err(Error::io(path, io::Error::new(io::ErrorKind::InvalidInput, message)));
        }
        let folder = folder(path);
        fs::create_dir_all(folder).map_err(|e| Error::io(folder, e))?;
        remove_abandoned(path);
        if let Some(available) = available(folder)
            && available < needed
        {
            return Err(no_space(path, needed));
        }
        // The process and a counter: two writers of one file never share an unfinished one.
        let unique = format!("{}.{}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let part = folder.join(format!(".{}.{unique}{PART}", name(path)));
        let file = File::create(&part).map_err(|e| Error::io(&part, e))?;
        Ok(Output { file: Some(file), part, path: path.to_owned(), needed, hash: Sha256::new() })
    }

    /// What an error of writing this file means.
    pub(crate) fn explain(&self, error: Error) -> Error {
        let source = match error {
            Error::Io { source, .. } | Error::Model(crate::Error::Io { source, .. }) => source,
            other => return other,
        };
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                no_space(&self.path, self.needed)
            }
            _ => Error::io(&self.path, source),
        }
    }

    /// The bytes are on the disk; their SHA-256.
    pub(crate) fn sync(&mut self) -> Result<String, Error> {
        if let Some(file) = &self.file {
            file.sync_all().map_err(|e| self.explain(Error::io(&self.path, e)))?;
        }
        Ok(super::hash::hex(std::mem::take(&mut self.hash)))
    }

    /// Gives the file its name, in place of an older one.
    pub(crate) fn commit(mut self) -> Result<(), Error> {
        // Closed first: Windows renames no open file.
        drop(self.file.take());
        if let Err(error) = fs::rename(&self.part, &self.path) {
            let _ = fs::remove_file(&self.part);
            return Err(Error::io(&self.path, error));
        }
        self.sync_folder();
        Ok(())
    }

    /// The new name is on the disk too; where folders cannot be synced it will be soon.
    fn sync_folder(&self) {
        if let Ok(folder) = File::open(folder(&self.path)) {
            let _ = folder.sync_all();
        }
    }

    /// Gives the file its name if nothing has it yet. What another writer of the same file put there meanwhile stays: who has
    /// opened it must not find another file there.
    pub(crate) fn commit_first(self) -> Result<(), Error> {
        match fs::hard_link(&self.part, &self.path) {
            // The unfinished name goes when this is dropped.
            Ok(()) => {
                self.sync_folder();
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            // Not every file system has links.
            Err(_) => self.commit(),
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(file) = &mut self.file else {
            return Err(io::Error::other("written after its end"));
        };
        let written = file.write(bytes)?;
        self.hash.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if self.file.take().is_some() {
            let _ = fs::remove_file(&self.part);
        }
    }
}

fn no_space(path: &Path, needed: u64) -> Error {
    let available = available(folder(path));
    Error::NoSpace {
        path: path.display().to_string(),
        needed,
        available: available.map_or("an unknown number".to_owned(), |n| n.to_string()),
    }
}

/// Bytes this user may still write in a folder; `None` where the system does not say.
#[cfg(unix)]
fn available(folder: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(folder).ok()?;
    disk.f_bavail.checked_mul(disk.f_frsize)
}

/// Bytes this user may still write in a folder; `None` where the system does not say.
#[cfg(not(unix))]
fn available(_folder: &Path) -> Option<u64> {
    None
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn name(path: &Path) -> String {
    path.file_name().map_or("model".into(), |n| n.to_string_lossy().into_owned())
}

/// Removes what killed writers of this file left; failing to is harmless.
fn remove_abandoned(path: &Path) {
    let start = format!(".{}.", name(path));
    let Ok(entries) = fs::read_dir(folder(path)) else { return };
    for entry in entries.flatten() {
        let file = entry.file_name().to_string_lossy().into_owned();
        let modified = entry.metadata().and_then(|m| m.modified());
        let abandoned = modified
            .is_ok_and(|at| SystemTime::now().duration_since(at).is_ok_and(|age| age > ABANDONED));
        if file.starts_with(&start) && file.ends_with(PART) && abandoned {
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn of_two_writers_of_one_file_the_first_stays_and_leaves_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.gguf");
        let written = |bytes: &[u8]| {
            let mut output = Output::create(&path, 3).unwrap();
            output.write_all(bytes).unwrap();
            output.sync().unwrap();
            output
        };
        let (first, second) = (written(b"abc"), written(b"xyz"));
        first.commit_first().unwrap();
        let opened = File::open(&path).unwrap().metadata().unwrap();
        second.commit_first().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"abc");
        assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), opened.modified().unwrap());
        assert_eq!(files(folder.path()), ["model.gguf"]);
        // One that was bad is replaced.
        written(b"new").commit().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
    }

    #[test]
    fn a_file_appears_on_commit_and_a_dropped_one_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/model.gguf");
        let mut output = Output::create(&path, 3).unwrap();
        output.write_all(b"abc").unwrap();
        assert!(!path.exists());
        drop(output);
        assert!(files(path.parent().unwrap()).is_empty());
        let mut output = Output::create(&path, 3).unwrap();
        output.write_all(b"abc").unwrap();
        assert!(output.sync().unwrap().starts_with("ba7816bf"));
        output.commit().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"abc");
        assert_eq!(files(path.parent().unwrap()), ["model.gguf"]);
    }

    #[test]
    fn only_a_file_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let there = folder.path().join("there");
        fs::create_dir(&there).unwrap();
        let error = Output::create(&there, 3).err().unwrap().to_string();
        assert!(error.contains("not a regular file"), "{error}");
        assert_eq!(files(folder.path()), ["there"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_file_larger_than_the_disk_is_refused_with_both_numbers() {
        let folder = tempfile::tempdir().unwrap();
        let needed = 1 << 62;
        let error = Output::create(&folder.path().join("x.gguf"), needed).err().unwrap();
        let Error::NoSpace { available, .. } = &error else { panic!("{error}") };
        assert!(available.parse::<u64>().is_ok(), "{error}");
        assert!(error.to_string().contains(&needed.to_string()), "{error}");
        assert!(files(folder.path()).is_empty());
    }

    #[test]
    fn a_disk_that_fills_while_writing_is_no_space_and_not_a_bare_system_error() {
        let folder = tempfile::tempdir().unwrap();
        let output = Output::create(&folder.path().join("x.gguf"), 77).unwrap();
        let full = || io::Error::from(io::ErrorKind::StorageFull);
        let model = crate::Error::Io { path: "x".into(), source: full() };
        for error in [Error::io(Path::new("x"), full()), Error::Model(model)] {
            assert!(output.explain(error).to_string().contains("77 bytes needed"));
        }
        let other = Error::io(Path::new("x"), io::ErrorKind::PermissionDenied.into());
        assert!(matches!(output.explain(other), Error::Io { .. }));
    }

    #[test]
    fn abandoned_parts_go_and_those_of_live_writers_stay() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.gguf");
        for (name, age) in
            [(".m.gguf.1.0.part", 7200), (".m.gguf.2.0.part", 60), (".n.gguf.1.0.part", 7200)]
        {
            let file = File::create(folder.path().join(name)).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(age)).unwrap();
        }
        drop(Output::create(&path, 0).unwrap());
        assert_eq!(files(folder.path()), [".m.gguf.2.0.part", ".n.gguf.1.0.part"]);
    }
}
