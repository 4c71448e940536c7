//! `yardstick worker`: the child side of a launch.

use std::process::ExitCode;

use yardstick_api::Backend;

use crate::args::Worker;
use crate::registry;

/// Serves until told to stop or until the parent is gone.
pub(crate) fn run(args: &Worker) -> ExitCode {
    let backends = registry::backends(args.test_doubles);
    let backends: Vec<&dyn Backend> = backends.iter().map(AsRef::as_ref).collect();
    yardstick_measure::worker::serve_stdio(&backends)
}
