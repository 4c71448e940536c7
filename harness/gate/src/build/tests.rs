//! Programs of a small cargo workspace: what changes one is built, what does not is not, and the program is always that of its commit.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Built, Recipe, Revisions};
use crate::Arm;

/// A program that says what it was made of: a constant, a file's text, a feature, its library's word and what that one's script read.
const FILES: &[(&str, &str)] = &[
    ("Cargo.toml", "[workspace]\nresolver = \"3\"\nmembers = [\"tiny\", \"helper\", \"other\"]\n"),
    (
        "tiny/Cargo.toml",
        "[package]\nname = \"tiny\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[features]\ndefault = []\nloud = []\n\
         [dependencies]\nhelper = { path = \"../helper\" }\n",
    ),
    (
        "tiny/src/main.rs",
        "const LOUD: bool = cfg!(feature = \"loud\");\n\
         fn main() { print!(\"one {} {LOUD} {}\", include_str!(\"../../data/text\"), helper::word()); }\n",
    ),
    ("tiny/tests/all.rs", "#[test] fn all() {}\n"),
    ("tiny/NOTES.md", "notes\n"),
    (
        "helper/Cargo.toml",
        "[package]\nname = \"helper\"\nversion = \"0.1.0\"\nedition = \"2024\"\n",
    ),
    (
        "helper/src/lib.rs",
        "pub fn word() -> &'static str { concat!(\"help \", env!(\"TABLE\")) }\n",
    ),
    ("other/Cargo.toml", "[package]\nname = \"other\"\nversion = \"0.1.0\"\nedition = \"2024\"\n"),
    ("other/src/lib.rs", "pub mod more;\n"),
    ("other/src/more.rs", "\n"),
    ("data/text", "text"),
    ("README.md", "A program.\n"),
];
/// Of the library: it reads a file of which it tells cargo nothing.
const SCRIPT: (&str, &str) = (
    "helper/build.rs",
    "fn main() { println!(\"cargo:rustc-env=TABLE={}\", std::fs::read_to_string(\"table\").unwrap()); }\n",
);

struct Place {
    folder: tempfile::TempDir,
    cache: tempfile::TempDir,
    revisions: Option<Revisions>,
    base: Option<Built>,
}

