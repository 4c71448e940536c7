//! What is asked of git.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A repository.
pub(super) struct Git {
    /// Its root.
    pub(super) root: PathBuf,
    /// The folder asked about, below the root.
    pub(super) below: PathBuf,
}

/// A commit to build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Revision {
    pub(super) commit: String,
    /// What one should know: that it is a working tree with changes.
    pub(super) note: Option<String>,
}

impl Git {
    /// The repository a folder is in.
    pub(super) fn of(folder: &Path) -> Result<Git, String> {
        let root = run(folder, ["rev-parse", "--show-toplevel"], &[])?;
        let below = run(folder, ["rev-parse", "--show-prefix"], &[])?;
        Ok(Git { root: PathBuf::from(root), below: PathBuf::from(below) })
    }

    /// A revision's commit; `.` is the working tree as it is, which is made a commit that no branch knows.
    pub(super) fn revision(&self, text: &str, scratch: &Path) -> Result<Revision, String> {
        if text == "." {
            return self.working_tree(scratch);
        }
        let asked = format!("{text}^{{commit}}");
        let commit = self.run(&["rev-parse", "--verify", "--quiet", "--end-of-options", &asked]);
        let commit = commit.map_err(|_| format!("git knows no revision {text}"))?;
        Ok(Revision { commit, note: None })
    }

    fn working_tree(&self, scratch: &Path) -> Result<Revision, String> {
        let head = self.run(&["rev-parse", "HEAD"])?;
        let changes = self.run(&["status", "--porcelain"])?;
        if changes.is_empty() {
            return Ok(Revision { commit: head, note: None });
        }
        // An index of our own: the user's stays as it is.
        let index = scratch.join("index");
        let own: &[(&str, &OsStr)] = &[("GIT_INDEX_FILE", index.as_os_str())];
        let of = |arguments: &[&str]| run(&self.root, arguments, own);
        of(&["read-tree", "HEAD"])?;
        of(&["add", "--all"])?;
        let tree = of(&["write-tree"])?;
        let who = ["-c", "user.name=yardstick gate", "-c", "user.email=gate@localhost"];
        // No date of its own: the same tree is the same commit, which is built once.
        let date: &OsStr = OsStr::new("2000-01-01T00:00:00Z");
        let dated = &[("GIT_AUTHOR_DATE", date), ("GIT_COMMITTER_DATE", date)];
        let make = ["commit-tree", &tree, "-p", &head, "-m", "the working tree, for the gate"];
        let commit = run(&self.root, who.iter().chain(&make), dated)?;
        let files = changes.lines().count();
        let short = head.get(..12).unwrap_or(&head);
        let note = format!("the working tree, {files} files changed since {short}");
        Ok(Revision { commit, note: Some(note) })
    }

    /// Makes `folder` a checkout of a commit, whatever it was.
    pub(super) fn checkout(&self, commit: &str, folder: &Path) -> Result<(), String> {
        let path = folder.display().to_string();
        if !folder.join(".git").exists() {
            let _ = self.run(&["worktree", "prune"]);
            self.run(&["worktree", "add", "--force", "--detach", &path, commit])?;
            return Ok(());
        }
        let here = |arguments: &[&str]| run(folder, arguments, &[]);
        here(&["checkout", "--quiet", "--force", "--detach", commit])?;
        here(&["clean", "--quiet", "-fdx"]).map(|_| ())
    }

    /// All files of a commit: `git ls-tree -r -z`.
    pub(super) fn listing(&self, commit: &str) -> Result<String, String> {
        self.run(&["ls-tree", "-r", "-z", "--full-tree", commit])
    }

    /// Commits after `good` up to `bad`, the oldest first, along first parents.
    pub(super) fn between(&self, good: &str, bad: &str) -> Result<Vec<String>, String> {
        let range = format!("{good}..{bad}");
        let text = self.run(&["rev-list", "--first-parent", "--reverse", &range])?;
        Ok(text.lines().map(str::to_owned).collect())
    }

    /// `0123456789ab Subject`
    pub(super) fn title(&self, commit: &str) -> String {
        let told = self.run(&["show", "--no-patch", "--format=%h %s", commit]);
        told.unwrap_or_else(|_| commit.to_owned())
    }

    fn run(&self, arguments: &[&str]) -> Result<String, String> {
        run(&self.root, arguments, &[])
    }
}

fn run(
    folder: &Path,
    arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
    environment: &[(&str, &OsStr)],
) -> Result<String, String> {
    let mut command = Command::new("git");
    command.arg("-C").arg(folder).args(arguments).envs(environment.iter().copied());
    // Hooks and wrappers set these for a repository that is not this one.
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_PREFIX"] {
        command.env_remove(name);
    }
    let Output { status, stdout, stderr } =
        command.output().map_err(|error| format!("cannot run git: {error}"))?;
    if !status.success() {
        let words = String::from_utf8_lossy(&stderr).trim().to_owned();
        return Err(if words.is_empty() { format!("git: {status}") } else { words });
    }
    Ok(String::from_utf8_lossy(&stdout).trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repository() -> (tempfile::TempDir, Git) {
        let folder = tempfile::tempdir().unwrap();
        run(folder.path(), ["init", "--quiet"], &[]).unwrap();
        let git = Git::of(folder.path()).unwrap();
        commit(&git, "one");
        (folder, git)
    }

    fn commit(git: &Git, text: &str) -> String {
        std::fs::write(git.root.join("file"), text).unwrap();
        git.run(&["add", "--all"]).unwrap();
        let who = ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "-m", text];
        git.run(&who).unwrap();
        git.run(&["rev-parse", "HEAD"]).unwrap()
    }

    #[test]
    fn a_dirty_tree_is_a_commit_that_changes_nothing_and_says_so() {
        let (folder, git) = repository();
        let clean = git.revision(".", folder.path()).unwrap();
        assert_eq!(clean.note, None);
        std::fs::write(git.root.join("file"), "changed").unwrap();
        std::fs::write(git.root.join("new"), "untracked").unwrap();
        let scratch = tempfile::tempdir().unwrap();
        let before = git.run(&["status", "--porcelain"]).unwrap();
        let dirty = git.revision(".", scratch.path()).unwrap();
        assert!(dirty.note.as_ref().unwrap().contains("2 files changed"), "{dirty:?}");
        assert_eq!(git.revision(".", scratch.path()).unwrap(), dirty);
        assert_eq!(git.run(&["status", "--porcelain"]).unwrap(), before);
        let tree = scratch.path().join("tree");
        git.checkout(&dirty.commit, &tree).unwrap();
        assert_eq!(std::fs::read_to_string(tree.join("new")).unwrap(), "untracked");
        git.checkout(&clean.commit, &tree).unwrap();
        assert_eq!(std::fs::read_to_string(tree.join("file")).unwrap(), "one");
        assert!(!tree.join("new").exists());
    }

    #[test]
    fn what_is_no_revision_or_no_repository_is_said() {
        let (folder, git) = repository();
        let error = git.revision("no-such", folder.path()).unwrap_err();
        assert_eq!(error, "git knows no revision no-such");
        let outside = tempfile::tempdir().unwrap();
        assert!(Git::of(outside.path()).is_err_and(|e| e.contains("not a git repository")));
    }

    #[test]
    fn commits_between_two_come_oldest_first() {
        let (_folder, git) = repository();
        let all: Vec<String> = ["two", "three", "four"].map(|text| commit(&git, text)).to_vec();
        assert_eq!(git.between(&all[0], &all[2]).unwrap(), all[1..]);
        assert!(git.title(&all[2]).ends_with(" four"));
    }
}
