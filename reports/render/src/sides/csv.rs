//! CSV of sides: a line a metric, cell and side, with raw numbers.

use yardstick_analyse::Estimate;
use yardstick_analyse::sides::{Effect, Line, Shift, Sides};

use crate::csv::{csv_field, write};

const COLUMNS: [&str; 19] = [
    "model",
    "device",
    "build",
    "test",
    "setting",
    "metric",
    "unit",
    "better",
    "side",
    "value",
    "low",
    "high",
    "n",
    "missing",
    "change",
    "change_of",
    "change_low",
    "change_high",
    "difference",
];

/// One line a metric of a cell and side.
pub fn csv(sides: &Sides) -> String {
    let names: Vec<&str> = sides.sides.iter().map(|about| about.name.as_str()).collect();
    let lines = sides
        .lines
        .iter()
        .flat_map(|line| names.iter().enumerate().map(move |(at, name)| fields(line, at, name)));
    write(COLUMNS.map(str::to_owned).to_vec(), lines)
}

fn fields(line: &Line, at: usize, side: &str) -> Vec<String> {
    let cell = &line.cell;
    let text = |text: &Option<String>| text.as_deref().map(csv_field).unwrap_or_default();
    let estimate = line.values[at].value();
    let number = |of: &dyn Fn(&Estimate) -> Option<f64>| {
        estimate.and_then(of).map(|number| number.to_string()).unwrap_or_default()
    };
    let bound =
        |low: bool| number(&|e| e.interval.value().map(|i| if low { i.low } else { i.high }));
    let better = serde_json::to_value(line.better).ok();
    let mut fields = vec![
        text(&cell.model),
        text(&cell.device),
        text(&cell.build),
        cell.test.to_string(),
        csv_field(&cell.setting),
        line.metric.name().to_owned(),
        line.unit.to_owned(),
        better.and_then(|b| Some(b.as_str()?.to_owned())).unwrap_or_default(),
        csv_field(side),
        number(&|e| Some(e.median)),
        bound(true),
        bound(false),
        estimate.map(|e| e.n.to_string()).unwrap_or_default(),
        csv_field(line.values[at].reason().unwrap_or_default()),
    ];
    fields.extend(line.shifts[at].as_ref().map_or_else(|| vec![String::new(); 5], change));
    fields
}

fn change(shift: &Shift) -> Vec<String> {
    let (value, of, interval) = match &shift.effect {
        Effect::Ratio(ratio) => (ratio.median, "ratio", ratio.interval.value()),
        Effect::Difference { value, interval, .. } => (*value, "difference", interval.value()),
    };
    let bound = |low: bool| {
        interval.map(|i| if low { i.low } else { i.high }.to_string()).unwrap_or_default()
    };
    let difference = serde_json::to_value(shift.difference).ok();
    let difference = difference.and_then(|d| Some(d.as_str()?.to_owned())).unwrap_or_default();
    vec![value.to_string(), of.to_owned(), bound(true), bound(false), difference]
}