impl Place {
    /// A repository whose base is built; `None` where there is no cargo.
    fn new(files: &[(&str, &str)], program: &str) -> Option<Place> {
        Command::new("cargo").arg("-V").output().ok()?;
        let (folder, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut place = Place { folder, cache, revisions: None, base: None };
        place.git("init --quiet");
        files.iter().for_each(|(path, text)| place.write(path, text));
        let mut cargo = Command::new("cargo");
        cargo.args(["generate-lockfile", "--offline"]).current_dir(place.folder.path());
        let lock = cargo.output().unwrap();
        assert!(lock.status.success(), "{}", String::from_utf8_lossy(&lock.stderr));
        place.commit();
        place.git("tag base");
        let recipe = Recipe {
            build: "cargo build --locked --offline -p tiny".split(' ').map(str::to_owned).collect(),
            control: None,
            environment: Vec::new(),
            program: PathBuf::from(program),
        };
        let open = Revisions::open(place.folder.path(), place.cache.path(), recipe, &|| {});
        place.revisions = Some(open.unwrap());
        place.base = Some(place.build(Arm::Base, "base"));
        Some(place)
    }

    fn git(&self, words: &str) {
        let who = ["-c", "user.name=a", "-c", "user.email=a@b"];
        let mut git = Command::new("git");
        let done = git.arg("-C").arg(self.folder.path()).args(who).args(words.split(' ')).status();
        assert!(done.is_ok_and(|status| status.success()), "{words}");
    }

    /// A file; a link where an `@` follows the path.
    fn write(&self, path: &str, text: &str) {
        let file = self.folder.path().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        #[cfg(unix)]
        if let Some(link) = path.strip_suffix('@') {
            return std::os::unix::fs::symlink(text, self.folder.path().join(link)).unwrap();
        }
        fs::write(file, text).unwrap();
    }

    fn commit(&self) {
        self.git("add --all");
        self.git("commit --quiet -m change");
    }

    fn build(&self, arm: Arm, revision: &str) -> Built {
        self.revisions.as_ref().unwrap().build(arm, revision).unwrap()
    }

    /// Whether the base with some files written is built, and what its program says.
    fn with(&self, files: &[(&str, &str)]) -> (bool, String) {
        self.git("checkout --quiet --force base");
        files.iter().for_each(|(path, text)| self.write(path, text));
        self.commit();
        let built = self.build(Arm::Candidate, "HEAD");
        let note = built.note.clone().unwrap_or_default();
        let taken = note.contains("not built anew");
        // A program's name begins with the commit it was built from.
        let name = built.program.file_name().unwrap().to_str().unwrap();
        let of = if taken { note.as_str() } else { &built.commit };
        assert!(of.contains(&name[..12]), "{note}: {name}");
        (!taken, said(&built.program))
    }
}

fn said(program: &Path) -> String {
    String::from_utf8(Command::new(program).output().unwrap().stdout).unwrap()
}

#[test]
fn what_changes_a_program_is_built_and_what_does_not_is_not() {
    let files = [FILES, &[SCRIPT, ("helper/table", "table")]].concat();
    let Some(place) = Place::new(&files, "debug/tiny") else {
        println!("skipped: there is no cargo");
        return;
    };
    let before = "one text false help table";
    assert_eq!(said(&place.base.as_ref().unwrap().program), before);
    let lock = fs::read_to_string(place.folder.path().join("Cargo.lock")).unwrap();
    let tiny = FILES[1].1.replace("default = []", "default = [\"loud\"]");
    let kept: [&[(&str, &str)]; 4] = [
        &[("README.md", "Better words.\n"), ("docs/new.md", "And more.\n")],
        &[("tiny/NOTES.md", "other notes\n")],
        &[("tiny/tests/all.rs", "#[test] fn every() {}\n")],
        &[("other/src/more.rs", "pub fn more() {}\n")],
    ];
    for files in kept {
        assert_eq!(place.with(files), (false, before.to_owned()), "{files:?}");
    }
    let main = FILES[2].1.replace("one", "two");
    let script = SCRIPT.1.replace("read_to_string", "read_to_string /* as before */");
    let built: [(&str, &str, &str); 11] = [
        ("tiny/src/main.rs", &main, "two text false help table"),
        ("data/text", "words", "one words false help table"),
        ("tiny/Cargo.toml", &tiny, "one text true help table"),
        ("helper/table", "chair", "one text false help chair"),
        ("helper/src/lib.rs", "pub fn word() -> &'static str { \"lib\" }\n", "one text false lib"),
        ("helper/build.rs", &script, before),
        ("Cargo.lock", &format!("{lock}# A word.\n"), before),
        ("tiny/src/bin/new.rs", "fn main() {}\n", before),
        ("tiny/src/lib.rs", "\n", before),
        (".cargo/config.toml", "[build]\njobs = 1\n", before),
        (".gitattributes", "*.txt text\n", before),
    ];
    for (path, text, expected) in built {
        assert_eq!(place.with(&[(path, text)]), (true, expected.to_owned()), "{path}");
    }
    // One that was built stands for those like it, too.
    let again = place.with(&[("data/text", "words"), ("README.md", "Other words.\n")]);
    assert_eq!(again, (false, "one words false help table".to_owned()));
}

/// Cargo lists units of the workspace beside programs only that it puts outside of `deps`; of others each unit's own list is read.
#[test]
fn a_program_among_cargo_s_units_is_known_by_all_their_lists() {
    let helper = ("helper/src/lib.rs", "pub fn word() -> &'static str { \"help\" }\n");
    let files = [FILES, &[helper]].concat();
    let Some(place) = Place::new(&files, "debug/deps/tiny-*") else {
        println!("skipped: there is no cargo");
        return;
    };
    let before = "one text false help".to_owned();
    assert_eq!(place.with(&[("README.md", "Better words.\n")]), (false, before.clone()));
    let lib = ("helper/src/lib.rs", "pub fn word() -> &'static str { \"other\" }\n");
    assert_eq!(place.with(&[lib]), (true, "one text false other".to_owned()));
    assert_eq!(place.with(&[("data/text", "x")]), (true, "one x false help".to_owned()));
    // A package with a script: what it read stands in no list here.
    let script = [SCRIPT, ("helper/table", "table"), FILES[6]];
    assert!(place.with(&script).0);
    place.git("tag --force base");
    assert!(place.with(&[("README.md", "Other words.\n")]).0);
    assert_eq!(place.with(&[("helper/table", "x")]), (true, "one text false help x".to_owned()));
}

/// Git has a link's own contents under its path, and not those of the file it leads to.
#[cfg(unix)]
#[test]
fn what_is_read_through_a_link_is_built_for_every_commit() {
    let plain = FILES.iter().filter(|(path, _)| *path != "data/text").copied();
    let helper = ("helper/src/lib.rs", "pub fn word() -> &'static str { \"help\" }\n");
    let files: Vec<(&str, &str)> =
        plain.chain([helper, ("data/text@", "real"), ("data/real", "text")]).collect();
    let Some(place) = Place::new(&files, "debug/tiny") else {
        println!("skipped: there is no cargo");
        return;
    };
    assert_eq!(said(&place.base.as_ref().unwrap().program), "one text false help");
    assert!(place.with(&[("README.md", "Better words.\n")]).0);
    assert_eq!(place.with(&[("data/real", "x")]), (true, "one x false help".to_owned()));
}
