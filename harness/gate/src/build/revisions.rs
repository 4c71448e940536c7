//! Programs of revisions: one checkout and one target folder a repository, so that a second build is quick and paths are the same in
//! all; one program a commit and recipe, kept.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::cargo::Step;
use super::git::{Git, Revision};
use crate::{Arm, Error};

/// How a side is built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipe {
    /// The command, run where in the checkout the gate was started, with `CARGO_TARGET_DIR` set.
    pub build: Vec<String>,
    /// The command of the control copy; the base's own program stands in where there is none.
    pub control: Option<Vec<String>>,
    /// What it is told by its environment.
    pub environment: Vec<(String, String)>,
    /// The program it makes, in the target folder or else in the checkout; a `*` in its name stands for a hash.
    pub program: PathBuf,
}

impl Recipe {
    /// Our own slice worker. Relocations stay in the program, so that machine code can be told apart function by function.
    pub fn kernel_slices() -> Recipe {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let build = "cargo build --release --locked -p yardstick-kernels --bin kernel-slices";
        let relocations = match cfg!(target_os = "linux") {
            true => vec![("RUSTFLAGS".to_owned(), "-Clink-arg=-Wl,--emit-relocs".to_owned())],
            false => Vec::new(),
        };
        let debug = ("CARGO_PROFILE_RELEASE_DEBUG".to_owned(), "0".to_owned());
        Recipe {
            build: words(build),
            control: Some(words(&format!("{build} --features control"))),
            environment: [relocations, vec![debug]].concat(),
            program: PathBuf::from("release/kernel-slices"),
        }
    }

    fn key(&self) -> String {
        let toolchain = std::process::Command::new("rustc").arg("-vV").output();
        let toolchain = toolchain.map(|output| output.stdout).unwrap_or_default();
        let text = format!("{self:?}{}", String::from_utf8_lossy(&toolchain));
        Sha256::digest(text.as_bytes()).iter().take(6).map(|byte| format!("{byte:02x}")).collect()
    }
}

/// A built side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Built {
    /// The program.
    pub program: PathBuf,
    /// Of this commit.
    pub commit: String,
    /// What one should know of it.
    pub note: Option<String>,
}

/// Revisions of one repository.
pub struct Revisions {
    git: Git,
    recipe: Recipe,
    /// Of this repository in the cache.
    folder: PathBuf,
    key: String,
    _lock: File,
}

impl Revisions {
    /// The repository that `here` is in, with its builds in `cache`. Waits while another gate builds there.
    pub fn open(here: &Path, cache: &Path, recipe: Recipe) -> Result<Revisions, Error> {
        let git = Git::of(here)
            .map_err(|words| Error::Request(format!("revisions need a git repository: {words}")))?;
        let root = git.root.display().to_string();
        let hash: String = Sha256::digest(root.as_bytes())
            .iter()
            .take(6)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let folder = cache.join(hash);
        fs::create_dir_all(folder.join("builds")).map_err(|error| Error::file(&folder, error))?;
        let lock = folder.join("lock");
        let file = File::create(&lock).map_err(|error| Error::file(&lock, error))?;
        file.lock().map_err(|error| Error::file(&lock, error))?;
        let key = recipe.key();
        Ok(Revisions { git, recipe, folder, key, _lock: file })
    }

    /// The program of a revision (`.`: of the working tree) for a side.
    pub fn build(&self, arm: Arm, revision: &str) -> Result<Built, Error> {
        let found = self.git.revision(revision, &self.folder);
        let Revision { commit, note } = found.map_err(|words| Error::of(arm, words))?;
        let command = match (arm, &self.recipe.control) {
            (Arm::Control, Some(control)) => control,
            _ => &self.recipe.build,
        };
        let kind = if arm == Arm::Control { "control" } else { "program" };
        let kept = self.folder.join("builds").join(format!("{commit}-{}-{kind}", self.key));
        if !kept.is_file() {
            self.make(arm, &commit, command, &kept)?;
        }
        Ok(Built { program: kept, commit, note })
    }

