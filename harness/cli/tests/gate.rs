//! `yardstick gate` on repositories whose bench is a script that prints what it is told to: every exit code, from revisions on.
#![cfg(unix)]
#![allow(missing_docs, clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

const CONFIG: &str = "[build]\ncommand = [\"sh\", \"build.sh\"]\nprogram = \"bench\"\n\
                      [bench]\nkind = \"command\"\nunit = \"ms\"\nruns = 2\n";

/// A repository with one commit a script, and a cache.
struct Repository {
    folder: TempDir,
    cache: TempDir,
}

impl Repository {
    /// Of benches, the oldest first; a build that fails where a bench is empty.
    fn of(benches: &[&str]) -> Repository {
        let (folder, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let here = Repository { folder, cache };
        here.git(&["init", "--quiet"]);
        here.write("gate.toml", CONFIG);
        here.write(
            "build.sh",
            "test -s bench || { echo 'error[E0001]: an empty bench' >&2; exit 1; }\n",
        );
        for (number, bench) in benches.iter().enumerate() {
            here.write("bench", bench);
            here.write("number", &number.to_string());
            here.git(&["add", "--all"]);
            here.git(&["commit", "--quiet", "-m", &format!("commit {number}")]);
        }
        here
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn git(&self, words: &[&str]) {
        let mut git = Command::new("git");
        git.arg("-C").arg(self.folder.path()).args(["-c", "user.name=a", "-c", "user.email=a@b"]);
        assert!(git.args(words).status().unwrap().success(), "{words:?}");
    }

    fn gate(&self, words: &[&str]) -> (i32, String, String) {
        gate(self.folder.path(), self.cache.path(), words)
    }
}

fn gate(folder: &Path, cache: &Path, words: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_yardstick"));
    command.current_dir(folder).arg("--cache-dir").arg(cache).arg("gate").args(words);
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

fn takes(ms: f64) -> String {
    format!("#!/bin/sh\necho took {ms} ms\n")
}

#[test]
fn same_passes_slower_fails_and_the_report_is_kept() {
    let (same, slow) = (takes(10.0), takes(10.5));
    let here = Repository::of(&[&same, &same, &slow]);
    let config = ["--config", "gate.toml"];
    let (code, out, err) =
        here.gate(&[&config[..], &["--base", "HEAD~2", "--candidate", "HEAD~1"]].concat());
    assert_eq!(code, 0, "{out}{err}");
    assert!(out.starts_with("PASS: 1 passed"), "{out}");
    let words = ["--base", "HEAD~2", "--candidate", "HEAD", "--output", "told"];
    let (code, out, err) = here.gate(&[&config[..], &words].concat());
    assert_eq!(code, 1, "{out}{err}");
    assert!(out.starts_with("FAIL: 1 slower") && out.contains("+5.0 %"), "{out}");
    let json = fs::read_to_string(here.folder.path().join("told/gate.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["exit_code"], &json["tests"][0]["outcome"]), (&1.into(), &"slower".into()));
    let markdown = fs::read_to_string(here.folder.path().join("told/gate.md")).unwrap();
    assert!(markdown.contains("| command | slower | +5.0 % |"), "{markdown}");
    let page = fs::read_to_string(here.folder.path().join("told/gate.html")).unwrap();
    assert!(page.contains("<svg class=\"gate\"") && page.contains("class=\"bad\""), "{page}");
    assert!(page.contains("+5.0\u{a0}%") && !page.contains("src=\"http"), "{page}");
    // Faster is no failure; a working tree with changes says so.
    here.write("bench", &takes(9.0));
    let (code, out, _) =
        here.gate(&[&config[..], &["--base", "HEAD", "--candidate", "."]].concat());
    assert_eq!(code, 0, "{out}");
    assert!(out.contains("the working tree, 2 files changed since"), "{out}");
}

#[test]
fn what_cannot_be_compared_is_2_and_names_the_side_and_its_words() {
    let (good, crash) = (takes(10.0), "#!/bin/sh\necho 'out of luck' >&2\nexit 7\n".to_owned());
    let here = Repository::of(&[&good, "", &crash, "#!/bin/sh\necho nothing\n"]);
    let cases: [(&str, &str, &[&str]); 5] = [
        ("HEAD~3", "HEAD~2", &["candidate: ", "does not build", "error[E0001]: an empty bench"]),
        ("HEAD~2", "HEAD~3", &["base: ", "does not build"]),
        ("HEAD~1", "HEAD~3", &["crashed", "exit status: 7", "out of luck"]),
        ("HEAD~3", "HEAD", &["candidate: ", "\"nothing\", expected a duration"]),
        ("HEAD", "no-such-branch", &["candidate: git knows no revision no-such-branch"]),
    ];
    for (base, candidate, expected) in cases {
        let words = ["--config", "gate.toml", "--base", base, "--candidate", candidate];
        let (code, out, err) = here.gate(&words);
        assert_eq!(code, 2, "{base} {candidate}: {out}{err}");
        for word in expected {
            assert!(err.contains(word), "{base} {candidate}: no {word:?} in {err}");
        }
    }
    let nowhere = tempfile::tempdir().unwrap();
    let words = ["--base", "HEAD", "--candidate", "."];
    let (code, _, err) = gate(nowhere.path(), here.cache.path(), &words);
    assert_eq!(code, 2);
    assert!(err.contains("revisions need a git repository"), "{err}");
}

#[test]
fn a_budget_too_small_is_3_and_prints_the_command_that_decides() {
    let good = takes(10.0);
    let here = Repository::of(&[&good, &good]);
    let words =
        ["--config", "gate.toml", "--base", "HEAD~1", "--candidate", "HEAD", "--budget", "0"];
    let (code, out, err) = here.gate(&words);
    assert_eq!(code, 3, "{out}{err}");
    assert!(out.starts_with("INCONCLUSIVE: 1 not measured"), "{out}");
    let again = "yardstick gate --base 'HEAD~1' --candidate HEAD --config gate.toml --budget 1";
    assert!(out.contains(again), "{out}");
}

#[test]
fn bisecting_finds_the_first_bad_commit_around_one_that_does_not_build() {
    let (good, slow) = (takes(10.0), takes(11.0));
    let here = Repository::of(&[&good, &good, "", &good, &slow, &slow]);
    let range = ["--config", "gate.toml", "--bisect", "HEAD~5..HEAD"];
    let (code, out, err) = here.gate(&range);
    assert_eq!(code, 1, "{out}{err}");
    assert!(out.contains("first bad commit: ") && out.contains(" commit 4"), "{out}");
    let (code, out, err) = here.gate(&["--config", "gate.toml", "--bisect", "HEAD~5..HEAD~2"]);
    assert_eq!(code, 0, "{out}{err}");
    let (code, _, err) = here.gate(&["--bisect", "HEAD"]);
    assert_eq!(code, 2, "{err}");
}
