//! What a program was made of, as git has it: a commit with the same inputs has the same program. What cannot be told for sure is an
//! error, and such a program stands for its own commit only.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::process::Command;

use serde::{Deserialize, Serialize};

use super::depinfo;
use super::tree::Tree;

/// Subcommands of cargo that only build.
const BUILDS: [&str; 5] = ["build", "b", "bench", "test", "t"];
/// Arguments that lead cargo to files of which its dep-info says nothing.
const ELSEWHERE: [&str; 3] = ["--config", "--manifest-path", "-Z"];

/// A program's inputs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Inputs {
    /// The commit it was built from.
    pub(super) commit: String,
    /// Files the compiler read: mode, kind and hash by path from the root.
    files: BTreeMap<String, String>,
    /// Folders of which everything counts: of packages with a build script, and those that a script watches.
    folders: BTreeMap<String, String>,
    /// Folders of packages: which files there are counts, since cargo and rustc find some by their names.
    packages: BTreeMap<String, String>,
    /// Manifests, locks, toolchains and configurations, wherever they lie.
    steering: String,
}

/// A program just built.
pub(super) struct Made<'a> {
    pub(super) program: &'a Path,
    pub(super) command: &'a [String],
    /// The checkout's root, and where in it the command ran.
    pub(super) root: &'a Path,
    pub(super) place: &'a Path,
    pub(super) target: &'a Path,
}

impl Inputs {
    /// Of a program that cargo has just built from a clean checkout of a commit.
    pub(super) fn of(made: &Made<'_>, commit: &str, tree: &Tree) -> Result<Inputs, String> {
        only_builds(made.command)?;
        if tree.has(".cargo-checksum.json") {
            return Err("dependencies lie in the repository".to_owned());
        }
        let found = read(made)?;
        let mut inputs = Inputs {
            commit: commit.to_owned(),
            files: BTreeMap::new(),
            folders: BTreeMap::new(),
            packages: BTreeMap::new(),
            steering: tree.steering(),
        };
        let mut packages = BTreeSet::new();
        for path in &found.paths {
            match tree.entry(path) {
                Some(entry) => {
                    inputs.files.insert(path.clone(), entry.to_owned());
                }
                None if made.root.join(path).is_dir() => {
                    inputs.folders.insert(path.clone(), tree.contents(path));
                }
                None => return Err(format!("{path} is read and no file of the commit")),
            }
            if path.ends_with(".rs") {
                packages.extend(tree.package_of(path));
            }
        }
        for package in packages {
            let Some(script) = script(&made.root.join(package))? else { continue };
            inputs.packages.insert(package.to_owned(), tree.names(package));
            if script {
                if !found.whole {
                    return Err(format!("{package} has a build script"));
                }
                inputs.folders.insert(package.to_owned(), tree.contents(package));
            }
        }
        match inputs.packages.is_empty() {
            true => Err("no package of the repository is in it".to_owned()),
            false => Ok(inputs),
        }
    }

    /// Whether a commit has them all, and nothing more that cargo could pick up.
    pub(super) fn hold(&self, tree: &Tree) -> bool {
        self.steering == tree.steering()
            && self.files.iter().all(|(path, entry)| tree.entry(path) == Some(entry.as_str()))
            && self.packages.iter().all(|(package, names)| tree.names(package) == *names)
            && self.folders.iter().all(|(folder, all)| tree.contents(folder) == *all)
    }
}

/// A command that runs cargo, to build and no more.
fn only_builds(command: &[String]) -> Result<(), String> {
    let [cargo, build, rest @ ..] = command else { return Err("no cargo".to_owned()) };
    let cargo = Path::new(cargo).file_stem().is_some_and(|name| name == "cargo");
    if !cargo || !BUILDS.contains(&build.as_str()) {
        return Err("it is not built by cargo alone".to_owned());
    }
    // `--target` may name a file that describes one.
    let elsewhere = |word: &&String| {
        ELSEWHERE.iter().any(|flag| word.starts_with(flag)) || word.ends_with(".json")
    };
    match rest.iter().find(elsewhere) {
        Some(word) => Err(format!("{word} may read other files")),
        None => Ok(()),
    }
}

