//! The list of runs, and the list of cells.

use serde::Serialize;
use serde_json::{Value, json};
use yardstick_api::Options;
use yardstick_render as render;
use yardstick_store::CellSummary;

use super::{LONG, NAME, RunRow, page, run_row};
use crate::http::{Refusal, Request, Response};
use crate::limits::PAGE;
use crate::site::Site;

/// Runs, the latest first.
pub(crate) fn runs(site: &Site, request: &Request) -> Result<Response, Refusal> {
    request.query.only(&["before"])?;
    let before = request.query.text("before");
    let runs = site.stores.read(|store| Ok(store.runs_page(before, PAGE + 1)?))?;
    let older = (runs.len() > PAGE).then(|| runs[PAGE - 1].run.id.clone());
    let rows: Vec<RunRow> = runs.iter().take(PAGE).map(run_row).collect();
    let is_first = before.is_none();
    Ok(page(
        site,
        "runs.html",
        json!({ "rows": rows, "older": older, "is_first": is_first, "here": "runs" }),
    ))
}

#[derive(Serialize)]
struct CellRow {
    number: i64,
    device: String,
    model: String,
    test: String,
    options: String,
    records: u64,
}

/// Cells over all runs.
pub(crate) fn trends(site: &Site, request: &Request) -> Result<Response, Refusal> {
    request.query.only(&["q", "after"])?;
    let words = request.query.text("q").unwrap_or_default();
    let after = request.query.number("after")?;
    let found = site.stores.read(|store| Ok(store.cells(words, after, PAGE)?))?;
    let rows: Vec<CellRow> = found.cells.iter().map(cell_row).collect();
    let values = json!({ "rows": rows, "next": found.next, "is_first": after.is_none(), "q": words, "shown": render::elide(words, NAME), "here": "trends" });
    Ok(page(site, "trends.html", values))
}

fn cell_row(cell: &CellSummary) -> CellRow {
    let name = |text: &str| render::elide(text, NAME);
    CellRow {
        number: cell.first.number,
        device: name(&cell.first.device),
        model: name(&cell.first.model),
        test: name(&cell.first.test),
        options: render::elide(&options(&cell.first.cell), LONG),
        records: cell.records,
    }
}

/// Options in a cell's key that are not the default, and what stands behind them: `threads 2, build base`.
pub(crate) fn options(key: &str) -> String {
    let Some((_, rest)) = key.split_once("|{") else { return String::new() };
    let mut values =
        serde_json::Deserializer::from_str(&key[key.len() - rest.len() - 1..]).into_iter();
    let Some(Ok(Value::Object(found))) = values.next() else { return String::new() };
    let end = key.len() - rest.len() - 1 + values.byte_offset();
    let usual = serde_json::to_value(Options::default()).unwrap_or_default();
    let mut words: Vec<String> = found
        .iter()
        .filter(|(name, value)| usual.get(name) != Some(value))
        .map(|(name, value)| match value {
            Value::String(text) => format!("{name} {text}"),
            other => format!("{name} {other}"),
        })
        .collect();
    // After the options: the test, then a build's label and a subject.
    words.extend(key[end..].split('|').skip(2).map(|part| part.chars().take(40).collect()));
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_options_that_are_not_the_default_are_told() {
        let key = |options: Options, end: &str| {
            format!("cpu:a|m|{}|tg8{end}", serde_json::to_string(&options).unwrap())
        };
        assert_eq!(options(&key(Options::default(), "")), "");
        let asked = Options { threads: Some(2), ..Options::default() };
        assert_eq!(options(&key(asked, "|build base")), "threads 2, build base");
        for broken in ["", "a|b|c", "a|{", "a|{}", "a|{|"] {
            assert_eq!(options(broken), "", "{broken}");
        }
    }
}
