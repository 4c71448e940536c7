//! `yardstick worker`: the child side of a launch.

use anyhow::Result;

use crate::args::Worker;
use crate::registry;
use crate::verbs::DONE;

/// Serves until standard input closes.
pub(crate) fn run(args: &Worker) -> Result<u8> {
    let backends = registry::backends(args.test_doubles);
    let backends: Vec<&dyn yardstick_api::Backend> = backends.iter().map(AsRef::as_ref).collect();
    let _ = backends;
    Ok(DONE)
}
