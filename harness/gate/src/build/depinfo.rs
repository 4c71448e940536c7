//! What cargo and rustc say a program was made of: their dep-info files.

use std::path::{Path, PathBuf};

/// Files that a dep-info file names as what others are made of, as it names them: absolute, or from where the compiler ran.
pub(super) fn sources(text: &str) -> Vec<PathBuf> {
    let rules = text.lines().filter(|line| !line.starts_with('#'));
    rules.filter_map(after_target).flat_map(paths).collect()
}

/// What follows the target and its colon; a colon that ends a drive's letter is followed by no blank.
fn after_target(line: &str) -> Option<&str> {
    match line.find(": ") {
        Some(at) => Some(&line[at + 2..]),
        None => line.strip_suffix(':').map(|_| ""),
    }
}

/// Paths divided by blanks; a blank inside a path has a backslash before it.
fn paths(text: &str) -> Vec<PathBuf> {
    let (mut all, mut path, mut rest) = (Vec::new(), String::new(), text.chars().peekable());
    while let Some(c) = rest.next() {
        match c {
            '\\' if rest.peek() == Some(&' ') => path.extend(rest.next()),
            c if c.is_ascii_whitespace() => {
                all.extend((!path.is_empty()).then(|| PathBuf::from(std::mem::take(&mut path))));
            }
            c => path.push(c),
        }
    }
    all.extend((!path.is_empty()).then(|| PathBuf::from(path)));
    all
}

/// Every dep-info file beneath a target folder.
pub(super) fn all(target: &Path) -> std::io::Result<Vec<PathBuf>> {
    let (mut open, mut found) = (vec![target.to_owned()], Vec::new());
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let entry = entry?;
            let (path, kind) = (entry.path(), entry.file_type()?);
            let name = entry.file_name();
            // What cargo and rustc keep for themselves, in forms of their own.
            if kind.is_dir() && name != "incremental" && name != ".fingerprint" {
                open.push(path);
            } else if kind.is_file() && path.extension().is_some_and(|extension| extension == "d") {
                found.push(path);
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read_and_blanks_in_paths_kept() {
        let rustc = "/t/deps/a-1.d: src/lib.rs src/with\\ blank.rs\n\n/t/deps/liba.rlib: src/lib.rs\n\nsrc/lib.rs:\n\
                     # env-dep:CARGO_PKG_NAME=a: b\n";
        let found: Vec<PathBuf> =
            ["src/lib.rs", "src/with blank.rs", "src/lib.rs"].map(PathBuf::from).to_vec();
        assert_eq!(sources(rustc), found);
        assert_eq!(sources(r"C:\t\a.exe: C:\s\a.rs"), [PathBuf::from(r"C:\s\a.rs")]);
        assert!(sources("").is_empty() && sources("/t/a:\n").is_empty());
    }
}