/// Whether the package of a folder has a build script; `None` where the folder holds no package, but a workspace of others.
fn script(folder: &Path) -> Result<Option<bool>, String> {
    let file = folder.join("Cargo.toml");
    let text = fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    let manifest: toml::Table =
        toml::from_str(&text).map_err(|error| format!("{}: {error}", file.display()))?;
    let Some(package) = manifest.get("package") else { return Ok(None) };
    Ok(Some(match package.get("build") {
        None => folder.join("build.rs").exists(),
        Some(toml::Value::Boolean(false)) => false,
        Some(_) => true,
    }))
}

/// Paths from the root that dep-info names.
struct Found {
    paths: BTreeSet<String>,
    /// Whether they are cargo's own list of all, scripts' files included, and not each unit's of the compiler.
    whole: bool,
}

fn read(made: &Made<'_>) -> Result<Found, String> {
    // What cargo puts outside of `deps` has its list beside it, of all units of the workspace.
    let whole = made.program.parent().is_some_and(|parent| !parent.ends_with("deps"));
    let own = made.program.with_extension("d");
    let told = |error: std::io::Error| format!("{}: {error}", own.display());
    let text = fs::read_to_string(&own).map_err(told)?;
    let places = Places::of(made)?;
    let mut paths = BTreeSet::new();
    for source in depinfo::sources(&text) {
        if whole && !source.is_absolute() {
            return Err(format!("{}: where {} lies", own.display(), source.display()));
        }
        paths.extend(places.find(&source)?.ok_or_else(|| format!("no {}", source.display()))?);
    }
    if !whole {
        // Those of all units there are, some of them of other revisions: more than needed is no mistake.
        for file in depinfo::all(made.target).map_err(|error| error.to_string())? {
            let text = fs::read_to_string(&file)
                .map_err(|error| format!("{}: {error}", file.display()))?;
            for source in depinfo::sources(&text) {
                paths.extend(places.find(&source)?.flatten());
            }
        }
    }
    Ok(Found { paths, whole })
}

/// Where files lie that a compiler names.
struct Places {
    root: PathBuf,
    /// What compilers of the workspace run in.
    workspace: PathBuf,
    /// Whose files are known by the lock file or made of what is known.
    known: Vec<PathBuf>,
}

impl Places {
    fn of(made: &Made<'_>) -> Result<Places, String> {
        let real = |path: &Path| {
            path.canonicalize().map_err(|error| format!("{}: {error}", path.display()))
        };
        let mut cargo = Command::new("cargo");
        cargo.args(["locate-project", "--workspace", "--message-format", "plain"]);
        let output = cargo.current_dir(made.place).output().map_err(|error| error.to_string())?;
        let manifest = String::from_utf8_lossy(&output.stdout).trim_end().to_owned();
        let workspace = Path::new(&manifest).parent().ok_or("cargo finds no manifest")?;
        let mut known = vec![real(made.target)?];
        let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
        let home = home.or_else(|| Some(std::env::home_dir()?.join(".cargo")));
        for folder in ["registry", "git"] {
            known.extend(home.as_ref().and_then(|home| home.join(folder).canonicalize().ok()));
        }
        Ok(Places { root: real(made.root)?, workspace: real(workspace)?, known })
    }

    /// `None`: there is no such file; `Some(None)`: it need not be known; otherwise its path from the root.
    fn find(&self, source: &Path) -> Result<Option<Option<String>>, String> {
        let named = self.workspace.join(source);
        let Ok(real) = named.canonicalize() else { return Ok(None) };
        if self.known.iter().any(|known| real.starts_with(known)) {
            return Ok(Some(None));
        }
        let Ok(path) = real.strip_prefix(&self.root) else {
            return Err(format!("{} is read and not in the repository", source.display()));
        };
        // Behind a link another file's contents count than git has under this path.
        if real != plain(&named) {
            return Err(format!("{} is read through a link", source.display()));
        }
        let parts: Option<Vec<&str>> = path.iter().map(|part| part.to_str()).collect();
        Ok(Some(Some(parts.ok_or("a path that is no UTF-8")?.join("/"))))
    }
}

/// Without `.` and `..`.
fn plain(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut all, part| {
        match part {
            Component::ParentDir => {
                all.pop();
            }
            Component::CurDir => {}
            part => all.push(part),
        }
        all
    })
}
