//! GPU kernels of two revisions, compiled and held against each other; no GPU takes part. Looked at where a file of the backend
//! differs and NVIDIA's run-time compiler is there.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;
use yardstick_gate::{Arm, Error, Program, Sides, TestReport, gpu_code, gpu_code_recipe};

use super::sides::{self, Resolved};
use crate::args::Gate;
use crate::console;
use crate::paths::Paths;

/// Where the kernels and how they are compiled are written down.
const SOURCES: &str = "backends/cuda";
/// Where `ci/setup.sh` puts the compiler, in the repository.
const INSTALLED: &str = "target/tools/nvrtc/nvidia/cu13/lib/libnvrtc.so.13";

/// Rows and notes; only notes where there is nothing to hold against each other.
pub(super) fn run(
    paths: &Paths,
    args: &Gate,
    resolved: &Resolved,
) -> Result<(Vec<TestReport>, Vec<String>)> {
    let told = |note: &str| Ok((Vec::new(), vec![format!("GPU code was not looked at: {note}")]));
    let (Some(base), Some(candidate)) = (&resolved.base.commit, &resolved.candidate.commit) else {
        return told("a side is a program, not a revision");
    };
    let here = std::env::current_dir()?;
    match differ(&here, base, candidate) {
        Ok(true) => {}
        Ok(false) => return told(&format!("no file of {SOURCES} differs")),
        Err(why) => return told(&why),
    }
    let revisions = sides::open(&here, &paths.cache.join("gate"), gpu_code_recipe())?;
    let build = |arm, commit: &str| -> Result<Program, Error> {
        console::tell(format!("{arm}: its GPU kernels, built unless they were before"));
        Ok(Program::of(revisions.build(arm, commit)?.program))
    };
    let base = match build(Arm::Base, base) {
        Ok(program) => program,
        // One from before there was a list of them.
        Err(Error::Side { what, .. }) => {
            let line = what.lines().last().unwrap_or_default().to_owned();
            return told(&format!("the base cannot list its kernels: {line}"));
        }
        Err(error) => return Err(error.into()),
    };
    // What was measured already is not lost with it.
    let missing = |what: String| {
        Ok((vec![TestReport::missing("GPU code", format!("the candidate: {what}"))], Vec::new()))
    };
    let candidate = match build(Arm::Candidate, candidate) {
        Ok(program) => program,
        Err(Error::Side { what, .. }) => return missing(what),
        Err(error) => return Err(error.into()),
    };
    let compiler = compiler(args, &here);
    let given = |program: Program| Program {
        arguments: compiler.iter().map(|file| file.display().to_string()).collect(),
        ..program
    };
    let (base, candidate) = (given(base), given(candidate));
    let programs = Sides { control: base.clone(), base, candidate };
    match gpu_code(&programs) {
        Err(Error::Side { side: Arm::Candidate, what }) => missing(what),
        Err(Error::Side { what, .. }) => told(&format!("the base: {what}")),
        other => Ok(other?),
    }
}

/// Whether a file of the backend is another one.
fn differ(here: &Path, base: &str, candidate: &str) -> Result<bool, String> {
    let top = git(here, &["rev-parse", "--show-toplevel"])?;
    let top = String::from_utf8_lossy(&top.stdout).trim().to_owned();
    let range = ["diff", "--quiet", base, candidate, "--", SOURCES];
    match git(Path::new(&top), &range)?.status.code() {
        Some(0) => Ok(false),
        Some(1) => Ok(true),
        _ => Err("git cannot tell what differs".to_owned()),
    }
}

fn git(folder: &Path, words: &[&str]) -> Result<std::process::Output, String> {
    let mut command = Command::new("git");
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_PREFIX"] {
        command.env_remove(name);
    }
    command.arg("-C").arg(folder).args(words).output().map_err(|error| format!("git: {error}"))
}

/// The compiler's file, where it is named or the repository's setup put it; the lister looks into the usual places itself.
fn compiler(args: &Gate, here: &Path) -> Option<PathBuf> {
    let installed = here.ancestors().map(|folder| folder.join(INSTALLED));
    args.nvrtc.clone().or_else(|| installed.into_iter().find(|file| file.is_file()))
}
