//! How a question lies outside of what was measured: formats never seen, models larger or smaller, contexts deeper.

use yardstick_model::Format;

use super::cell::Cell;
use super::work::{Phase, Work};

/// A way of lying outside. Each is answered by cells held out in the same way.
#[derive(Clone, Debug)]
pub(crate) enum Beyond {
    /// A format that holds a tenth of the weights or more was not measured.
    Format(Format),
    /// More, or less, of a quantity than any cell.
    Range { quantity: &'static str, more: bool, value: fn(&Work) -> f64 },
}

/// This much outside of the range still counts as inside.
const NEAR: f64 = 1.25;

/// What a range is of: its name, and its value in a test.
type Quantity = (&'static str, fn(&Work) -> f64);

fn quantities(phase: Phase) -> Vec<Quantity> {
    let mut all: Vec<Quantity> = vec![
        ("bytes of weights", Work::weight_bytes),
        // Positions, so that depth 0 is a value like others.
        ("context depth", |work| work.depth + DEPTH_UNIT),
        ("sequences", |work| work.sequences),
    ];
    if phase == Phase::Prefill {
        all.push(("tokens a pass", |work| work.tokens / work.passes));
    }
    all
}

/// Depths below this are no different from none.
const DEPTH_UNIT: f64 = 128.0;

/// Every way in which the work lies outside of the cells, which are of its phase.
pub(crate) fn beyond(work: &Work, cells: &[&Cell]) -> Vec<Beyond> {
    let formats = work.formats().filter(|format| !cells.iter().any(|c| has(&c.work, *format)));
    let mut found: Vec<Beyond> = formats.map(Beyond::Format).collect();
    for (quantity, value) in quantities(work.phase) {
        let of = |pick: fn(f64, f64) -> f64| cells.iter().map(|c| value(&c.work)).reduce(pick);
        let (Some(least), Some(most)) = (of(f64::min), of(f64::max)) else { continue };
        let asked = value(work);
        if asked > NEAR * most || asked * NEAR < least {
            found.push(Beyond::Range { quantity, more: asked > most, value });
        }
    }
    found
}

impl Beyond {
    /// Cells that lie outside of the others in this way, a group a trial: each format, or the extreme of the range.
    pub(crate) fn trials<'a>(&self, cells: &[&'a Cell]) -> Vec<Vec<&'a Cell>> {
        match self {
            Beyond::Format(_) => {
                let mut formats: Vec<Format> =
                    cells.iter().flat_map(|c| c.work.formats()).collect();
                formats.sort();
                formats.dedup();
                let of = |format| cells.iter().filter(|c| has(&c.work, format)).copied().collect();
                formats.into_iter().map(of).collect()
            }
            Beyond::Range { more, value, .. } => {
                let values = cells.iter().map(|cell| value(&cell.work));
                let extreme = values.reduce(if *more { f64::max } else { f64::min });
                let Some(extreme) = extreme else { return Vec::new() };
                let near = |cell: &&&Cell| {
                    let ratio = value(&cell.work) / extreme;
                    ratio < NEAR && ratio * NEAR > 1.0
                };
                vec![cells.iter().filter(near).copied().collect()]
            }
        }
    }

    /// `more bytes of weights than measured`
    pub(crate) fn words(&self) -> String {
        match self {
            Beyond::Format(format) => format!("{} was not measured", format.name()),
            Beyond::Range { quantity, more: true, .. } => format!("more {quantity} than measured"),
            Beyond::Range { quantity, .. } => format!("less {quantity} than measured"),
        }
    }
}

fn has(work: &Work, format: Format) -> bool {
    work.formats().any(|other| other == format)
}
