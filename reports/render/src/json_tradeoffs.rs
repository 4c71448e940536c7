//! Trade-offs and depth curves in JSON: every value with its interval, the records it comes from, or the reason it is missing.

use serde_json::{Map, Value, json};
use yardstick_analyse::{
    Aspect, Candidate, Change, Column, DepthCurve, Front, NoFront, Quantity, Row, Standing,
    Tradeoff, Varies,
};
use yardstick_api::Known;

/// A trade-off.
pub(crate) fn tradeoff(tradeoff: &Tradeoff) -> Value {
    let candidate = |candidate: &Candidate| of_candidate(&tradeoff.columns, candidate);
    json!({
        "model": tradeoff.model,
        "device": tradeoff.device,
        "machine": tradeoff.machine,
        "varies": varies(tradeoff.varies),
        "baseline": tradeoff.candidates[tradeoff.baseline].label,
        "reference": tradeoff.reference,
        "reference_is_quantised": tradeoff.reference_is_quantised(),
        "candidates": tradeoff.candidates.iter().map(candidate).collect::<Vec<_>>(),
        "fronts": tradeoff.fronts.iter().map(|front| of_front(tradeoff, front)).collect::<Vec<_>>(),
        "no_fronts": tradeoff.no_fronts.iter().map(no_front).collect::<Vec<_>>(),
    })
}

/// `weights` or `kv`.
pub(crate) fn varies(varies: Varies) -> &'static str {
    match varies {
        Varies::Weights => "weights",
        Varies::Keys => "kv",
    }
}

fn of_candidate(columns: &[Column], candidate: &Candidate) -> Value {
    let each = columns.iter().zip(&candidate.values).zip(&candidate.changes);
    let values = each.map(|((column, value), change)| of_value(column, value, change.as_ref()));
    json!({
        "label": candidate.label,
        "model": candidate.model,
        "sha256": candidate.sha256,
        "values": values.collect::<Vec<_>>(),
    })
}

fn of_value(column: &Column, value: &Known<Quantity>, change: Option<&Change>) -> Value {
    let mut object = Map::new();
    object.insert("name".to_owned(), json!(column.aspect.name()));
    object.insert("unit".to_owned(), json!(column.aspect.unit()));
    object.insert("better".to_owned(), json!(column.aspect.direction()));
    for (name, text) in [("data", &column.data), ("reference", &column.reference)] {
        if let Some(text) = text {
            object.insert(name.to_owned(), json!(text));
        }
    }
    if let Some(test) = column.test {
        object.insert("test".to_owned(), json!(test));
    }
    match value {
        Known::Value(quantity) => object.extend(fields(quantity)),
        Known::Unavailable { unavailable } => {
            object.insert("unavailable".to_owned(), json!(unavailable));
        }
    }
    if let Some(change) = change {
        object.insert(
            "change".to_owned(),
            json!({ "ratio": change.ratio, "interval": change.interval, "difference": change.difference }),
        );
    }
    Value::Object(object)
}

fn fields(quantity: &Quantity) -> Map<String, Value> {
    let mut object = Map::new();
    object.insert("value".to_owned(), json!(quantity.value));
    object.insert("exact".to_owned(), json!(quantity.estimate.is_none()));
    if let Some(estimate) = &quantity.estimate {
        object.insert("estimate".to_owned(), json!(estimate));
    }
    object.insert("records".to_owned(), json!(quantity.records));
    object
}

fn of_front(tradeoff: &Tradeoff, front: &Front) -> Value {
    let labels = |indices: &[usize]| -> Vec<&str> {
        indices.iter().map(|&i| tradeoff.candidates[i].label.as_str()).collect()
    };
    let standing = |standing: &Standing| match standing {
        Standing::Front => json!({ "standing": "front" }),
        Standing::Tied(with) => json!({ "standing": "tied", "with": labels(with) }),
        Standing::Dominated(by) => json!({ "standing": "dominated", "by": labels(by) }),
        Standing::Missing(reason) => json!({ "unavailable": reason }),
    };
    let standings: Map<String, Value> = tradeoff
        .candidates
        .iter()
        .zip(&front.standings)
        .map(|(candidate, found)| (candidate.label.clone(), standing(found)))
        .collect();
    json!({
        "quality": tradeoff.columns[front.quality].aspect.name(),
        "against": tradeoff.columns[front.cost].aspect.name(),
        "standings": standings,
    })
}

fn no_front(none: &NoFront) -> Value {
    json!({ "against": Aspect::name(none.cost), "unavailable": none.reason })
}

/// A depth curve.
pub(crate) fn depths(curve: &DepthCurve, rows: &[Row]) -> Value {
    let points = curve.points.iter().map(|point| {
        json!({
            "depth": point.depth,
            "tokens_per_second": point.speed,
            "kv_bytes": point.kv_bytes,
            "records": rows[point.row].records,
        })
    });
    let growth = curve.growth.clone().map(|growth| {
        json!({
            "ns_per_position": growth.ns_per_position,
            "ns_at_start": growth.ns_at_start,
            "farthest": growth.farthest,
        })
    });
    json!({
        "model": curve.model,
        "device": curve.device,
        "kv": curve.kv,
        "test": curve.test,
        "kv_bytes_per_position": curve.position_bytes,
        "points": points.collect::<Vec<_>>(),
        "growth": growth,
        "full_at_positions": curve.full_at,
    })
}
