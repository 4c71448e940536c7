//! Programs of revisions: one checkout and one target folder a repository, so that a second build is quick and paths are the same in
//! all; one program for the same inputs and recipe, kept.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use super::cargo::Step;
use super::git::{Git, Revision};
use super::inputs::{Inputs, Made};
use super::kept::{Kept, Kind};
use super::tree::Tree;
use crate::hash::hex;
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

    /// Of everything but the sources that makes a program; `below` is the folder of the repository it is built in.
    fn key(&self, below: &Path) -> String {
        let toolchain = std::process::Command::new("rustc").arg("-vV").output();
        let toolchain = toolchain.map(|output| output.stdout).unwrap_or_default();
        let text = format!("{self:?}{below:?}{}", String::from_utf8_lossy(&toolchain));
        hex(text.as_bytes(), 6)
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

/// Revisions of one repository. While it lives no other gate builds, checks out or removes anything there.
pub struct Revisions {
    git: Git,
    recipe: Recipe,
    /// Of this repository in the cache.
    folder: PathBuf,
    kept: Kept,
    key: String,
    /// What names meant when [`Revisions::fix`] was called.
    fixed: RefCell<BTreeMap<String, Revision>>,
    /// Programs that were asked for.
    used: RefCell<Vec<PathBuf>>,
    _lock: File,
}

impl Revisions {
    /// The repository that `here` is in, with its builds in `cache`. Where another gate has it, `waiting` is called, and it waits.
    pub fn open(
        here: &Path,
        cache: &Path,
        recipe: Recipe,
        waiting: &dyn Fn(),
    ) -> Result<Revisions, Error> {
        let git = Git::of(here)
            .map_err(|words| Error::Request(format!("revisions need a git repository: {words}")))?;
        let folder = cache.join(hex(git.root.display().to_string().as_bytes(), 6));
        let kept = Kept::open(folder.join("builds"))?;
        let lock = locked(&folder.join("lock"), waiting)?;
        let key = recipe.key(&git.below);
        let (fixed, used) = (RefCell::default(), RefCell::default());
        Ok(Revisions { git, recipe, folder, kept, key, fixed, used, _lock: lock })
    }

    /// From now on a revision's name (`.`: the working tree) means what it means now, however long other builds take.
    pub fn fix(&self, arm: Arm, revision: &str) -> Result<(), Error> {
        let found = self.find(arm, revision)?;
        self.fixed.borrow_mut().insert(revision.to_owned(), found);
        Ok(())
    }

    fn find(&self, arm: Arm, revision: &str) -> Result<Revision, Error> {
        if let Some(found) = self.fixed.borrow().get(revision) {
            return Ok(found.clone());
        }
        self.git.revision(revision, &self.folder).map_err(|words| Error::of(arm, words))
    }

    /// The program of a revision (`.`: of the working tree) for a side.
    pub fn build(&self, arm: Arm, revision: &str) -> Result<Built, Error> {
        let Revision { commit, mut note } = self.find(arm, revision)?;
        let kind = Kind { recipe: &self.key, control: arm == Arm::Control };
        // A listing that git does not give only costs a build.
        let tree = Tree::of(&self.git, &commit).ok();
        let alike = || self.kept.alike(tree.as_ref()?, &kind);
        let program = match self.kept.of(&commit, &kind) {
            Some(program) => program,
            None => match alike() {
                Some((program, of)) => {
                    let told = format!("its sources are those of {}: not built anew", short(&of));
                    note =
                        Some(note.map_or_else(|| told.clone(), |note| format!("{note}; {told}")));
                    program
                }
                None => self.make(arm, &commit, tree.as_ref(), &kind)?,
            },
        };
        // Benches may read files of the repository: they find the candidate's.
        if arm == Arm::Candidate {
            let checkout = self.git.checkout(&commit, &self.tree());
            checkout.map_err(|words| Error::of(arm, words))?;
        }
        let mut used = self.used.borrow_mut();
        used.push(program.clone());
        self.kept.prune(&used);
        Ok(Built { program, commit, note })
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

    fn make(
        &self,
        arm: Arm,
        commit: &str,
        tree: Option<&Tree>,
        kind: &Kind<'_>,
    ) -> Result<PathBuf, Error> {
        let (root, target) = (self.tree(), self.folder.join("target"));
        self.git.checkout(commit, &root).map_err(|words| Error::of(arm, words))?;
        let command = match &self.recipe.control {
            Some(control) if kind.control => control,
            _ => &self.recipe.build,
        };
        let step = Step { words: command, environment: &self.recipe.environment };
        let place = self.place();
        step.run(&place, &target).map_err(|words| {
            Error::of(arm, format!("{} does not build: {words}", short(commit)))
        })?;
        let places = [target.join(&self.recipe.program), place.join(&self.recipe.program)];
        let Some(program) = places.iter().find_map(|place| newest(place)) else {
            let (short, name) = (short(commit), self.recipe.program.display());
            return Err(Error::of(arm, format!("{short} was built, but there is no {name}")));
        };
        let made = Made { program: &program, command, root: &root, place: &place, target: &target };
        let inputs = tree.and_then(|tree| Inputs::of(&made, commit, tree).ok());
        let kept = self.kept.place(commit, kind);
        self.kept.keep(&program, &kept, inputs.as_ref())?;
        Ok(kept)
    }
}

/// A lock on a file, at once or after the one who has it.
fn locked(path: &Path, waiting: &dyn Fn()) -> Result<File, Error> {
    let told = |error| Error::file(path, error);
    let file = File::create(path).map_err(told)?;
    match file.try_lock() {
        Ok(()) => return Ok(file),
        Err(TryLockError::WouldBlock) => waiting(),
        Err(TryLockError::Error(error)) => return Err(told(error)),
    }
    file.lock().map_err(told)?;
    Ok(file)
}

fn short(commit: &str) -> &str {
    commit.get(..12).unwrap_or(commit)
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
        let revisions = Revisions::open(folder.path(), cache.path(), recipe, &|| {}).unwrap();
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
        // The branch moves on while the base is built.
        revisions.fix(Arm::Candidate, "HEAD~1").unwrap();
        git(folder.path(), "commit --quiet --allow-empty -m later");
        assert_eq!(revisions.build(Arm::Candidate, "HEAD~1").unwrap(), built);
    }
}