    /// Commits after `good` up to `bad`, the oldest first.
    pub fn between(&self, good: &str, bad: &str) -> Result<Vec<String>, Error> {
        let of = |text: &str| self.git.revision(text, &self.folder).map(|found| found.commit);
        let all = of(good).and_then(|good| self.git.between(&good, &of(bad)?));
        all.map_err(Error::Request)
    }

    /// A commit with its subject.
    pub fn title(&self, commit: &str) -> String {
        self.git.title(commit)
    }

    /// Where in the checkout the gate was started.
    pub fn place(&self) -> PathBuf {
        self.tree().join(&self.git.below)
    }

    fn tree(&self) -> PathBuf {
        self.folder.join("tree")
    }

    fn make(&self, arm: Arm, commit: &str, command: &[String], kept: &Path) -> Result<(), Error> {
        let (tree, target) = (self.tree(), self.folder.join("target"));
        self.git.checkout(commit, &tree).map_err(|words| Error::of(arm, words))?;
        let step = Step { words: command, environment: &self.recipe.environment };
        let short = commit.get(..12).unwrap_or(commit);
        step.run(&self.place(), &target)
            .map_err(|words| Error::of(arm, format!("{short} does not build: {words}")))?;
        let places = [target.join(&self.recipe.program), self.place().join(&self.recipe.program)];
        let Some(made) = places.iter().find_map(|place| newest(place)) else {
            let name = self.recipe.program.display();
            return Err(Error::of(arm, format!("{short} was built, but there is no {name}")));
        };
        let part = kept.with_extension(format!("part-{}", std::process::id()));
        let moved = fs::copy(made, &part).and_then(|_| fs::rename(&part, kept));
        moved.map_err(|error| Error::file(kept, error))
    }
}

/// A file; of those that a `*` in its name lets in, the newest without an extension.
fn newest(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?;
    let Some((before, after)) = name.split_once('*') else {
        return path.is_file().then(|| path.to_owned());
    };
    let files = fs::read_dir(path.parent()?).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    let fits = |file: &PathBuf| {
        let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let long = name.len() >= before.len() + after.len();
        long && name.starts_with(before) && name.ends_with(after) && file.extension().is_none()
    };
    let time = |file: &PathBuf| fs::metadata(file).and_then(|found| found.modified()).ok();
    files.filter(fits).filter(|file| file.is_file()).max_by_key(time)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::process::Command;

    fn git(folder: &Path, words: &str) {
        let who = ["-c", "user.name=a", "-c", "user.email=a@b"];
        let mut git = Command::new("git");
        let done = git.arg("-C").arg(folder).args(who).args(words.split(' ')).status();
        assert!(done.is_ok_and(|status| status.success()), "{words}");
    }

    /// A repository whose build copies a file, and one commit that does not build.
    #[test]
    fn revisions_are_built_once_and_a_failure_names_the_side_and_its_words() {
        let (folder, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        git(folder.path(), "init --quiet");
        for text in ["good", "bad"] {
            fs::write(folder.path().join("source"), text).unwrap();
            git(folder.path(), "add --all");
            git(folder.path(), &format!("commit --quiet -m {text}"));
        }
        let script = "grep -q good source || { echo 'error: bad source' >&2; exit 1; }; \
                      mkdir -p $CARGO_TARGET_DIR; cp source $CARGO_TARGET_DIR/made; echo x >> ../count";
        let recipe = Recipe {
            build: ["sh", "-c", script].map(str::to_owned).to_vec(),
            control: None,
            environment: Vec::new(),
            program: PathBuf::from("made"),
        };
        let revisions = Revisions::open(folder.path(), cache.path(), recipe).unwrap();
        let built = revisions.build(Arm::Base, "HEAD~1").unwrap();
        assert_eq!(fs::read_to_string(&built.program).unwrap(), "good");
        assert_eq!(revisions.build(Arm::Candidate, &built.commit).unwrap(), built);
        assert_eq!(fs::read_to_string(revisions.tree().join("../count")).unwrap(), "x\n");
        match revisions.build(Arm::Candidate, "HEAD") {
            Err(Error::Side { side: Arm::Candidate, what }) => {
                assert!(
                    what.contains("does not build") && what.contains("error: bad source"),
                    "{what}"
                );
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(revisions.between("HEAD~1", "HEAD").unwrap().len(), 1);
    }
}
