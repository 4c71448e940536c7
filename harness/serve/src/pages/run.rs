//! A run: its page, live while it goes on, and its report as `yardstick report` makes it.

use serde_json::json;
use yardstick_analyse::View;
use yardstick_render as render;
use yardstick_store::Entry;

use super::{NAME, RecordRow, page, record_row, run_row};
use crate::http::{Kind, Refusal, Request, Response};
use crate::limits::RECORDS;
use crate::site::Site;

/// A run and its latest records.
pub(crate) fn run(site: &Site, request: &Request) -> Result<Response, Refusal> {
    request.query.only(&["id", "before"])?;
    let id = request.query.needed("id")?;
    let before = request.query.number("before")?;
    site.stores.read(|store| {
        let row = run_row(&store.summary(store.run(id)?)?);
        let entries = store.latest_entries(id, before, RECORDS + 1)?;
        let earlier = (entries.len() > RECORDS).then(|| entries[RECORDS - 1].number);
        let shown: &[Entry] = &entries[..entries.len().min(RECORDS)];
        let rows = shown.iter().map(|entry| record_row(site, store, entry));
        let rows: Vec<RecordRow> = rows.collect::<Result<_, Refusal>>()?;
        let last = store.last_of_run(id)?;
        // A run of this machine: its id is of our making.
        let is_live = row.state == "open" && before.is_none() && render::clean(id) == id;
        let values = json!({ "run": row, "rows": rows, "earlier": earlier, "last": last, "is_live": is_live, "is_first": before.is_none() });
        Ok(page(site, "run.html", values))
    })
}

/// The report of a run: the page that `yardstick report -f html` writes, but for the history, which trends show.
pub(crate) fn report(site: &Site, request: &Request) -> Result<Response, Refusal> {
    request.query.only(&["run"])?;
    let id = request.query.needed("run")?;
    site.stores.read(|store| {
        let noise = site.noise(store)?;
        let key = format!("report {} {}", site.state_of(store, id)?, noise.len());
        if let Some(page) = site.cache.page(&key) {
            return Ok(Response::new(Kind::Report, page.as_slice()));
        }
        let records = site.records(store, id)?;
        if records.is_empty() {
            return Err(Refusal::not_found("the run has no records yet"));
        }
        let view = View { noise: noise.to_vec(), ..View::default() };
        let meta = meta(site, format!("run {id}"));
        let page = render::html(&view.compare(&records), &records, &meta);
        site.cache.keep_page(key, page.clone().into_bytes());
        Ok(Response::new(Kind::Report, page))
    })
}

/// What a report says of itself.
pub(super) fn meta(site: &Site, title: String) -> render::Meta {
    render::Meta {
        title,
        generated: format!("{:.0}", jiff::Timestamp::now()),
        tool: render::elide(&site.tool, NAME),
    }
}
