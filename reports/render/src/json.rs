//! JSON: rows with metrics, units and directions. The shape is described in reports/README.md.

use serde_json::{Map, Value, json};
use yardstick_analyse::{Comparison, Ranking, Row};
use yardstick_api::Known;
use yardstick_record::Metric;

use crate::json_tradeoffs::{depths, tradeoff};
use crate::text::steers;

/// Version of the shape below.
const VERSION: u32 = 3;

/// The comparison as one JSON object.
pub fn json(comparison: &Comparison) -> String {
    let whole = json!({
        "report": VERSION,
        "varying": comparison.varying,
        "rows": comparison.rows.iter().map(row).collect::<Vec<_>>(),
        "noise": comparison.noise,
        "soaks": comparison.soaks,
        "history": comparison.history,
        "memory": comparison.memory,
        "rankings": comparison.rankings.iter().map(ranking).collect::<Vec<_>>(),
        "tradeoffs": comparison.tradeoffs.iter().map(tradeoff).collect::<Vec<_>>(),
        "depths": comparison.depths.iter().map(|curve| depths(curve, &comparison.rows)).collect::<Vec<_>>(),
    });
    let text = serde_json::to_string_pretty(&whole).expect("JSON values are JSON");
    json_escape(&text) + "\n"
}

fn row(row: &Row) -> Value {
    let metrics: Map<String, Value> = row
        .metrics
        .iter()
        .map(|(&metric, value)| (metric.name().to_owned(), quantity(metric, value)))
        .collect();
    json!({
        "device": { "id": row.cell.device, "name": row.device_name, "class": row.class },
        "model": row.cell.model,
        "options": row.cell.options,
        "settings": row.settings,
        "test": row.cell.test,
        "threads": row.threads,
        "kv_bytes": row.kv_bytes,
        "launches": row.launches,
        "measured": row.measured,
        "samples": row.samples,
        "limit": row.limit,
        "metrics": metrics,
        "launch_medians": row.by_launch.iter().map(|launch| launch.value).collect::<Vec<_>>(),
        "drift": row.drift,
        "ratio": row.ratio,
        "origin": row.origin,
        "level": row.level,
        "latency": row.latency,
        "verification": row.verification,
        "outcome": row.outcome,
        "reasons": row.reasons,
        "marks": row.marks,
        "set_apart": row.set_apart,
        "unsteady": row.unsteady,
        "not_ranked": row.not_ranked,
        "rerun": row.rerun,
        "records": row.records,
        "quality": row.quality,
    })
}

/// An estimate, or its reason, with unit and direction beside it.
pub(crate) fn quantity(metric: Metric, value: &Known<yardstick_analyse::Estimate>) -> Value {
    let mut object = Map::new();
    object.insert("unit".to_owned(), json!(metric.unit()));
    object.insert("better".to_owned(), json!(metric.direction()));
    if let Value::Object(fields) = json!(value) {
        object.extend(fields);
    }
    Value::Object(object)
}

fn ranking(ranking: &Ranking) -> Value {
    json!({
        "machine": ranking.machine,
        "model": ranking.model,
        "test": ranking.test,
        "sequences": ranking.sequences,
        "metric": ranking.metric.name(),
        "rows": ranking.order,
        "tied": ranking.tied,
        "lead": ranking.lead,
        "proven": ranking.proven,
    })
}

/// JSON may be printed on a terminal: what steers one is written as `\uXXXX`, which reads back as the same text.
/// Such characters stand only inside strings, but for the line breaks of the layout.
pub fn json_escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut units = [0; 2];
    for c in text.chars() {
        if c == '\n' || !steers(c) {
            out.push(c);
        } else {
            out.extend(c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
        }
    }
    out
}
