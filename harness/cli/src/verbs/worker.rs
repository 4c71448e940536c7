//! `yardstick worker`: the child side of a launch.

use std::process::ExitCode;

use yardstick_api::Backend;

use crate::args::{Global, Worker};
use crate::paths::{self, Paths};
use crate::registry;

/// Serves until told to stop or until the parent is gone.
pub(crate) fn run(global: &Global, args: &Worker) -> ExitCode {
    let given = registry::Given {
        // Without a place to keep them, kernels are compiled each time, and no model is converted.
        cache: Paths::resolve(global).ok().map(|paths| paths.cache),
        runtime: global.runtime.clone(),
        packages: paths::python_packages(&global.python),
        test_doubles: args.test_doubles,
    };
    let backends = registry::backends(&given);
    let backends: Vec<&dyn Backend> = backends.iter().map(AsRef::as_ref).collect();
    yardstick_measure::worker::serve_stdio(&backends)
}
