//! Reads of pseudo files: bounded, named by their path on a real machine, under a root that tests can move.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use crate::probe::Learnt;

/// Longest file read. `/proc/cpuinfo` of 1024 threads is about 2 MiB.
const MOST_BYTES: u64 = 4 << 20;
/// Most entries listed in one directory.
const MOST_ENTRIES: usize = 1 << 16;

/// The directory that holds `proc`, `sys` and `etc`: `/`, or a fixture tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    folder: PathBuf,
    /// Files that a test makes unreadable: root may read everything, and tests may run as root.
    #[cfg(test)]
    denied: Vec<String>,
}

impl Default for Root {
    fn default() -> Root {
        Root::new("/")
    }
}

impl Root {
    /// A fixture tree.
    pub fn new(path: impl Into<PathBuf>) -> Root {
        Root {
            folder: path.into(),
            #[cfg(test)]
            denied: Vec::new(),
        }
    }

    /// The same tree, in which nobody may read this file.
    #[cfg(test)]
    #[cfg(unix)]
    pub(crate) fn denying(mut self, path: &str) -> Root {
        self.denied.push(path.to_owned());
        self
    }

    /// Whether this is the machine itself, whose libraries may be asked too.
    pub(crate) fn is_machine(&self) -> bool {
        self.folder == Path::new("/")
    }

    /// Whether there is such a file or folder.
    pub(crate) fn exists(&self, path: &str) -> bool {
        self.path(path).exists()
    }

    /// Whether a file is there that this user may not read.
    pub(crate) fn denies(&self, path: &str) -> bool {
        self.open(path).is_err_and(|error| error.kind() == ErrorKind::PermissionDenied)
    }

    fn open(&self, path: &str) -> std::io::Result<File> {
        #[cfg(test)]
        if self.denied.iter().any(|denied| denied == path) {
            return Err(ErrorKind::PermissionDenied.into());
        }
        File::open(self.path(path))
    }

    /// Where `/proc/...` really is.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.folder.join(path.trim_start_matches('/'))
    }

    /// The text of a file; bytes that are not UTF-8 are replaced.
    pub(crate) fn read(&self, path: &str) -> Learnt<String> {
        self.open(path).and_then(read_bounded).map_err(|error| reason(path, &error))
    }

    /// A one-line file without its line end, cleaned for display; empty files are a reason.
    pub(crate) fn line(&self, path: &str) -> Learnt<String> {
        let text = self.read(path)?;
        let line = clean(text.lines().next().unwrap_or_default());
        if line.is_empty() { Err(format!("{path} is empty")) } else { Ok(line) }
    }

    /// A file that holds one whole number.
    pub(crate) fn number(&self, path: &str) -> Learnt<u64> {
        number(path, &self.line(path)?)
    }

    /// Names in a directory, sorted.
    pub(crate) fn list(&self, path: &str) -> Learnt<Vec<String>> {
        let entries = std::fs::read_dir(self.path(path)).map_err(|error| reason(path, &error))?;
        let mut names: Vec<String> = entries
            .take(MOST_ENTRIES)
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .collect();
        names.sort();
        Ok(names)
    }

    /// Writes a short text, as `clear_refs` wants it.
    pub(crate) fn write(&self, path: &str, text: &str) -> Learnt<()> {
        let mut options = std::fs::OpenOptions::new();
        options
            .write(true)
            .open(self.path(path))
            .and_then(|mut file| std::io::Write::write_all(&mut file, text.as_bytes()))
            .map_err(|error| reason(path, &error))
    }
}

fn read_bounded(file: File) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    file.take(MOST_BYTES).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Why a file could not be read, naming the path of a real machine and never the fixture's.
fn reason(path: &str, error: &std::io::Error) -> String {
    if !cfg!(any(target_os = "linux", target_os = "android")) && error.kind() == ErrorKind::NotFound
    {
        return format!(
            "{path} exists on Linux only; nothing else reads it on {}",
            std::env::consts::OS
        );
    }
    match error.kind() {
        ErrorKind::NotFound => format!("{path} does not exist"),
        ErrorKind::PermissionDenied => format!("{path} may not be read or written by this user"),
        // ESRCH: the process ended between the opening and the reading.
        _ if error.raw_os_error() == Some(3) => format!("{path}: the process has ended"),
        kind => format!("{path}: {kind}"),
    }
}

/// A whole number, or what stood there instead.
pub(crate) fn number(what: &str, text: &str) -> Learnt<u64> {
    let text = text.trim();
    text.parse().map_err(|_| format!("{what}: expected a whole number, found {:?}", clip(text, 32)))
}

/// A line of the form `Name:   123 kB`, in bytes.
pub(crate) fn kilobytes(file: &str, text: &str, name: &str) -> Learnt<u64> {
    let value = labelled(file, text, name)?;
    let digits = value.strip_suffix("kB").unwrap_or(value);
    let kilobytes = number(&format!("{name} in {file}"), digits)?;
    kilobytes
        .checked_mul(1024)
        .ok_or_else(|| format!("{name} in {file} is too large: {kilobytes} kB"))
}

/// The text after `Name:` on the first line that begins so.
pub(crate) fn labelled<'a>(file: &str, text: &'a str, name: &str) -> Learnt<&'a str> {
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(label, _)| label.trim() == name)
        .map(|(_, value)| value.trim())
        .ok_or_else(|| format!("{file} has no line {name}"))
}

/// Text without control characters, at most 256 characters.
pub(crate) fn clean(text: &str) -> String {
    let printable: String = text.chars().filter(|c| !c.is_control()).collect();
    clip(printable.trim(), 256)
}

fn clip(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}
