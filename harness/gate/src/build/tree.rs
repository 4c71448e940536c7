//! A commit's files as git has them: what two commits share is told without a checkout.

use std::collections::BTreeMap;

use super::git::Git;
use crate::hash::hex;

/// Files that steer a build wherever they lie: what cargo, rustup or git reads without being told.
const STEERING: [&str; 9] = [
    "Cargo.toml",
    "Cargo.lock",
    "rust-toolchain",
    "rust-toolchain.toml",
    ".cargo/config",
    ".cargo/config.toml",
    ".gitattributes",
    ".gitmodules",
    "build.rs",
];

/// Files of a commit by their path from the root, each with its mode, kind and hash.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tree {
    files: BTreeMap<String, String>,
}

impl Tree {
    /// Of a commit.
    pub(super) fn of(git: &Git, commit: &str) -> Result<Tree, String> {
        Tree::parse(&git.listing(commit)?)
    }

    /// From `git ls-tree -r -z`: `100644 blob HASH<tab>PATH<nul>`.
    fn parse(text: &str) -> Result<Tree, String> {
        if text.contains(char::REPLACEMENT_CHARACTER) {
            return Err("a path of the commit is no UTF-8".to_owned());
        }
        let file = |line: &str| {
            let (entry, path) =
                line.split_once('\t').ok_or_else(|| format!("git ls-tree: {line}"))?;
            Ok((path.to_owned(), entry.to_owned()))
        };
        let lines = text.split('\0').filter(|line| !line.is_empty());
        Ok(Tree { files: lines.map(file).collect::<Result<_, String>>()? })
    }

    /// Mode, kind and hash of a file; `None` where the commit has none.
    pub(super) fn entry(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(String::as_str)
    }

    /// Whether a file of this name lies anywhere.
    pub(super) fn has(&self, name: &str) -> bool {
        self.files.keys().any(|path| is(path, name))
    }

    /// Every file that steers a build, its path and contents.
    pub(super) fn steering(&self) -> String {
        let steers = |path: &str| STEERING.iter().any(|name| is(path, name));
        digest(self.files.iter().filter(|(path, _)| steers(path)), true)
    }

    /// Everything beneath a folder (empty: the root), contents and all.
    pub(super) fn contents(&self, folder: &str) -> String {
        digest(self.files.iter().filter(|(path, _)| beneath(path, folder)), true)
    }

    /// The paths of a package's files, without those of packages inside it.
    pub(super) fn names(&self, package: &str) -> String {
        let own = |path: &str| beneath(path, package) && self.package_of(path) == Some(package);
        digest(self.files.iter().filter(|(path, _)| own(path)), false)
    }

    /// The folder with the nearest manifest above a file; empty for the root.
    pub(super) fn package_of<'p>(&self, path: &'p str) -> Option<&'p str> {
        let mut folder = path;
        loop {
            folder = folder.rsplit_once('/').map_or("", |(folder, _)| folder);
            let manifest = match folder {
                "" => "Cargo.toml".to_owned(),
                folder => format!("{folder}/Cargo.toml"),
            };
            if self.files.contains_key(&manifest) {
                return Some(folder);
            }
            if folder.is_empty() {
                return None;
            }
        }
    }
}

/// Whether a path ends so, whole parts of it.
fn is(path: &str, name: &str) -> bool {
    path.strip_suffix(name).is_some_and(|before| before.is_empty() || before.ends_with('/'))
}

fn beneath(path: &str, folder: &str) -> bool {
    folder.is_empty() || path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

fn digest<'a>(files: impl Iterator<Item = (&'a String, &'a String)>, contents: bool) -> String {
    let mut text = String::new();
    for (path, entry) in files {
        text += path;
        text.push('\0');
        if contents {
            text += entry;
        }
        text.push('\0');
    }
    hex(text.as_bytes(), 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> Tree {
        let line = |(path, hash): &(&str, &str)| format!("100644 blob {hash}\t{path}\0");
        Tree::parse(&files.iter().map(line).collect::<String>()).unwrap()
    }

    #[test]
    fn names_count_in_a_package_and_not_beyond_it() {
        let files = [
            ("Cargo.toml", "1"),
            ("README.md", "1"),
            ("a/Cargo.toml", "1"),
            ("a/src/lib.rs", "1"),
            ("a/b/Cargo.toml", "1"),
            ("ab/x.rs", "1"),
        ];
        let one = tree(&files);
        let with = |path, hash| tree(&[&files[..], &[(path, hash)]].concat());
        assert_eq!(one.package_of("a/src/lib.rs"), Some("a"));
        assert_eq!(one.package_of("a/b/src/main.rs"), Some("a/b"));
        assert_eq!(one.package_of("ab/x.rs"), Some(""));
        assert_eq!(one.names("a"), with("a/b/new.rs", "1").names("a"));
        assert_eq!(one.names("a"), with("a/src/lib.rs", "2").names("a"));
        assert_ne!(one.names("a"), with("a/src/bin/new.rs", "1").names("a"));
        assert_ne!(one.contents("a"), with("a/src/lib.rs", "2").contents("a"));
        assert_eq!(one.contents("a"), with("ab/y.rs", "2").contents("a"));
        assert_eq!(one.steering(), with("a/src/lib.rs", "2").steering());
        for steers in ["c/Cargo.toml", "a/.cargo/config.toml", "rust-toolchain", "a/b/build.rs"] {
            assert_ne!(one.steering(), with(steers, "1").steering(), "{steers}");
        }
        assert_eq!(one.steering(), with("a/src/prebuild.rs", "1").steering());
        assert!(one.has("x.rs") && !one.has(".rs"));
    }

    #[test]
    fn what_is_no_listing_is_an_error() {
        assert!(Tree::parse("100644 blob 12 no tab\0").is_err());
        assert!(Tree::parse("100644 blob 12\tna\u{FFFD}me\0").is_err());
        assert_eq!(Tree::parse("").unwrap(), Tree::default());
    }
}
