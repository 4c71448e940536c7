//! The programs that run models: this one, other builds of it, and programs of other kinds that speak the protocol.

use std::io::Read;
use std::path::Path;

use sha2::{Digest, Sha256};
use yardstick_api::Known;
use yardstick_record::Tool;

use super::WorkerCommand;
use crate::child::Hello;
use crate::plan::Role;

/// One program of a run. The first of a run's list is this program: it has the reference.
#[derive(Clone, Debug, PartialEq)]
pub struct Worker {
    /// What it is to the run.
    pub role: Role,
    /// How it is started.
    pub command: WorkerCommand,
    /// What the program is, for records: the hash of its file.
    pub identity: Known<String>,
    /// One line that would make it start, where it does not.
    pub fix: Option<String>,
}

impl Worker {
    /// This program.
    pub fn own(command: WorkerCommand) -> Worker {
        let identity = Known::unavailable("this program: see its version, commit and build");
        Worker { role: Role::Own, command, identity, fix: None }
    }

    /// Another program; its file is hashed now.
    pub fn new(role: Role, command: WorkerCommand, fix: Option<String>) -> Worker {
        let identity = identity(&command);
        Worker { role, command, identity, fix }
    }

    /// The program as a record names it: by what it said in its hello.
    pub(super) fn tool(&self, own: &Tool, hello: &Hello) -> Tool {
        match self.role {
            Role::Own | Role::Oracle => own.clone(),
            Role::Build(_) | Role::External(_) => Tool {
                name: hello.name.clone(),
                version: hello.version.clone(),
                commit: Known::unavailable("a worker's hello does not tell it"),
                build: self.identity.clone(),
            },
        }
    }

    /// The program before it said anything, or when it never did.
    pub(super) fn silent(&self, own: &Tool) -> Tool {
        match &self.role {
            Role::Own | Role::Oracle => own.clone(),
            Role::Build(name) | Role::External(name) => Tool {
                name: name.clone(),
                version: "unknown: it did not say".to_owned(),
                commit: Known::unavailable("the worker did not start"),
                build: self.identity.clone(),
            },
        }
    }
}

/// The hash of the script, where an interpreter is given one, or of the program. Names no folder: records travel.
fn identity(command: &WorkerCommand) -> Known<String> {
    let script = command.arguments.iter().map(Path::new).find(|path| path.is_file());
    let found_on_path = command.program.components().count() == 1;
    let file = match script {
        Some(script) => script,
        None if found_on_path => {
            return Known::unavailable("the program was found by its name, not by a path");
        }
        None => &command.program,
    };
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let hash = || -> std::io::Result<String> {
        let mut hasher = Sha256::new();
        let (mut file, mut buffer) = (std::fs::File::open(file)?, vec![0; 1 << 16]);
        loop {
            match file.read(&mut buffer)? {
                0 => break,
                n => hasher.update(&buffer[..n]),
            }
        }
        Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    };
    match hash() {
        Ok(hash) => Known::Value(format!("{name}, sha256 {hash}")),
        Err(error) => Known::unavailable(format!("{name} cannot be read: {error}")),
    }
}
