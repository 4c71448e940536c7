//! What a change between two slice workers reaches, kernel by kernel: `impact BASE CANDIDATE`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use yardstick_gate::{Arm, Program, Sides, Slices, impact};

fn main() -> ExitCode {
    let files: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [base, candidate] = &files[..] else {
        eprintln!("expected BASE and CANDIDATE, programs linked with --emit-relocs");
        return ExitCode::from(2);
    };
    let programs = Sides {
        base: Program::of(base),
        control: Program::of(base),
        candidate: Program::of(candidate),
    };
    let source = Slices::new(programs, std::env::temp_dir(), 1, Arc::new(AtomicBool::new(false)));
    let told = source.listed(Arm::Base).and_then(|base| Ok((base, source.listed(Arm::Candidate)?)));
    let (old, new) = match told {
        Ok(told) => told,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::from(2);
        }
    };
    match impact((base, &old), (candidate, &new)) {
        Ok(found) => {
            println!("{} kernels are the same", found.same.len());
            for (kernel, functions) in &found.changed {
                let own = if found.own.contains(kernel) { " (its own)" } else { "" };
                println!("{kernel}{own}: {}", functions.join(", "));
            }
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("error: {why}");
            ExitCode::from(2)
        }
    }
}
