//! A store, a cache and a data folder of a test's own, and the binary that uses them.
#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "each test file uses its own part; a panic is a failed test"
)]

use std::path::{Path, PathBuf};
use std::process::Output;

use assert_cmd::Command;
use yardstick_record::Record;

/// Everything a test leaves behind, gone with it.
pub(crate) struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> Place {
        Place { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The binary with this place's folders; written models are shared between tests.
    pub(crate) fn yardstick(&self) -> Command {
        let mut command = Command::cargo_bin("yardstick").unwrap();
        command
            .env("YARDSTICK_DATA", self.folder.path())
            .env("YARDSTICK_CACHE", cache())
            .env_remove("YARDSTICK_STORE")
            .env_remove("COLUMNS");
        command
    }

    /// Runs to the end; (exit code, standard output, standard error).
    pub(crate) fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        ended(self.yardstick().args(arguments).output().unwrap())
    }

    /// Records a run printed with `--json`, ids checked.
    pub(crate) fn records(&self, arguments: &[&str]) -> (i32, Vec<Record>, String) {
        let (code, out, err) = self.run(&[&["run", "--json"], arguments].concat());
        let records = out.lines().map(|line| Record::from_json(line).unwrap()).collect();
        (code, records, err)
    }
}

pub(crate) fn ended(output: Output) -> (i32, String, String) {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
}

/// Under the build's own folder: written once, used by every test.
pub(crate) fn cache() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache")
}

/// Flags that make a run of `tiny` short.
pub(crate) const SHORT: [&str; 4] = ["--repetitions", "2", "--seed", "7"];

/// Whether there is a Python; says so where a test is skipped without one.
pub(crate) fn has_python() -> bool {
    let found = std::process::Command::new("python3").arg("--version").output();
    let found = found.is_ok_and(|out| out.status.success());
    if !found {
        println!("skipped: no python3");
    }
    found
}
