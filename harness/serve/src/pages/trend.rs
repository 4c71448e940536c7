//! A cell over its runs: the picture, the changes that stayed, and every point.

use serde::Serialize;
use serde_json::json;
use yardstick_analyse::{ChangePoint, Trend, TrendPoint, trends};
use yardstick_render as render;
use yardstick_store::{Entry, Store};

use super::{LONG, NAME, lists, moment, page};
use crate::http::{Refusal, Request, Response};
use crate::limits::SERIES;
use crate::site::Site;

#[derive(Serialize)]
struct Shown {
    machine: String,
    build: Option<String>,
    shared: bool,
    picture: Option<String>,
    points: Vec<Point>,
    changes: Vec<String>,
}

#[derive(Serialize)]
struct Point {
    run: String,
    name: String,
    started: String,
    median: String,
    range: String,
    launches: usize,
    program: String,
}

/// The trends of a cell that a record's number stands for, and that record.
pub(crate) fn found(
    site: &Site,
    store: &Store,
    request: &Request,
) -> Result<(Entry, Vec<Trend>), Refusal> {
    request.query.only(&["cell"])?;
    request.query.needed("cell")?;
    let number = request.query.number("cell")?.unwrap_or_default();
    let entry = store.entry(number)?;
    let entry =
        entry.ok_or_else(|| Refusal::not_found("the store has no record of that number"))?;
    let mut entries = store.series(&entry.cell, SERIES)?;
    entries.reverse();
    let briefs = site.briefs(store, &entries)?;
    Ok((entry, trends(&briefs)))
}

/// The page of a cell.
pub(crate) fn trend(site: &Site, request: &Request) -> Result<Response, Refusal> {
    site.stores.read(|store| {
        let (entry, trends) = found(site, store, request)?;
        let shown: Vec<Shown> = trends.iter().map(shown).collect();
        let name = |text: &str| render::elide(text, NAME);
        let values = json!({ "device": name(&entry.device), "model": name(&entry.model), "test": name(&entry.test), "number": entry.number, "options": render::elide(&lists::options(&entry.cell), LONG), "shown": shown, "here": "trends" });
        Ok(page(site, "trend.html", values))
    })
}

fn shown(trend: &Trend) -> Shown {
    Shown {
        machine: render::elide(&trend.machine, LONG),
        build: trend.build.as_deref().map(|label| render::elide(label, NAME)),
        shared: trend.shared,
        picture: render::trend(trend),
        points: trend.points.iter().rev().map(|point| self::point(trend, point)).collect(),
        changes: trend.changes.iter().map(change).collect(),
    }
}

fn point(trend: &Trend, point: &TrendPoint) -> Point {
    let words = |value| render::quantity(trend.metric, value);
    let (low, high) = point.range;
    Point {
        run: point.run.clone(),
        name: render::elide(&point.run, NAME),
        started: render::elide(&point.started, NAME),
        median: words(point.median),
        range: if point.records.len() > 1 {
            range(&words(low), &words(high))
        } else {
            String::new()
        },
        launches: point.records.len(),
        program: render::elide(&point.program, NAME),
    }
}

/// `450.2 to 495.6 tokens/s`: the unit once, where it is the same.
fn range(low: &str, high: &str) -> String {
    match (low.split_once(' '), high.split_once(' ')) {
        (Some((digits, unit)), Some((_, other))) if unit == other => format!("{digits} to {high}"),
        _ => format!("{low} to {high}"),
    }
}

fn change(change: &ChangePoint) -> String {
    let (ratio, word) = match change.speed >= 1.0 {
        true => (change.speed, "faster"),
        false => (1.0 / change.speed, "slower"),
    };
    let programs = match change.program == change.program_before {
        true => "the same program".to_owned(),
        false => format!(
            "{} instead of {}",
            render::elide(&change.program, NAME),
            render::elide(&change.program_before, NAME)
        ),
    };
    format!(
        "{ratio:.2}× {word} since run {} ({}), {programs}; {} runs before, {} after, p = {:.1e}",
        render::elide(&change.run, NAME),
        moment(&change.started),
        change.before,
        change.after,
        change.p
    )
}
