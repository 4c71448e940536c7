//! Trade-offs in CSV: a line a value, so that formats, devices and scores of any number fit, each with its records.

use yardstick_analyse::{Comparison, Difference, Front, Standing, Tradeoff};

use crate::csv::{csv_field, write};
use crate::json_tradeoffs::varies;

const HEADS: [&str; 25] = [
    "model",
    "device",
    "machine",
    "varies",
    "format",
    "name",
    "unit",
    "better",
    "test",
    "data",
    "reference",
    "value",
    "exact",
    "low",
    "high",
    "confidence",
    "n",
    "n_of",
    "missing",
    "change",
    "change_low",
    "change_high",
    "change_shows",
    "standing",
    "records",
];

/// Every value of every trade-off.
pub fn csv_tradeoffs(comparison: &Comparison) -> String {
    let lines = comparison.tradeoffs.iter().flat_map(lines);
    write(HEADS.map(str::to_owned).to_vec(), lines)
}

fn lines(tradeoff: &Tradeoff) -> Vec<Vec<String>> {
    let all = (0..tradeoff.candidates.len())
        .flat_map(|at| (0..tradeoff.columns.len()).map(move |column| (at, column)));
    all.map(|(at, column)| line(tradeoff, at, column)).collect()
}

fn line(tradeoff: &Tradeoff, at: usize, column: usize) -> Vec<String> {
    let (candidate, told) = (&tradeoff.candidates[at], &tradeoff.columns[column]);
    let text = |text: Option<&String>| text.map(|text| csv_field(text)).unwrap_or_default();
    let number = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
    let quantity = candidate.values[column].value();
    let estimate = quantity.and_then(|quantity| quantity.estimate.as_ref());
    let interval = quantity.and_then(|quantity| quantity.interval());
    let change = candidate.changes[column].as_ref();
    let change_interval = change.and_then(|change| change.interval);
    let no_interval = estimate.and_then(|estimate| estimate.interval.reason());
    let better = match told.aspect.direction() {
        yardstick_record::Direction::Higher => "higher",
        yardstick_record::Direction::Lower => "lower",
    };
    vec![
        csv_field(&tradeoff.model),
        csv_field(&tradeoff.device),
        csv_field(&tradeoff.machine),
        varies(tradeoff.varies).to_owned(),
        csv_field(&candidate.label),
        told.aspect.name().to_owned(),
        told.aspect.unit().to_owned(),
        better.to_owned(),
        told.test.map(|test| csv_field(&test.to_string())).unwrap_or_default(),
        text(told.data.as_ref()),
        text(told.reference.as_ref()),
        number(quantity.map(|quantity| quantity.value)),
        quantity.map(|quantity| quantity.estimate.is_none().to_string()).unwrap_or_default(),
        number(interval.map(|interval| interval.low)),
        number(interval.map(|interval| interval.high)),
        number(interval.map(|interval| interval.confidence)),
        estimate.map(|estimate| estimate.n.to_string()).unwrap_or_default(),
        estimate.map(|e| e.unit_of_statistics.name().to_owned()).unwrap_or_default(),
        csv_field(candidate.values[column].reason().or(no_interval).unwrap_or("")),
        number(change.map(|change| change.ratio)),
        number(change_interval.map(|interval| interval.low)),
        number(change_interval.map(|interval| interval.high)),
        change.map(|change| shows(change.difference).to_owned()).unwrap_or_default(),
        csv_field(&standing(tradeoff, at, column)),
        quantity.map(|quantity| quantity.records.join(" ")).unwrap_or_default(),
    ]
}

fn shows(difference: Difference) -> &'static str {
    match difference {
        Difference::Shown => "shown",
        Difference::NotShown => "not_shown",
        Difference::BelowNoise => "below_noise",
        Difference::NoInterval => "no_interval",
    }
}

/// What the front against this column makes of the candidate.
fn standing(tradeoff: &Tradeoff, at: usize, column: usize) -> String {
    let front = tradeoff.fronts.iter().find(|front: &&Front| front.cost == column);
    let labels = |indices: &[usize]| -> String {
        let labels = indices.iter().map(|&i| tradeoff.candidates[i].label.as_str());
        labels.collect::<Vec<_>>().join(" ")
    };
    match front.map(|front| &front.standings[at]) {
        None => String::new(),
        Some(Standing::Front) => "front".to_owned(),
        Some(Standing::Tied(with)) => format!("tied with {}", labels(with)),
        Some(Standing::Dominated(by)) => format!("dominated by {}", labels(by)),
        Some(Standing::Missing(reason)) => format!("missing: {reason}"),
    }
}
