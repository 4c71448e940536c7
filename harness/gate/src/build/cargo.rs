//! A build command, and what is left of its words when it fails.

use std::path::Path;
use std::process::{Command, Stdio};

/// Lines of a compiler's words that are kept.
const LINES: usize = 30;

/// One command.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub(super) struct Step<'a> {
    pub(super) words: &'a [String],
    pub(super) environment: &'a [(String, String)],
}

impl Step<'_> {
    /// Runs it in `folder`; output that belongs into a target folder goes to `target`.
    pub(super) fn run(&self, folder: &Path, target: &Path) -> Result<(), String> {
        let [program, arguments @ ..] = self.words else {
            return Err("an empty build command".to_owned());
        };
        let mut command = Command::new(program);
        command.args(arguments).current_dir(folder).stdin(Stdio::null());
        command.env("CARGO_TARGET_DIR", target).env("CARGO_TERM_COLOR", "never");
        // What another cargo told its children is not meant for this one.
        for name in ["CARGO", "RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_MANIFEST_DIR"] {
            command.env_remove(name);
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        let output = command.output().map_err(|error| format!("cannot run {program}: {error}"))?;
        if output.status.success() {
            return Ok(());
        }
        let words = String::from_utf8_lossy(&output.stderr);
        Err(format!("`{}` failed, {}:\n{}", self.words.join(" "), output.status, tail(&words)))
    }
}

/// The last lines, from the first error among them on.
fn tail(words: &str) -> String {
    let lines: Vec<&str> = words.trim_end().lines().collect();
    let error = lines.iter().position(|line| line.starts_with("error"));
    let from = error.unwrap_or_else(|| lines.len().saturating_sub(LINES));
    lines[from..].iter().take(LINES).copied().collect::<Vec<_>>().join("\n")
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_compiler_s_words_begin_at_its_first_error() {
        let noise = "   Compiling x\n".repeat(50);
        let words = format!("{noise}error[E0308]: mismatched types\n --> src/lib.rs:3\n");
        assert_eq!(tail(&words), "error[E0308]: mismatched types\n --> src/lib.rs:3");
        assert_eq!(tail(&noise).lines().count(), LINES);
    }

    #[test]
    fn a_command_that_fails_tells_its_words() {
        let folder = tempfile::tempdir().unwrap();
        let words = ["sh", "-c", "echo 'error: no such thing' >&2; exit 3"].map(str::to_owned);
        let step = Step { words: &words, environment: &[] };
        let error = step.run(folder.path(), folder.path()).unwrap_err();
        assert!(
            error.contains("exit status: 3") && error.ends_with("error: no such thing"),
            "{error}"
        );
        let words = ["no-such-compiler".to_owned()];
        let error = Step { words: &words, ..step }.run(folder.path(), folder.path()).unwrap_err();
        assert!(error.starts_with("cannot run no-such-compiler"), "{error}");
    }
}
