//! GPU kernels without a GPU: what both sides compile to, side by side. Registers, spills, shared memory and instructions are the
//! same in every build of the same source, so one look decides.

mod compare;
mod occupancy;
mod read;

use crate::{Arm, Error, Program, Recipe, Sides, TestReport};

/// How the program that lists compiled kernels is built.
pub fn gpu_code_recipe() -> Recipe {
    let build = "cargo build --release --locked -p yardstick-cuda --bin gpu-code";
    let program = if cfg!(windows) { "release/gpu-code.exe" } else { "release/gpu-code" };
    Recipe {
        build: build.split(' ').map(str::to_owned).collect(),
        control: None,
        environment: vec![("CARGO_PROFILE_RELEASE_DEBUG".to_owned(), "0".to_owned())],
        program: program.into(),
    }
}

/// Rows of kernels whose compiled code is worse or takes more, and notes on all others. The control is not run.
pub fn gpu_code(programs: &Sides<Program>) -> Result<(Vec<TestReport>, Vec<String>), Error> {
    let base = read::listing(Arm::Base, &programs.base)?;
    let candidate = read::listing(Arm::Candidate, &programs.candidate)?;
    let compilers = (base.compiler.value(), candidate.compiler.value());
    let note = match compilers {
        (Some(one), Some(other)) if one == other => {
            return Ok(compare::listings(&base, &candidate));
        }
        (Some(one), Some(other)) => {
            format!(
                "GPU code was not compared: the base was compiled by {one}, the candidate by {other}"
            )
        }
        _ => {
            let reason =
                candidate.compiler.reason().or(base.compiler.reason()).unwrap_or("unknown");
            format!("GPU code was not looked at: {reason}")
        }
    };
    Ok((Vec::new(), vec![note]))
}
