//! Programs that were built, kept in the cache by commit and recipe, each with its inputs beside it where they could be told; the least
//! recently used go. Whoever calls holds the lock of the repository's folder, as every gate does until it has measured.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::inputs::Inputs;
use super::tree::Tree;
use crate::Error;

/// Most programs of a repository that are kept.
const MOST: usize = 40;
/// Most bytes of them.
const MOST_BYTES: u64 = 4 << 30;

/// Programs of one repository.
pub(super) struct Kept {
    folder: PathBuf,
}

/// How a program is built, for the names of those alike: a hash of the recipe, `program` or `control`.
pub(super) struct Kind<'a> {
    pub(super) recipe: &'a str,
    pub(super) control: bool,
}

impl Kind<'_> {
    fn ending(&self) -> String {
        format!("-{}-{}", self.recipe, if self.control { "control" } else { "program" })
    }
}

impl Kept {
    /// In a folder, which is made.
    pub(super) fn open(folder: PathBuf) -> Result<Kept, Error> {
        fs::create_dir_all(&folder).map_err(|error| Error::file(&folder, error))?;
        Ok(Kept { folder })
    }

    /// Where a commit's is or would be.
    pub(super) fn place(&self, commit: &str, kind: &Kind<'_>) -> PathBuf {
        self.folder.join(format!("{commit}{}", kind.ending()))
    }

    /// A commit's own.
    pub(super) fn of(&self, commit: &str, kind: &Kind<'_>) -> Option<PathBuf> {
        let program = self.place(commit, kind);
        program.is_file().then_some(program)
    }

    /// One whose inputs a commit has all, the latest used first; with the commit it was built from.
    pub(super) fn alike(&self, tree: &Tree, kind: &Kind<'_>) -> Option<(PathBuf, String)> {
        let ending = format!("{}.inputs", kind.ending());
        let mut lists: Vec<PathBuf> = self.files().into_iter().map(|(path, ..)| path).collect();
        lists.retain(|path| path.to_str().is_some_and(|path| path.ends_with(&ending)));
        lists.into_iter().find_map(|list| {
            // One that cannot be read, of another version of the gate, is as good as none.
            let inputs: Inputs = serde_json::from_slice(&fs::read(&list).ok()?).ok()?;
            let program = list.with_extension("");
            (program.is_file() && inputs.hold(tree)).then_some((program, inputs.commit))
        })
    }

    /// Takes a program over.
    pub(super) fn keep(
        &self,
        made: &Path,
        at: &Path,
        inputs: Option<&Inputs>,
    ) -> Result<(), Error> {
        let part = at.with_extension("part");
        let list = inputs_of(at);
        // A list without its program is of no use; one of another program would be wrong.
        let _ = fs::remove_file(&list);
        let moved = fs::copy(made, &part).and_then(|_| fs::rename(&part, at));
        moved.map_err(|error| Error::file(at, error))?;
        let Some(inputs) = inputs else { return Ok(()) };
        let text = serde_json::to_vec_pretty(inputs).map_err(std::io::Error::other);
        let written = text.and_then(|text| fs::write(&part, text));
        written.and_then(|()| fs::rename(&part, &list)).map_err(|error| Error::file(&list, error))
    }

    /// Removes the least recently used beyond what is kept, and never one of `used`, which now are the latest.
    pub(super) fn prune(&self, used: &[PathBuf]) {
        for program in used {
            for file in [program.clone(), inputs_of(program)] {
                // Where the time cannot be set it is that of the build.
                let _ = File::open(file).and_then(|file| file.set_modified(SystemTime::now()));
            }
        }
        let (mut number, mut bytes) = (0, 0);
        for (program, _, length) in self.files() {
            if program.extension().is_some_and(|extension| extension == "inputs") {
                continue;
            }
            // One half copied when its gate was ended.
            let part = program.extension().is_some();
            if !part {
                (number, bytes) = (number + 1, bytes + length);
            }
            if part || ((number > MOST || bytes > MOST_BYTES) && !used.contains(&program)) {
                let _ = fs::remove_file(inputs_of(&program));
                let _ = fs::remove_file(&program);
            }
        }
    }

    /// Files with their times and lengths, the latest first.
    fn files(&self) -> Vec<(PathBuf, SystemTime, u64)> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let file = |entry: fs::DirEntry| {
            let found = entry.metadata().ok().filter(fs::Metadata::is_file)?;
            Some((entry.path(), found.modified().ok()?, found.len()))
        };
        let mut all: Vec<(PathBuf, SystemTime, u64)> = entries.filter_map(file).collect();
        all.sort_by(|a, b| (b.1, &b.0).cmp(&(a.1, &a.0)));
        all
    }
}

/// The list beside a program.
fn inputs_of(program: &Path) -> PathBuf {
    program.with_extension("inputs")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_least_recently_used_go_and_never_one_in_use() {
        let folder = tempfile::tempdir().unwrap();
        let kept = Kept::open(folder.path().join("builds")).unwrap();
        let kind = Kind { recipe: "r", control: false };
        let made = folder.path().join("made");
        fs::write(&made, "program").unwrap();
        let all: Vec<PathBuf> =
            (0..MOST + 5).map(|n| kept.place(&format!("{n:040}"), &kind)).collect();
        for (age, program) in all.iter().enumerate() {
            kept.keep(&made, program, None).unwrap();
            fs::write(inputs_of(program), "list").unwrap();
            let then = SystemTime::now() - Duration::from_secs(1000 + age as u64);
            File::open(program).unwrap().set_modified(then).unwrap();
        }
        fs::write(kept.place("left", &kind).with_extension("part"), "half").unwrap();
        // The oldest is in use: it stays and is the latest from now on.
        let oldest = all.last().unwrap().clone();
        kept.prune(std::slice::from_ref(&oldest));
        let left: Vec<&PathBuf> = all.iter().filter(|program| program.is_file()).collect();
        assert_eq!(left.len(), MOST);
        assert!(oldest.is_file() && left.contains(&&all[0]) && !left.contains(&&all[MOST]));
        assert_eq!(fs::read_dir(folder.path().join("builds")).unwrap().count(), 2 * MOST);
    }
}
