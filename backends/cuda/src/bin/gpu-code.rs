//! Lists what our CUDA kernels are compiled to, as JSON: `yardstick gate` builds it from two revisions and compares the lists.
//! Needs NVIDIA's run-time compiler and no GPU. The argument is the compiler's file, where the usual places do not have it.
#![forbid(unsafe_code)]

use std::path::Path;
use std::process::ExitCode;

use yardstick_api::Known;
use yardstick_api::compiled::{Listing, VERSION};
use yardstick_cuda::code;
use yardstick_cuda::nvrtc::Nvrtc;

/// Any driver: nothing is run.
const NEWEST: i32 = i32::MAX;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let file = arguments.next();
    if arguments.next().is_some() {
        eprintln!("error: expected the file of libnvrtc, or nothing");
        return ExitCode::from(2);
    }
    let nvrtc = match &file {
        Some(file) => Nvrtc::open(Path::new(file)).map_err(|error| error.to_string()),
        None => Nvrtc::load(NEWEST).map_err(|missing| missing.reason),
    };
    let listing = match nvrtc {
        Ok(nvrtc) => code::list(&nvrtc).map_err(|error| error.to_string()),
        Err(why) => Ok(Listing {
            compiled: VERSION,
            compiler: Known::unavailable(why),
            kernels: Vec::new(),
        }),
    };
    let text = listing
        .and_then(|listing| serde_json::to_string(&listing).map_err(|error| error.to_string()));
    match text {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
