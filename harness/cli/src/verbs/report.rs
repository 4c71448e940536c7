//! `yardstick report`: stored records in one of five forms. Runs nothing.

use std::io::Write;

use anyhow::{Context, Result};
use yardstick_analyse::memory::reconciled;
use yardstick_analyse::{Brief, ChangePoint, Comparison, WINDOW, history};
use yardstick_store::{Filter, Store};

use crate::args::Report;
use crate::output;
use crate::paths::Paths;
use crate::verbs::DONE;
use crate::{console, metering};

/// Shows the latest run, the named ones, or all.
pub(crate) fn run(paths: &Paths, args: &Report) -> Result<u8> {
    paths.spare_the_store(args.output.as_deref())?;
    let store = output::open(&paths.store)?;
    if args.list {
        return list(&store);
    }
    let runs = match (args.all, args.runs.as_slice()) {
        (true, _) => Vec::new(),
        (false, []) => vec![store.latest_run()?.context("the store has no runs yet")?.id],
        (false, named) => {
            // An unknown id is an error, not an empty table.
            named.iter().map(|id| Ok(store.run(id)?.id)).collect::<Result<_>>()?
        }
    };
    let mut records = output::records(&store, &runs)?;
    metering::lay_over(&args.metering, &mut records)?;
    let title =
        if runs.is_empty() { "all runs".to_owned() } else { format!("run {}", runs.join(", ")) };
    let mut comparison = output::compare(
        &store,
        &records,
        args.baseline.as_deref(),
        metering::grid(&args.metering)?,
    )?;
    comparison.history = history_of(&store, &comparison)?;
    if args.memory {
        comparison.memory = reconciled(&records);
    }
    output::show(&comparison, &records, args.format, args.output.as_deref(), &title)?;
    Ok(DONE)
}

/// Changes over the latest stored runs, of the cells shown.
fn history_of(store: &Store, comparison: &Comparison) -> Result<Vec<ChangePoint>> {
    let runs = store.runs()?;
    let mut briefs = Vec::new();
    for summary in runs.iter().rev().take(WINDOW) {
        let run = Some(summary.run.id.clone());
        // What cannot be read is told where that run is shown.
        let records = store.records(&Filter { run, ..Filter::default() });
        briefs.extend(records.filter_map(Result::ok).map(|record| Brief::of(&record)));
    }
    let is_shown = |change: &ChangePoint| {
        comparison.rows.iter().any(|row| {
            (&row.cell.device, &row.cell.model.name, row.cell.test)
                == (&change.device, &change.model, change.test)
        })
    };
    Ok(history(&briefs).into_iter().filter(is_shown).collect())
}

fn list(store: &Store) -> Result<u8> {
    let mut out = std::io::stdout().lock();
    for summary in store.runs()? {
        // Whether a run of elsewhere came to its end is not known here.
        let state = match (&summary.run.finished, &summary.run.plan) {
            (Some(_), _) => "complete",
            (None, Some(_)) => "cut short",
            (None, None) => "imported",
        };
        writeln!(
            out,
            "{}  {}  {:<12} {} records: {} ok, {} failed, {} skipped, {} invalid  {state}",
            summary.run.id,
            summary.run.started,
            console::harmless(&summary.run.suite),
            summary.records,
            summary.ok,
            summary.failed,
            summary.skipped,
            summary.invalid
        )?;
    }
    Ok(DONE)
}
