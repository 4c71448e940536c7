//! The custom formats of github-action-benchmark: an array of `{name, unit, value, range, extra}`, whose direction is said by
//! the tool (`customBiggerIsBetter`, `customSmallerIsBetter`) and not by the file.

use serde_json::{Value, json};
use yardstick_analyse::{Comparison, Estimate};
use yardstick_record::{Direction, Metric};
use yardstick_render::json_escape;

use crate::series::{Series, series, verified};

/// Every metric of this direction that has a value.
pub fn github_action(comparison: &Comparison, direction: Direction) -> String {
    let mut points = Vec::new();
    for series in series(comparison) {
        for (metric, estimate) in series.estimates().filter(|(m, _)| m.direction() == direction) {
            points.push(point(&series, metric, estimate));
        }
    }
    let text = serde_json::to_string_pretty(&points).expect("JSON values are JSON");
    json_escape(&text) + "\n"
}

fn point(series: &Series<'_>, metric: Metric, estimate: &Estimate) -> Value {
    let name = harmless(&format!("{} {}", series.name, metric.name()));
    let of = format!("n = {} {}", estimate.n, estimate.unit_of_statistics.name());
    let checked = if verified(series.row) { "answers verified" } else { "answers not verified" };
    let mut point = json!({ "name": name, "unit": metric.unit(), "value": estimate.median });
    let interval = match estimate.interval.value() {
        Some(interval) => {
            let farther = (interval.high - estimate.median).max(estimate.median - interval.low);
            point["range"] = Value::from(format!("± {farther}"));
            format!(
                "{:.1} % interval {} to {}, {}",
                100.0 * interval.confidence,
                interval.low,
                interval.high,
                estimate.method.name()
            )
        }
        None => estimate.interval.reason().unwrap_or("no interval").to_owned(),
    };
    point["extra"] = Value::from(harmless(&format!("{checked}\n{of}\n{interval}")));
    point
}

/// Its names become code in the cells of a markdown table in a comment.
fn harmless(text: &str) -> String {
    text.replace(['`', '|', '<', '>'], "'")
}
