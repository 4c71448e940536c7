//! One file into the cache: piece by piece beside its final name, then checked, then named.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use yardstick_model::source::{self, HubCache, HubFile, Located};

use crate::http::{Answer, Http, PIECE_BYTES};
use crate::{Error, Tell};

/// Failures in a row, without a byte between them, after which a download ends.
const MOST_FAILURES: u32 = 4;

/// What the server said of a file.
pub(crate) struct Wanted {
    /// Where its bytes are.
    pub(crate) url: String,
    pub(crate) commit: String,
    /// SHA-256 of large files, git's hash of small ones.
    pub(crate) etag: String,
    pub(crate) bytes: u64,
}

/// A file on its way.
pub(crate) struct Download<'a> {
    pub(crate) name: &'a str,
    pub(crate) file: &'a HubFile,
    pub(crate) cache: &'a HubCache,
    pub(crate) http: &'a Http,
    pub(crate) pause: Duration,
    /// Asks for the address of the bytes again: those of storage expire.
    pub(crate) renew: &'a dyn Fn() -> Result<String, Error>,
}

/// Why a piece did not come.
enum Broken {
    /// It may come the next time.
    Once(String),
    /// Never.
    Always(Box<Error>),
}

impl Download<'_> {
    pub(crate) fn run(&self, mut wanted: Wanted, tell: &mut Tell<'_>) -> Result<Located, Error> {
        let blobs = self.cache.repository(self.file).join("blobs");
        fs::create_dir_all(&blobs).map_err(|e| Error::io(&blobs, e))?;
        let blob = blobs.join(&wanted.etag);
        let sha256 = (wanted.etag.len() == 64).then(|| wanted.etag.clone());
        if !blob.is_file() {
            let part = blobs.join(format!("{}.incomplete", wanted.etag));
            let mut out = open(&part)?;
            self.fill(&mut out, &part, &mut wanted, tell)?;
            out.sync_all().map_err(|e| Error::io(&part, e))?;
            drop(out);
            self.check(&part, sha256.as_deref(), tell)?;
            fs::rename(&part, &blob).map_err(|e| Error::io(&blob, e))?;
        } else if let Some(sha256) = &sha256
            && !source::verify(&blob, sha256, tell)?
        {
            return Err(Error::Stopped);
        }
        let path = self.cache.snapshot(self.file, &wanted.commit);
        link(&blob, &path)?;
        self.note(&wanted.commit)?;
        Ok(Located { path, sha256 })
    }

    /// Appends pieces until all bytes are there.
    fn fill(
        &self,
        out: &mut File,
        part: &Path,
        wanted: &mut Wanted,
        tell: &mut Tell<'_>,
    ) -> Result<(), Error> {
        let mut done = out.metadata().map_err(|e| Error::io(part, e))?.len();
        if done > wanted.bytes {
            // Of another file: a hash would only tell at the end.
            done = 0;
        }
        out.set_len(done).map_err(|e| Error::io(part, e))?;
        let mut failures = 0;
        while done < wanted.bytes {
            if tell(done, wanted.bytes).is_break() {
                return Err(Error::Stopped);
            }
            let before = done;
            let reason = match self.piece(out, part, wanted, &mut done, tell) {
                Ok(()) => {
                    failures = 0;
                    continue;
                }
                Err(Broken::Always(error)) => return Err(*error),
                Err(Broken::Once(reason)) => reason,
            };
            failures = if done > before { 1 } else { failures + 1 };
            if failures >= MOST_FAILURES {
                let (name, total) = (self.name.to_owned(), wanted.bytes);
                return Err(Error::Interrupted { name, done, total, reason });
            }
            std::thread::sleep(self.pause * failures);
            // The address may have expired; where nobody answers, the next piece says so.
            if let Ok(url) = (self.renew)() {
                wanted.url = url;
            }
        }
        Ok(())
    }

    /// One request: from `done` on, all of the piece or what came of it.
    fn piece(
        &self,
        out: &mut File,
        part: &Path,
        wanted: &Wanted,
        done: &mut u64,
        tell: &mut Tell<'_>,
    ) -> Result<(), Broken> {
        let end = wanted.bytes.min(*done + PIECE_BYTES);
        let answer = self.http.get(&wanted.url, *done, end).map_err(Broken::Once)?;
        let end = match answer.status() {
            206 => {
                self.same_range(&answer, *done, wanted.bytes)?;
                end
            }
            // A server that knows no ranges begins at the beginning.
            200 => {
                *done = 0;
                out.set_len(0).map_err(|e| Broken::Always(Box::new(Error::io(part, e))))?;
                wanted.bytes
            }
            status => return Err(Broken::Once(format!("the storage answered {status}"))),
        };
        let mut body = answer.response.into_body().into_reader().take(end - *done);
        let mut buffer = vec![0; 128 << 10];
        loop {
            let n = match body.read(&mut buffer) {
                Ok(0) if *done == end => return Ok(()),
                Ok(0) => return Err(Broken::Once("the connection ended early".to_owned())),
                Ok(n) => n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Broken::Once(error.to_string())),
            };
            out.write_all(&buffer[..n])
                .map_err(|e| Broken::Always(Box::new(full(part, wanted.bytes, e))))?;
            *done += n as u64;
            if tell(*done, wanted.bytes).is_break() {
                return Err(Broken::Always(Box::new(Error::Stopped)));
            }
        }
    }

    /// The answer is of the bytes that were asked for, of a file of the length that was promised.
    fn same_range(&self, answer: &Answer, start: u64, total: u64) -> Result<(), Broken> {
        let found = answer.header("content-range").unwrap_or("nothing");
        let fits = found.strip_prefix(&format!("bytes {start}-")).is_some_and(|rest| {
            rest.split_once('/').is_some_and(|(_, all)| all == "*" || all == total.to_string())
        });
        if fits {
            return Ok(());
        }
        Err(Broken::Always(Box::new(Error::Answer {
            what: format!("{}: {}", self.name, answer.url),
            field: "content-range".to_owned(),
            found: format!("{:?}", found.chars().take(80).collect::<String>()),
            expected: format!("bytes from {start} of {total}"),
        })))
    }

    /// Compares with what was promised; wrong bytes are removed, since they would be resumed for ever.
    fn check(&self, part: &Path, sha256: Option<&str>, tell: &mut Tell<'_>) -> Result<(), Error> {
        let Some(expected) = sha256 else { return Ok(()) };
        match source::verify(part, expected, tell) {
            Ok(true) => Ok(()),
            Ok(false) => Err(Error::Stopped),
            Err(yardstick_model::Error::Invalid { found, .. }) => {
                fs::remove_file(part).map_err(|e| Error::io(part, e))?;
                let (name, expected) = (self.name.to_owned(), expected.to_owned());
                Err(Error::Checksum { name, found, expected })
            }
            Err(other) => Err(other.into()),
        }
    }

    /// Notes which commit a branch or tag stands for.
    fn note(&self, commit: &str) -> Result<(), Error> {
        if self.file.revision == commit {
            return Ok(());
        }
        let refs = self.cache.repository(self.file).join("refs");
        let path = self.file.revision.split('/').fold(refs, |path, part| path.join(part));
        replace(&path, &|new| fs::write(new, commit))
    }
}

