//! Two sides held against each other: runs, or devices, models, commits and builds within one run.

use serde_json::json;
use yardstick_analyse::Noise;
use yardstick_analyse::sides::{By, Side, Sides};
use yardstick_render as render;
use yardstick_store::Store;

use super::run::meta;
use super::{NAME, RunRow, page, run_row};
use crate::http::{Kind, Refusal, Request, Response, Status};
use crate::limits::{MOST_RECORDS, PAGE};
use crate::site::{Site, within};

/// What a side may be within a run.
const KINDS: [(&str, By); 4] = [
    ("device:", By::Device),
    ("model:", By::Model),
    ("commit:", By::Commit),
    ("build:", By::Build),
];

/// The comparison, or the form that asks for one.
pub(crate) fn compare(site: &Site, request: &Request) -> Result<Response, Refusal> {
    request.query.only(&["a", "b", "among"])?;
    let query = &request.query;
    let (Some(a), Some(b)) = (query.text("a"), query.text("b")) else {
        return form(site, query.text("a"), query.text("b"));
    };
    if a == b {
        return Err(Refusal::bad("both sides are the same"));
    }
    site.stores.read(|store| {
        let among = query.text("among");
        let names = [a, b].map(|name| resolved(store, name, among));
        let [a, b] = names;
        let (a, b) = (a?, b?);
        let noise = site.noise(store)?;
        let mut key = format!("compare {a:?} {b:?} {}", noise.len());
        for run in [&a.run, &b.run] {
            key += &site.state_of(store, run)?;
        }
        if let Some(page) = site.cache.page(&key) {
            return Ok(Response::new(Kind::Report, page.as_slice()));
        }
        let sides = [side(site, store, &a)?, side(site, store, &b)?];
        let names = format!("{} · {}", a.name, b.name);
        let sides = Sides::join(&sides, &Noise::of(&noise), false)
            .map_err(|refusal| Refusal::new(Status::Unprocessable, refusal.to_string()))?;
        let page = render::sides_html(&sides, &meta(site, names));
        site.cache.keep_page(key, page.clone().into_bytes());
        Ok(Response::new(Kind::Report, page))
    })
}

fn form(site: &Site, a: Option<&str>, b: Option<&str>) -> Result<Response, Refusal> {
    let runs = site.stores.read(|store| Ok(store.runs_page(None, PAGE)?))?;
    let rows: Vec<RunRow> = runs.iter().map(run_row).collect();
    let [a, b] = [a, b].map(|side| render::clean(side.unwrap_or_default()));
    Ok(page(site, "compare.html", json!({ "rows": rows, "a": a, "b": b, "here": "compare" })))
}

/// A side by its name: which run it is in, and what of it.
#[derive(Debug)]
struct Name {
    name: String,
    run: String,
    by: By,
    value: String,
}

fn resolved(store: &Store, name: &str, among: Option<&str>) -> Result<Name, Refusal> {
    let part = KINDS.iter().find_map(|(prefix, by)| Some((*by, name.strip_prefix(prefix)?)));
    let Some((by, value)) = part else {
        let id = name.strip_prefix("run:").unwrap_or(name);
        let run = store.run(id)?.id;
        return Ok(Name { name: name.to_owned(), value: run.clone(), run, by: By::Run });
    };
    let run = match among {
        Some(id) => store.run(id)?.id,
        None => {
            let latest = store.latest_run()?;
            latest.ok_or_else(|| Refusal::not_found("the store has no runs yet"))?.id
        }
    };
    Ok(Name { name: name.to_owned(), run, by, value: value.to_owned() })
}

fn side(site: &Site, store: &Store, name: &Name) -> Result<Side, Refusal> {
    let entries = store.entries(&name.run, 0, MOST_RECORDS + 1)?;
    within(entries.len())?;
    let mut briefs = site.briefs(store, &entries)?;
    briefs.retain(|brief| name.by.holds(brief, &name.value));
    if briefs.is_empty() {
        let (side, run) = (render::elide(&name.name, NAME), render::elide(&name.run, NAME));
        return Err(Refusal::not_found(format!("run {run} has no records of {side}")));
    }
    Ok(Side { name: name.name.clone(), briefs, by: name.by })
}
