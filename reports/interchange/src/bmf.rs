//! Bencher Metric Format: `{benchmark: {measure: {value, lower_value, upper_value}}}`.

use serde_json::{Map, Value, json};
use yardstick_analyse::{Comparison, Estimate};
use yardstick_render::json_escape;

use crate::series::series;

/// Every metric that has a value, in its unit; bounds where there is an interval.
pub fn bmf(comparison: &Comparison) -> String {
    let mut benchmarks = Map::new();
    for series in series(comparison) {
        let measures: Map<String, Value> = series
            .estimates()
            .map(|(metric, estimate)| (metric.name().replace('_', "-"), measure(estimate)))
            .collect();
        benchmarks.insert(series.name, Value::Object(measures));
    }
    let text = serde_json::to_string_pretty(&benchmarks).expect("JSON values are JSON");
    json_escape(&text) + "\n"
}

fn measure(estimate: &Estimate) -> Value {
    match estimate.interval.value() {
        Some(interval) => json!({
            "value": estimate.median,
            "lower_value": interval.low,
            "upper_value": interval.high,
        }),
        None => json!({ "value": estimate.median }),
    }
}