/// The unfinished file, for this process alone.
fn open(part: &Path) -> Result<File, Error> {
    let file = OpenOptions::new().create(true).append(true).open(part);
    let file = file.map_err(|e| Error::io(part, e))?;
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(Error::Busy { path: part.display().to_string() }),
        // Where files cannot be locked, the checksum tells.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(file),
    }
}

fn full(part: &Path, needed: u64, error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            let message = format!(
                "no room: {needed} bytes needed; free some space or name another HF_HUB_CACHE"
            );
            Error::io(part, io::Error::new(error.kind(), message))
        }
        _ => Error::io(part, error),
    }
}

/// Makes a file beside its place and renames it there.
fn replace(path: &Path, make: &dyn Fn(&Path) -> io::Result<()>) -> Result<(), Error> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder).map_err(|e| Error::io(folder, e))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let new: PathBuf = folder.join(format!(".{name}.{}", std::process::id()));
    let _ = fs::remove_file(&new);
    make(&new).and_then(|()| fs::rename(&new, path)).map_err(|e| Error::io(path, e))
}

/// The name in the snapshot: a link to the blob, relative, as other programs make it.
#[cfg(unix)]
fn link(blob: &Path, path: &Path) -> Result<(), Error> {
    let repository = blob.parent().and_then(Path::parent).unwrap_or(blob);
    let inside = path.strip_prefix(repository).unwrap_or(path);
    let up = "../".repeat(inside.components().count().saturating_sub(1));
    let name = blob.file_name().unwrap_or_default().to_string_lossy();
    let target = format!("{up}blobs/{name}");
    replace(path, &|new| std::os::unix::fs::symlink(&target, new))
}

/// The name in the snapshot: links need rights on some systems.
#[cfg(not(unix))]
fn link(blob: &Path, path: &Path) -> Result<(), Error> {
    replace(path, &|new| fs::hard_link(blob, new).or_else(|_| fs::copy(blob, new).map(|_| ())))
}
