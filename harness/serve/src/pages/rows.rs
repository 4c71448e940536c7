//! Lines of tables: a run, a record.

use serde::Serialize;
use yardstick_render as render;
use yardstick_store::{Entry, RunSummary, Store};

use super::{LONG, NAME};
use crate::http::Refusal;
use crate::site::Site;

/// A run as lists and the API have it.
#[derive(Serialize)]
pub(crate) struct RunRow {
    /// Whole: it goes into addresses.
    pub(crate) id: String,
    /// Harmless.
    name: String,
    started: String,
    suite: String,
    command: String,
    records: u64,
    ok: u64,
    failed: u64,
    skipped: u64,
    invalid: u64,
    /// `complete`, `open` (running, or cut short), `imported`.
    pub(crate) state: &'static str,
    pub(crate) finished: Option<String>,
}

pub(crate) fn run_row(summary: &RunSummary) -> RunRow {
    let run = &summary.run;
    let name = |text: &str| render::elide(text, NAME);
    RunRow {
        id: run.id.clone(),
        name: name(&run.id),
        started: name(&run.started),
        suite: name(&run.suite),
        command: render::elide(&run.command.join(" "), LONG),
        records: summary.records,
        ok: summary.ok,
        failed: summary.failed,
        skipped: summary.skipped,
        invalid: summary.invalid,
        state: match (&run.finished, &run.plan) {
            (Some(_), _) => "complete",
            (None, Some(_)) => "open",
            (None, None) => "imported",
        },
        finished: run.finished.as_deref().map(name),
    }
}

/// A record as a run's page and its progress have it.
#[derive(Serialize)]
pub(crate) struct RecordRow {
    number: i64,
    launch: u32,
    device: String,
    model: String,
    test: String,
    status: String,
    /// The median of its samples in words; `null` where it has none.
    value: Option<String>,
    /// Why its numbers do not count, if so.
    trouble: Option<String>,
    id: Option<String>,
}

pub(crate) fn record_row(site: &Site, store: &Store, entry: &Entry) -> Result<RecordRow, Refusal> {
    let name = |text: &str| render::elide(text, NAME);
    let brief = site.brief(store, entry)?;
    let value = brief.as_ref().and_then(|brief| {
        let metric = brief.headline();
        Some(render::quantity(metric, brief.values.get(&metric)?.median))
    });
    let trouble = match &brief {
        Some(brief) => brief.trouble.as_deref().map(|why| render::elide(why, LONG)),
        None => Some("the record cannot be read".to_owned()),
    };
    Ok(RecordRow {
        number: entry.number,
        launch: entry.launch,
        device: name(&entry.device),
        model: name(&entry.model),
        test: name(&entry.test),
        status: entry.status.clone(),
        value,
        trouble,
        id: brief.map(|brief| brief.id.clone()),
    })
}
