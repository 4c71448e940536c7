//! The registry of backends: adding one is one line here.

use anyhow::{Context, Result};
use yardstick_api::Backend;
use yardstick_measure::runner::WorkerCommand;

/// Every backend this build carries. `test_doubles` adds the one that makes answers up and misbehaves on purpose.
pub(crate) fn backends(test_doubles: bool) -> Vec<Box<dyn Backend>> {
    let mut backends: Vec<Box<dyn Backend>> = vec![
        #[cfg(feature = "cpu")]
        Box::new(yardstick_cpu::Cpu),
        Box::new(yardstick_reference::Reference),
    ];
    if test_doubles {
        backends.push(Box::new(yardstick_null::Null::misbehaving()));
    }
    backends
}

/// This program again, as a worker with the same backends.
pub(crate) fn worker(test_doubles: bool) -> Result<WorkerCommand> {
    let program = std::env::current_exe().context("cannot find this program's own file")?;
    let mut arguments = vec!["worker".to_owned()];
    if test_doubles {
        arguments.push("--test-doubles".to_owned());
    }
    Ok(WorkerCommand { program, arguments })
}
