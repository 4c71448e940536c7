//! What is measured: slice workers, criterion binaries or commands, by the configuration.

use std::path::Path;
use std::sync::Arc;

use yardstick_gate::{
    Bench, Commands, Config, Criterion, Error, Progress, Settings, Slices, TestReport, narrow,
    unchanged,
};

use super::sides::Resolved;

/// Runs the comparison that the configuration asks for, our own kernels without one; with what is to be said of it.
pub(super) fn run(
    config: Option<&Config>,
    sides: &Resolved,
    settings: &mut Settings,
    all: bool,
    data: &Path,
    seed: u64,
    told: &mut dyn FnMut(Progress<'_>),
) -> Result<(Vec<TestReport>, Vec<String>), Error> {
    let (programs, cancel) = (sides.programs.clone(), Arc::clone(&settings.cancel));
    let data = data.to_owned();
    if let Some(config) = config {
        settings.primary = config.plan();
    }
    match config.map(|config| &config.bench) {
        None | Some(Bench::Slices { .. }) => {
            let outputs = data.with_file_name("outputs");
            let mut source = Slices::new(programs.clone(), data, seed, cancel);
            if config.is_none() {
                // Our own read nothing of the repository; others may.
                source = source.remembering(outputs);
            }
            let notes = match all {
                true => Vec::new(),
                false => narrow(settings, &source, &programs, seed)?,
            };
            Ok((yardstick_gate::run(settings, &mut source, told)?, notes))
        }
        Some(Bench::Criterion { .. }) => {
            let mut source = Criterion::new(programs.clone(), data, seed, cancel);
            let notes = match all {
                true => Vec::new(),
                false => unchanged(settings, &mut source, &programs)?,
            };
            Ok((yardstick_gate::run(settings, &mut source, told)?, notes))
        }
        // Their cells are a suite's, measured elsewhere; nothing measured must not pass.
        Some(Bench::Protocol(_)) => {
            Err(Error::Request("kind = \"protocol\" without its suite".to_owned()))
        }
        Some(Bench::Command { unit, runs, .. }) => {
            let mut source = Commands::new(programs, *unit, *runs, seed, cancel);
            Ok((yardstick_gate::run(settings, &mut source, told)?, Vec::new()))
        }
    }
}
