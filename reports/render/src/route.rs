//! A routing curve for the terminal and as JSON.

use serde_json::json;
use yardstick_analyse::{Route, RoutePoint};
use yardstick_api::Known;

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
    let name = elide(name, REASON);
    match found.chosen.map(|at| &found.points[at]) {
        Some(point) => push_wrapped(&mut text, &sentence(&name, currency, point), width),
        None => {
            let reason = found.points.iter().flat_map(|point| &point.unjudged).next();
            let reason = reason.map_or_else(
                || "no threshold keeps every need".to_owned(),
                |reason| format!("no threshold can be said to keep every need: {reason}"),
            );
            push_wrapped(&mut text, &format!("{name}: {}.", elide(&reason, REASON)), width);
        }
    }
    text.push('\n');
    text.push_str("threshold   local  quality    loss  cost/query   mean ms");
    text.push_str(if battery_wh.is_some() { "  queries/charge\n" } else { "\n" });
    for at in rows(found) {
        let mark = if found.chosen == Some(at) { "  <" } else { "" };
        text.push_str(&line(&found.points[at], battery_wh));
        text.push_str(mark);
        text.push('\n');
    }
    text.push('\n');
    let missing = found.points.iter().flat_map(|p| [&p.cost, &p.latency_ms, &p.joules]);
    let mut missing: Vec<&str> = missing.filter_map(Known::reason).collect();
    missing.dedup();
    missing.sort_unstable();
    missing.dedup();
    for reason in missing {
        push_wrapped(&mut text, &format!("– {}", elide(reason, REASON)), width);
    }
    for remark in remarks(found) {
        push_wrapped(&mut text, &remark, width);
    }
    text
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
    let known = |value: &Known<f64>, of: &dyn Fn(f64) -> String| {
        value.value().map_or("–".to_owned(), |value| of(*value))
    };
    let threshold = point.threshold.map_or("none".to_owned(), digits);
    let charge = battery_wh.map_or(String::new(), |wh| {
        let queries = |joules: f64| {
            if joules > 0.0 { format!("{:.0}", wh * 3600.0 / joules) } else { "–".to_owned() }
        };
        format!("  {:>14}", known(&point.joules, &queries))
    });
    format!(
        "{threshold:>9} {:>7}  {:>7} {:>7}  {:>10}  {:>8}{charge}",
        percent(point.local),
        format!("{:.3}", point.quality),
        percent(point.loss),
        known(&point.cost, &|cost| format!("{cost:.5}")),
        known(&point.latency_ms, &|ms| format!("{ms:.0}")),
    )
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
