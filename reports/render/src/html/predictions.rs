//! Predicted against measured on the page, each cell a point on one logarithmic scale for all.

use serde::Serialize;
use yardstick_analyse::predict::{HeldOut, HeldOutCell};
use yardstick_record::Record;

use crate::predictions::{HEAD, figures, name, shown, summary};

/// Width of a drawing and room at its ends, in its own units.
const WIDTH: f64 = 260.0;
const EDGE: f64 = 8.0;
/// The scale never shows less than this much either way.
const LEAST: f64 = 1.15;
/// Nor more: a hopeless prediction runs into the edge.
const MOST: f64 = 10.0;

/// Everything the section shows.
#[derive(Serialize)]
pub(super) struct Predictions {
    head: &'static str,
    /// What the ends of the scale are: `1.4× slower`.
    ends: [String; 2],
    groups: Vec<Group>,
}

#[derive(Serialize)]
struct Group {
    summary: String,
    lines: Vec<Line>,
}

#[derive(Serialize)]
struct Line {
    name: String,
    words: String,
    /// Where it would be right, and where it is.
    one: String,
    dot: String,
}

/// `None` where no setup has enough cells.
pub(super) fn predictions(records: &[Record]) -> Option<Predictions> {
    let found = HeldOut::of(records);
    let ratio = |cell: &HeldOutCell| (cell.predicted / cell.measured).ln();
    let all = shown(&found).flat_map(|one| &one.cells);
    let reach = all.map(|cell| ratio(cell).abs()).fold(LEAST.ln(), f64::max).min(MOST.ln());
    let at = |log: f64| {
        let share = (log / reach).clamp(-1.0, 1.0);
        format!("{:.1}", WIDTH / 2.0 + share * (WIDTH / 2.0 - EDGE))
    };
    let line = |cell: &HeldOutCell| Line {
        name: name(cell),
        words: figures(cell),
        one: at(0.0),
        dot: at(ratio(cell)),
    };
    let groups: Vec<Group> = shown(&found)
        .map(|one| Group { summary: summary(one), lines: one.cells.iter().map(line).collect() })
        .collect();
    let ends = ["slower", "faster"].map(|word| format!("{:.1}× {word}", reach.exp()));
    (!groups.is_empty()).then_some(Predictions { head: HEAD, ends, groups })
}
