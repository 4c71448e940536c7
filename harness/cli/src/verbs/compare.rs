//! `yardstick compare`: the cells of several runs side by side.

use anyhow::Result;

use crate::args::Compare;
use crate::output;
use crate::paths::Paths;
use crate::verbs::DONE;

/// Shows the named runs in one table.
pub(crate) fn run(paths: &Paths, args: &Compare) -> Result<u8> {
    paths.spare_the_store(args.output.as_deref())?;
    let store = output::open(&paths.store)?;
    let runs = args.runs.iter().map(|id| Ok(store.run(id)?.id)).collect::<Result<Vec<String>>>()?;
    let records = output::records(&store, &runs)?;
    let title = format!("runs {}", runs.join(", "));
    let comparison = output::compare(&store, &records, runs, args.baseline.as_deref(), None)?;
    output::show(&comparison, &records, args.format, args.output.as_deref(), &title)?;
    Ok(DONE)
}
