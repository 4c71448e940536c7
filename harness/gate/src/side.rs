//! The sides of a comparison and the programs that stand for them.

use std::fmt;
use std::path::PathBuf;
use std::process::Command;

use serde::{Deserialize, Serialize};

/// A side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Arm {
    /// What is merged into.
    Base,
    /// The base once more, linked separately: what it shows beside the base is noise.
    Control,
    /// What would merge.
    Candidate,
}

impl Arm {
    /// In the order of arrays.
    pub const ALL: [Arm; 3] = [Arm::Base, Arm::Control, Arm::Candidate];

    /// One word.
    pub fn name(self) -> &'static str {
        match self {
            Arm::Base => "base",
            Arm::Control => "control",
            Arm::Candidate => "candidate",
        }
    }
}

impl fmt::Display for Arm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A program with its arguments and surroundings. No shell is started.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Program {
    /// The file.
    pub file: PathBuf,
    /// What it is given.
    pub arguments: Vec<String>,
    /// Where it runs; here unless said.
    pub folder: Option<PathBuf>,
}

impl Program {
    /// A file without arguments.
    pub fn of(file: impl Into<PathBuf>) -> Program {
        Program { file: file.into(), ..Program::default() }
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.file);
        command.args(&self.arguments);
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        command
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        self.arguments.iter().try_for_each(|argument| write!(f, " {argument}"))
    }
}

/// The programs of a comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sides<P = Program> {
    /// Base.
    pub base: P,
    /// Control; the base's own program once more where there is no separately linked one.
    pub control: P,
    /// Candidate.
    pub candidate: P,
}

impl<P> Sides<P> {
    /// One of them.
    pub fn get(&self, arm: Arm) -> &P {
        match arm {
            Arm::Base => &self.base,
            Arm::Control => &self.control,
            Arm::Candidate => &self.candidate,
        }
    }

    /// One of them.
    pub fn get_mut(&mut self, arm: Arm) -> &mut P {
        match arm {
            Arm::Base => &mut self.base,
            Arm::Control => &mut self.control,
            Arm::Candidate => &mut self.candidate,
        }
    }

    /// Something of each.
    pub fn try_map<Q, E>(
        &self,
        mut of: impl FnMut(Arm, &P) -> Result<Q, E>,
    ) -> Result<Sides<Q>, E> {
        Ok(Sides {
            base: of(Arm::Base, &self.base)?,
            control: of(Arm::Control, &self.control)?,
            candidate: of(Arm::Candidate, &self.candidate)?,
        })
    }
}
