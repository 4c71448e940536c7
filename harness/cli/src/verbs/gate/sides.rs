//! From what was asked for to programs: built from revisions, or given.

use std::path::Path;

use anyhow::{Context, Result, bail};
use yardstick_gate::{Arm, Error, Program, Recipe, Revisions, SideReport, Sides};

use super::asked::Build;
use crate::paths::Paths;
use crate::{console, words};

/// Programs of all sides and what is said of them.
pub(super) struct Resolved {
    pub(super) programs: Sides<Program>,
    pub(super) base: SideReport,
    pub(super) candidate: SideReport,
    /// Whether the control is a copy of its own.
    pub(super) separate: bool,
    /// Where programs were built: nobody else changes that until it is measured.
    pub(super) held: Option<Revisions>,
}

/// The sides as they were named.
pub(super) struct Named<'a> {
    pub(super) base: &'a str,
    pub(super) candidate: &'a str,
    pub(super) control: Option<&'a str>,
}

/// Builds revisions and finds programs.
pub(super) fn resolve(
    paths: &Paths,
    build: &Build,
    &Named { base, candidate, control }: &Named<'_>,
) -> Result<Resolved> {
    let separately = build.recipe.control.is_some();
    let mut builds = Builds { paths, build, revisions: None };
    // The first build may take minutes, in which a branch moves and files change.
    builds.fix(Arm::Base, base)?;
    builds.fix(Arm::Candidate, candidate)?;
    let (base_program, base_report) = builds.side(Arm::Base, base)?;
    let control_program = match control {
        Some(control) => Some(builds.given(Arm::Control, control)?),
        None if base_report.commit.is_some() && separately => builds.control(base)?,
        None => None,
    };
    let (candidate_program, candidate_report) = builds.side(Arm::Candidate, candidate)?;
    let separate = control_program.is_some();
    let control = control_program.unwrap_or_else(|| base_program.clone());
    let programs = Sides { base: base_program, control, candidate: candidate_program };
    let (base, candidate, held) = (base_report, candidate_report, builds.revisions);
    Ok(Resolved { programs, base, candidate, separate, held })
}

struct Builds<'a> {
    paths: &'a Paths,
    build: &'a Build,
    revisions: Option<Revisions>,
}

impl Builds<'_> {
    /// A revision's name means what it means now.
    fn fix(&mut self, arm: Arm, asked: &str) -> Result<()> {
        if !is_program(asked) {
            self.revisions()?.fix(arm, asked)?;
        }
        Ok(())
    }

    fn side(&mut self, arm: Arm, asked: &str) -> Result<(Program, SideReport)> {
        if is_program(asked) {
            let program = self.given(arm, asked)?;
            let told = program.to_string();
            let report =
                SideReport { asked: asked.to_owned(), commit: None, program: told, note: None };
            return Ok((program, report));
        }
        let arguments = self.build.arguments.clone();
        let revisions = self.revisions()?;
        console::tell(format!("{arm}: {asked}, built unless it was before"));
        let built = revisions.build(arm, asked)?;
        let report = SideReport {
            asked: asked.to_owned(),
            commit: Some(built.commit),
            program: built.program.display().to_string(),
            note: built.note,
        };
        let folder = Some(revisions.place());
        Ok((Program { file: built.program, arguments, folder }, report))
    }

    /// The base built once more; none where its source knows no control and that may be.
    fn control(&mut self, base: &str) -> Result<Option<Program>> {
        match self.side(Arm::Control, base) {
            Ok((program, _)) => Ok(Some(program)),
            Err(error) if self.build.lenient => {
                console::tell(format!("no control: {}", console::words(&error)));
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// A program as it was named, with the usual arguments where none were.
    fn given(&self, arm: Arm, text: &str) -> Result<Program> {
        let mut program = given(arm, text)?;
        if program.arguments.is_empty() {
            program.arguments.clone_from(&self.build.usual);
        }
        Ok(program)
    }

    fn revisions(&mut self) -> Result<&Revisions> {
        if self.revisions.is_none() {
            let here = std::env::current_dir().context("the current folder")?;
            let cache = self.paths.cache.join("gate");
            self.revisions = Some(open(&here, &cache, self.build.recipe.clone())?);
        }
        self.revisions.as_ref().context("no revisions")
    }
}

/// Revisions of the repository a folder is in, after the gate that has them.
pub(super) fn open(here: &Path, cache: &Path, recipe: Recipe) -> Result<Revisions, Error> {
    let waiting = || console::tell("waiting for another gate of this repository".to_owned());
    Revisions::open(here, cache, recipe, &waiting)
}

/// Something that names a file, with or without arguments; `.` is the working tree.
fn is_program(asked: &str) -> bool {
    let first = words::split(asked).and_then(|words| words.into_iter().next());
    first.is_some_and(|first| Path::new(&first).is_file() || Path::new(&first).is_absolute())
}

/// A program and its arguments, split as a shell would.
fn given(arm: Arm, text: &str) -> Result<Program> {
    let mut split = words::split(text).with_context(|| format!("--{arm}: an open quote"))?;
    if split.is_empty() {
        bail!("--{arm} is empty");
    }
    let file = Path::new(&split.remove(0)).to_owned();
    // A bare name would be looked for on the PATH.
    let file = file.canonicalize().with_context(|| format!("--{arm}: {}", file.display()))?;
    Ok(Program { file, arguments: split, folder: None })
}
