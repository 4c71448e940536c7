//! The JSON API: what the pages show, for programs. Every list is a page with `next`, the value that continues it.

use serde::Serialize;
use serde_json::json;
use yardstick_analyse::View;
use yardstick_interchange as interchange;
use yardstick_render as render;
use yardstick_store::Stored;

use crate::http::{Kind, Refusal, Request, Response, Status};
use crate::limits::{LINES, LINES_BYTES, PAGE};
use crate::pages::{self, RecordRow, RunRow, record_row, run_row};
use crate::site::Site;

fn json(value: &impl Serialize) -> Result<Response, Refusal> {
    let text = serde_json::to_string(value).expect("plain data is JSON");
    Ok(Response::new(Kind::Json, render::json_escape(&text) + "\n"))
}

/// `{ "runs": [...], "next": before | null }`
pub(crate) fn runs(site: &Site, request: &Request) -> Result<Response, Refusal> {
    request.query.only(&["before", "most"])?;
    let most = request.query.count("most", PAGE)?;
    let before = request.query.text("before");
    let runs = site.stores.read(|store| Ok(store.runs_page(before, most + 1)?))?;
    let next = (runs.len() > most).then(|| runs[most - 1].run.id.clone());
    let runs: Vec<RunRow> = runs.iter().take(most).map(run_row).collect();
    json(&json!({ "runs": runs, "next": next }))
}

/// A run.
pub(crate) fn run(site: &Site, request: &Request) -> Result<Response, Refusal> {
    request.query.only(&["id"])?;
    let id = request.query.needed("id")?;
    let row = site.stores.read(|store| Ok(run_row(&store.summary(store.run(id)?)?)))?;
    json(&row)
}

/// `{ "records": [...], "next": after | null }`, records as they are stored.
pub(crate) fn records(site: &Site, request: &Request) -> Result<Response, Refusal> {
    request.query.only(&["run", "after", "most"])?;
    let run = request.query.needed("run")?;
    let after = request.query.number("after")?.unwrap_or(0);
    let most = request.query.count("most", LINES)?;
    let lines = site.stores.read(|store| {
        let run = store.run(run)?.id;
        Ok(store.lines(&run, after, most, LINES_BYTES)?)
    })?;
    let mut records = Vec::with_capacity(lines.len());
    for line in &lines {
        records.push(whole(site, line)?);
    }
    // The last page is empty: whether more follows is not known before it is asked for.
    let next = lines.last().map_or("null".to_owned(), |line| line.number.to_string());
    // As they are stored, so that their ids still are their hashes' once what is escaped is read.
    let text = format!("{{\"records\":[{}],\"next\":{next}}}\n", records.join(","));
    Ok(Response::new(Kind::Json, render::json_escape(&text)))
}

fn whole<'a>(site: &Site, line: &'a Stored) -> Result<&'a str, Refusal> {
    let read: Result<serde::de::IgnoredAny, _> = serde_json::from_str(&line.json);
    read.map(|_| line.json.as_str()).map_err(|error| {
        (site.tell)(&format!("record {} (row {}): {error}", line.id, line.number));
        Refusal::new(Status::Internal, "a stored record is no JSON")
    })
}

/// A record.
pub(crate) fn record(site: &Site, request: &Request) -> Result<Response, Refusal> {
    request.query.only(&["id"])?;
    let id = request.query.needed("id")?;
    let record = site.stores.read(|store| Ok(store.record(id)?))?;
    Ok(Response::new(Kind::Json, render::json_escape(&record.to_json()) + "\n"))
}

/// `{ "run": {...}, "records": [...], "next": after }`: what a run has gained since the record `after`.
pub(crate) fn progress(site: &Site, request: &Request) -> Result<Response, Refusal> {
    request.query.only(&["run", "after"])?;
    let id = request.query.needed("run")?;
    let after = request.query.number("after")?.unwrap_or(0);
    site.stores.read(|store| {
        let run = run_row(&store.summary(store.run(id)?)?);
        let entries = store.entries(id, after, PAGE)?;
        let rows = entries.iter().map(|entry| record_row(site, store, entry));
        let records: Vec<RecordRow> = rows.collect::<Result<_, Refusal>>()?;
        let next = entries.last().map_or(after, |entry| entry.number);
        json(&json!({ "run": run, "records": records, "next": next }))
    })
}

/// `{ "cells": [...], "next": after | null }`
pub(crate) fn cells(site: &Site, request: &Request) -> Result<Response, Refusal> {
    request.query.only(&["q", "after", "most"])?;
    let words = request.query.text("q").unwrap_or_default();
    let after = request.query.number("after")?;
    let most = request.query.count("most", PAGE)?;
    let page = site.stores.read(|store| Ok(store.cells(words, after, most)?))?;
    let cells: Vec<_> = page
        .cells
        .iter()
        .map(|cell| {
            json!({
                "cell": cell.first.number,
                "device": cell.first.device,
                "model": cell.first.model,
                "test": cell.first.test,
                "key": cell.first.cell,
                "records": cell.records,
            })
        })
        .collect();
    json(&json!({ "cells": cells, "next": page.next }))
}

/// `{ "trends": [...] }`, one a machine and set of options that took effect.
pub(crate) fn trend(site: &Site, request: &Request) -> Result<Response, Refusal> {
    let trends = site.stores.read(|store| Ok(pages::found(site, store, request)?.1))?;
    json(&json!({ "trends": trends }))
}

/// A run as Prometheus text, without times: a scraper sets its own.
pub(crate) fn metrics(site: &Site, request: &Request) -> Result<Response, Refusal> {
    request.query.only(&["run"])?;
    site.stores.read(|store| {
        let run = match request.query.text("run") {
            Some(id) => store.run(id)?.id,
            None => match store.latest_run()? {
                Some(run) => run.id,
                None => return Err(Refusal::not_found("the store has no runs yet")),
            },
        };
        let key = format!("metrics {}", site.state_of(store, &run)?);
        if let Some(text) = site.cache.page(&key) {
            return Ok(Response::new(Kind::Metrics, text.as_slice()));
        }
        let comparison = View::default().compare(&site.records(store, &run)?);
        let text = interchange::prometheus(&comparison, &|_| None);
        site.cache.keep_page(key, text.clone().into_bytes());
        Ok(Response::new(Kind::Metrics, text))
    })
}
