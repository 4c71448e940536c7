//! What programs published and computed, kept so that neither is done again: by a hash of the program, its arguments and this processor.
//! A file that is not what it was is removed, and made anew by whoever needs it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{Error, Program, hash};

/// Most bytes of values that are kept; the least recently used go.
const MOST_BYTES: u64 = 1 << 30;

/// A file's name in its folder, and what it holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Contents {
    pub(super) name: String,
    pub(super) bytes: u64,
    pub(super) sha256: String,
}

/// Of one kernel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Known {
    /// What every process maps; null where it publishes nothing.
    pub(super) shared: Option<Contents>,
    /// Its values of slice 0.
    pub(super) values: Contents,
}

/// What is known of one program.
pub(super) struct Memory {
    folder: PathBuf,
    list: PathBuf,
    kernels: BTreeMap<String, Known>,
}

impl Memory {
    /// Of a program, kept in `folder`; `None` where the processor cannot be told, on which values may depend.
    pub(super) fn of(program: &Program, folder: &Path) -> Option<Memory> {
        let (program_hash, _) = hash::of_file(&program.file).ok()?;
        let key = format!("{program_hash}\0{:?}\0{}", program.arguments, processor()?);
        let list = folder.join(format!("{}.json", hash::hex(key.as_bytes(), 16)));
        // One that cannot be read is as good as none.
        let read = fs::read(&list).ok().and_then(|text| serde_json::from_slice(&text).ok());
        Some(Memory { folder: folder.to_owned(), list, kernels: read.unwrap_or_default() })
    }

    /// What is known of a kernel.
    pub(super) fn get(&self, kernel: &str) -> Option<&Known> {
        self.kernels.get(kernel)
    }

    /// Its values, if they are still what they were.
    pub(super) fn values(&self, known: &Known) -> Option<Vec<u8>> {
        let bytes = fs::read(self.folder.join(bare(&known.values.name)?)).ok()?;
        let same = bytes.len() as u64 == known.values.bytes
            && hash::hex(&bytes, 32) == known.values.sha256;
        same.then_some(bytes)
    }

    /// Keeps what a kernel published and computed.
    pub(super) fn keep(
        &mut self,
        kernel: &str,
        shared: Option<Contents>,
        values: &[u8],
    ) -> Result<(), Error> {
        let sha256 = hash::hex(values, 32);
        let name = format!("{sha256}.values");
        self.write(&self.folder.join(&name), values)?;
        let values = Contents { name, bytes: values.len() as u64, sha256 };
        self.kernels.insert(kernel.to_owned(), Known { shared, values });
        let text = serde_json::to_vec(&self.kernels);
        let text = text.map_err(|error| Error::file(&self.list, error.into()))?;
        self.write(&self.list, &text)
    }

    fn write(&self, file: &Path, bytes: &[u8]) -> Result<(), Error> {
        let part = file.with_extension(format!("part-{}", std::process::id()));
        let made = fs::create_dir_all(&self.folder).and_then(|()| fs::write(&part, bytes));
        let moved = made.and_then(|()| fs::rename(&part, file));
        moved.map_err(|error| Error::file(file, error))
    }

    /// Removes the oldest beyond what is kept. What another comparison misses thereby it computes.
    pub(super) fn prune(&self) {
        prune(&self.folder, MOST_BYTES);
    }
}

/// Removes the files of a folder that were written or used longest ago, beyond so many bytes.
pub(super) fn prune(folder: &Path, most: u64) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let file = |entry: fs::DirEntry| {
        let found = entry.metadata().ok().filter(fs::Metadata::is_file)?;
        Some((found.modified().ok()?, entry.path(), found.len()))
    };
    let mut all: Vec<_> = entries.filter_map(file).collect();
    all.sort_by(|a, b| b.cmp(a));
    let mut bytes = 0;
    for (_, path, length) in all {
        bytes += length;
        if bytes > most {
            let _ = fs::remove_file(path);
        }
    }
}

