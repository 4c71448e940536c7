//! A routing curve for the terminal, as JSON and as a page with its picture.

use serde::Serialize;
use serde_json::json;
use yardstick_analyse::{Route, RoutePoint};
use yardstick_api::Known;

use crate::html::{Meta, STYLE, fill};
use crate::json::json_escape;
use crate::number::digits;
use crate::terminal::{NARROWEST, push_wrapped};
use crate::text::elide;

/// Rows of the curve shown to people, beside the point that was chosen.
const ROWS: usize = 11;
/// Characters of a reason.
const REASON: usize = 200;
/// Queries without which a threshold that fits them says little of others.
const FEW: usize = 200;

/// Everything as JSON.
pub fn route_json(name: &str, found: &Route) -> String {
    json_escape(&format!("{:#}\n", json!({ "route": name, "found": found })))
}

/// The threshold first, then the curve. `battery_wh`: of the device that asks.
pub fn route(
    name: &str,
    currency: &str,
    found: &Route,
    battery_wh: Option<f64>,
    width: usize,
) -> String {
    let width = width.max(NARROWEST);
    let mut text = String::new();
    push_wrapped(&mut text, &decision(name, currency, found), width);
    text.push('\n');
    text.push_str("threshold     local  quality    loss  cost/query   mean ms");
    text.push_str(if battery_wh.is_some() { "  queries/charge\n" } else { "\n" });
    for at in rows(found) {
        let mark = if found.chosen == Some(at) { "  <" } else { "" };
        text.push_str(&line(&found.points[at], battery_wh));
        text.push_str(mark);
        text.push('\n');
    }
    text.push('\n');
    for remark in missing(found).into_iter().chain(remarks(found)) {
        push_wrapped(&mut text, &remark, width);
    }
    text
}

#[derive(Serialize)]
struct Page {
    style: &'static str,
    title: String,
    generated: String,
    tool: String,
    decision: String,
    svg: Option<String>,
    caption: &'static str,
    heads: Vec<&'static str>,
    rows: Vec<Vec<String>>,
    remarks: Vec<String>,
}

const TEMPLATE: &str = include_str!("route.html");
const CAPTION: &str = "Mean score of all queries (left scale), and what a thousand of them cost (right scale, where it is known), by the share \
    that the small model answers: those it is surest of stay first. The grey line is what a router that knew each score would reach.";

/// A self-contained page: the decision, the curve drawn, the rows of the terminal.
pub fn route_html(meta: &Meta, currency: &str, found: &Route, battery_wh: Option<f64>) -> String {
    let decision = decision(&meta.title, currency, found);
    let mut heads = vec!["threshold", "stay", "quality", "loss", "cost a query", "mean ms"];
    heads.extend(battery_wh.map(|_| "queries a charge"));
    let page = Page {
        style: STYLE,
        title: elide(&meta.title, REASON),
        generated: elide(&meta.generated, REASON),
        tool: elide(&meta.tool, REASON),
        svg: crate::charts::route(&decision, found, &elide(currency, 3)),
        decision,
        caption: CAPTION,
        heads,
        rows: rows(found).into_iter().map(|at| unbroken(&found.points[at], battery_wh)).collect(),
        remarks: missing(found).into_iter().chain(remarks(found)).collect(),
    };
    fill(TEMPLATE, page)
}

/// Fields that a narrow screen breaks nowhere.
fn unbroken(point: &RoutePoint, battery_wh: Option<f64>) -> Vec<String> {
    fields(point, battery_wh).into_iter().map(|field| field.replace(' ', "\u{a0}")).collect()
}

/// The threshold, or why there is none.
fn decision(name: &str, currency: &str, found: &Route) -> String {
    let name = elide(name, REASON);
    if let Some(point) = found.chosen.and_then(|at| found.points.get(at)) {
        return sentence(&name, currency, point);
    }
    let reason = found.points.iter().flat_map(|point| &point.unjudged).next();
    let reason = reason.map_or_else(
        || "no threshold keeps every need".to_owned(),
        |reason| format!("no threshold can be said to keep every need: {reason}"),
    );
    format!("{name}: {}.", elide(&reason, REASON))
}

/// What is missing, each reason once.
fn missing(found: &Route) -> Vec<String> {
    let missing = found.points.iter().flat_map(|p| [&p.cost, &p.latency_ms, &p.joules]);
    let reasons: std::collections::BTreeSet<&str> = missing.filter_map(Known::reason).collect();
    reasons.into_iter().map(|reason| format!("– {}", elide(reason, REASON))).collect()
}

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

fn sentence(name: &str, currency: &str, point: &RoutePoint) -> String {
    let rule = match point.threshold {
        Some(threshold) => format!("a query stays where confidence is at least {threshold}"),
        None => "every query goes to the large model".to_owned(),
    };
    let interval = match &point.loss_interval {
        Known::Value(i) => format!("[{}, {}]", percent(i.low), percent(i.high)),
        Known::Unavailable { unavailable } => format!("({})", elide(unavailable, REASON)),
    };
    let cost = point.cost.value().map_or(String::new(), |cost| {
        format!(", {} {} a thousand queries", digits(1e3 * cost), elide(currency, 3))
    });
    format!(
        "{name}: {rule}: {} of queries stay, {} of the score is lost {interval}{cost}.",
        percent(point.local),
        percent(point.loss)
    )
}

/// Evenly over the share that stays, the ends and the chosen one among them.
fn rows(found: &Route) -> Vec<usize> {
    let last = found.points.len() - 1;
    let mut rows: Vec<usize> = (0..ROWS).map(|i| last * i / (ROWS - 1)).collect();
    rows.extend(found.chosen);
    rows.sort_unstable();
    rows.dedup();
    rows
}

fn line(point: &RoutePoint, battery_wh: Option<f64>) -> String {
    let fields = fields(point, battery_wh);
    let widths = [9, 8, 8, 7, 11, 9, 15];
    let fields = fields.iter().zip(widths).map(|(field, width)| format!("{field:>width$}"));
    fields.collect::<Vec<_>>().join(" ")
}

/// Threshold, share that stays, quality, loss, cost, time, queries of a charge where there is a battery.
fn fields(point: &RoutePoint, battery_wh: Option<f64>) -> Vec<String> {
    let known = |value: &Known<f64>, of: &dyn Fn(f64) -> String| {
        value.value().map_or("–".to_owned(), |value| of(*value))
    };
    let mut fields = vec![
        point.threshold.map_or("none".to_owned(), digits),
        percent(point.local),
        format!("{:.3}", point.quality),
        percent(point.loss),
        known(&point.cost, &|cost| format!("{cost:.5}")),
        known(&point.latency_ms, &|ms| format!("{ms:.0}")),
    ];
    fields.extend(battery_wh.map(|wh| {
        let queries = |joules: f64| {
            if joules > 0.0 { format!("{:.0}", wh * 3600.0 / joules) } else { "–".to_owned() }
        };
        known(&point.joules, &queries)
    }));
    fields
}

fn remarks(found: &Route) -> Vec<String> {
    let mut remarks = vec![format!(
        "{} queries; a router that knew each answer's score would reach {:.3}.",
        found.queries, found.oracle
    )];
    if found.cascade {
        remarks.push(
            "The small model is asked first: queries that go on take its time and energy too."
                .into(),
        );
    }
    if found.queries < FEW {
        remarks.push(format!(
            "The threshold was chosen on these very queries, fewer than {FEW}: hold it against others before it decides."
        ));
    }
    remarks
}
