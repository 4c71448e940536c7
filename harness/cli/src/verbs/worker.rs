//! `yardstick worker`: the child side of a launch.

use std::process::ExitCode;

use yardstick_api::Backend;

use crate::args::{Global, Worker};
use crate::paths::Paths;
use crate::registry;

/// Serves until told to stop or until the parent is gone.
pub(crate) fn run(global: &Global, args: &Worker) -> ExitCode {
    // Without a place to keep them, kernels are compiled each time.
    let cache = Paths::resolve(global).ok().map(|paths| paths.cache);
    let backends = registry::backends(args.test_doubles, cache.as_deref());
    let backends: Vec<&dyn Backend> = backends.iter().map(AsRef::as_ref).collect();
    yardstick_measure::worker::serve_stdio(&backends)
}