impl Contents {
    /// Of a file just published.
    pub(super) fn of(file: &Path) -> Option<Contents> {
        let (sha256, bytes) = hash::of_file(file).ok()?;
        Some(Contents { name: file.file_name()?.to_str()?.to_owned(), bytes, sha256 })
    }

    /// Whether its name is the beginning of its hash, as our worker names files.
    pub(super) fn is_as_named(&self) -> bool {
        let stem = self.name.split('.').next().unwrap_or_default();
        stem.len() >= 16 && self.sha256.starts_with(stem)
    }

    /// The file in `folder` if it is still what it was; one that is not is removed, since its writer may go by the name alone.
    pub(super) fn checked(&self, folder: &Path) -> Option<PathBuf> {
        let file = folder.join(bare(&self.name)?);
        match hash::of_file(&file) {
            Ok((sha256, bytes)) if (&sha256, bytes) == (&self.sha256, self.bytes) => Some(file),
            Ok(_) => {
                let _ = fs::remove_file(&file);
                None
            }
            Err(_) => None,
        }
    }
}

/// A name that leads to no other folder.
fn bare(name: &str) -> Option<&str> {
    (Path::new(name).file_name()? == name).then_some(name)
}

/// What the system says of the first processor: a value may depend on it where instructions approximate.
fn processor() -> Option<String> {
    const TOLD: [&str; 12] = [
        "vendor_id",
        "cpu family",
        "model",
        "model name",
        "stepping",
        "microcode",
        "flags",
        "CPU implementer",
        "CPU variant",
        "CPU part",
        "CPU revision",
        "Features",
    ];
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let first = text.split("\n\n").next()?;
    let told =
        |line: &&str| line.split_once(':').is_some_and(|(name, _)| TOLD.contains(&name.trim_end()));
    let lines: Vec<&str> = first.lines().filter(told).collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_computed_is_known_to_the_same_program_until_a_file_changes() {
        let folder = tempfile::tempdir().unwrap();
        let program = |name: &str, text: &str| {
            let file = folder.path().join(name);
            fs::write(&file, text).unwrap();
            Program::of(file)
        };
        let at = folder.path().join("outputs");
        let Some(mut memory) = Memory::of(&program("a", "one"), &at) else {
            println!("skipped: the processor is not known");
            return;
        };
        assert_eq!(memory.get("k"), None);
        let shared = folder.path().join("shared");
        fs::write(&shared, "weights").unwrap();
        memory.keep("k", Contents::of(&shared), b"values").unwrap();
        // The same program under another name.
        let again = Memory::of(&program("b", "one"), &at).unwrap();
        let known = again.get("k").unwrap();
        assert_eq!(again.values(known).unwrap(), b"values");
        let told = known.shared.as_ref().unwrap();
        assert_eq!(told.checked(folder.path()), Some(shared.clone()));
        // Another program, or another argument.
        assert_eq!(Memory::of(&program("c", "two"), &at).unwrap().get("k"), None);
        let other = Program { arguments: vec!["x".to_owned()], ..program("b", "one") };
        assert_eq!(Memory::of(&other, &at).unwrap().get("k"), None);
        // Damaged, of the same length.
        fs::write(at.join(&known.values.name), b"valueS").unwrap();
        fs::write(&shared, "weightS").unwrap();
        assert_eq!((again.values(known), told.checked(folder.path())), (None, None));
        assert!(!shared.exists());
        let outside = Contents { name: "../a".to_owned(), ..told.clone() };
        assert_eq!(outside.checked(&at), None);
    }

    #[test]
    fn the_oldest_values_go() {
        let folder = tempfile::tempdir().unwrap();
        for (age, name) in ["new", "middle", "old"].into_iter().enumerate() {
            let file = folder.path().join(name);
            fs::write(&file, [0; 10]).unwrap();
            let then = std::time::SystemTime::now() - std::time::Duration::from_secs(age as u64);
            fs::File::open(&file).unwrap().set_modified(then).unwrap();
        }
        prune(folder.path(), 20);
        let left = |name: &str| folder.path().join(name).exists();
        assert_eq!((left("new"), left("middle"), left("old")), (true, true, false));
    }
}
