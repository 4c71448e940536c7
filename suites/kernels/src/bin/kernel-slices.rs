//! The slice worker of our CPU kernels: `yardstick gate` builds it from two revisions and runs both by turns.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use yardstick_kernels::{Worker, serve};

/// Moves all code behind it. The gate's control copy of the base is built with it, so that where the linker puts a function is
/// part of what the control shows.
#[cfg(feature = "control")]
#[inline(never)]
fn unused(seed: u64) -> u64 {
    use std::hint::black_box;
    let mut state = seed;
    macro_rules! step {
        ($($n:literal)*) => {
            $(state = black_box(state.rotate_left($n).wrapping_mul(0x9E37_79B9_7F4A_7C15 ^ $n));)*
        };
    }
    step!(1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32);
    state
}

#[cfg(feature = "control")]
#[used]
static UNUSED: fn(u64) -> u64 = unused;

fn main() -> ExitCode {
    let worker = match worker(std::env::args().skip(1)) {
        Ok(worker) => worker,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::from(2);
        }
    };
    match serve(worker, std::io::stdin().lock(), std::io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

#[cfg(not(feature = "inject"))]
fn worker(mut arguments: impl Iterator<Item = String>) -> Result<Worker, String> {
    match arguments.next() {
        None => Ok(Worker::default()),
        Some(argument) => Err(format!("{argument}: it takes no arguments, and requests on stdin")),
    }
}

#[cfg(feature = "inject")]
fn worker(mut arguments: impl Iterator<Item = String>) -> Result<Worker, String> {
    match (arguments.next().as_deref(), arguments.next()) {
        (None, _) => Ok(Worker::default()),
        (Some("--inject"), Some(what)) => what.parse().map(Worker::injecting),
        (Some(argument), _) => Err(format!("{argument}: expected --inject WHAT, or nothing")),
    }
}
