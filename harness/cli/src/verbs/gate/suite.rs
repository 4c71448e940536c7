//! A suite's cells: what this program lends the comparison, and the comparison.

use std::sync::Arc;

use anyhow::{Context, Result};
use yardstick_gate::{Error, Lent, Progress, Settings, Suites, TestReport};
use yardstick_measure::runner;
use yardstick_measure::suite::Suite;
use yardstick_model::source::{Name, Tell};
use yardstick_probes::Meters;

use super::sides::Resolved;
use crate::args::{Gate, Metering};
use crate::paths::Paths;
use crate::{metering, models, registry, tool, verbs};

/// Fewest and most seconds of a metric of a cell in a launch.
const SECONDS: (f64, f64) = (0.4, 3.0);

/// Every metric of every cell with its outcome, and what is to be said of the comparison.
pub(super) fn run(
    paths: &Paths,
    args: &Gate,
    suite: &Suite,
    sides: &Resolved,
    settings: &mut Settings,
    told: &mut dyn FnMut(Progress<'_>),
) -> Result<(Vec<TestReport>, Vec<String>)> {
    let flags = Metering { meter: args.meter.clone(), ..Metering::default() };
    let meters = Meters::open(&metering::specs(&flags)?)?;
    settings.seconds = SECONDS;
    let cancel = Arc::clone(&settings.cancel);
    let lent = Lent {
        oracle: registry::oracle(&paths.cache)?,
        answers: paths.answers(),
        scratch: paths.cache.join("gate/data"),
        tool: tool::tool(),
        environment: &|| verbs::run::environment(None),
        probes: &|| yardstick_probes::all_with(&meters),
        prepare: &|model, progress| {
            let fetch = |name: &Name, tell: &mut Tell<'_>| {
                paths.sources().locate(name, tell).map_err(|error| error.to_string())
            };
            let (folder, threads) = (paths.models(), models::cores());
            runner::prepare(model, &folder, threads, &fetch, &cancel, progress)
        },
    };
    let (seed, cancel) = (tool::seed(), Arc::clone(&settings.cancel));
    let mut source = Suites::new(suite.clone(), &sides.programs, lent, seed, cancel);
    let tests = match yardstick_gate::run(settings, &mut source, told) {
        Err(Error::Interrupted) => return Err(Error::Interrupted.into()),
        other => other.with_context(|| format!("suite {}", suite.name))?,
    };
    Ok((tests, source.notes().to_vec()))
}
