//! The ratios of the page, each with its interval drawn on one logarithmic scale for all.

use serde::Serialize;
use yardstick_analyse::Comparison;

use crate::ratios::{Group, Line, groups};
use crate::table::Tone;

/// Width of a drawing and room at its ends, in its own units.
const WIDTH: f64 = 260.0;
const EDGE: f64 = 8.0;
/// The scale never shows less than this much either way, so that ties look like ties.
const LEAST: f64 = 1.05;
/// Nor more than this: a hopeless interval runs into the edge.
const MOST: f64 = 1000.0;

/// Rows held against one baseline.
#[derive(Serialize)]
pub(super) struct Ratios {
    what: String,
    against: String,
    lines: Vec<Drawn>,
}

/// One row against its baseline.
#[derive(Serialize)]
struct Drawn {
    name: String,
    words: String,
    n: String,
    class: &'static str,
    /// Where 1 is, the ratio, the ends of its interval and of the noise floor.
    one: String,
    dot: String,
    interval: Option<[String; 2]>,
    floor: Option<[String; 2]>,
}

/// Every ratio, and what the ends of the scale are: `2.1× slower`, `2.1× faster`.
pub(super) fn ratios(comparison: &Comparison) -> (Vec<Ratios>, [String; 2]) {
    let groups = groups(comparison);
    let lines = groups.iter().flat_map(|group| &group.lines);
    let far = |line: &Line| {
        let ends = line.ratio.interval.value().map_or([1.0; 2], |i| [i.low, i.high]);
        [line.ratio.median, ends[0], ends[1]].map(|ratio| ratio.ln().abs()).into_iter()
    };
    let reach = lines.flat_map(far).fold(LEAST.ln(), f64::max).min(MOST.ln());
    let ends = ["slower", "faster"].map(|word| format!("{:.2}× {word}", reach.exp()));
    (groups.into_iter().map(|group| drawn(group, reach)).collect(), ends)
}

fn drawn(group: Group, reach: f64) -> Ratios {
    let at = |ratio: f64| {
        let share = (ratio.ln() / reach).clamp(-1.0, 1.0);
        format!("{:.1}", WIDTH / 2.0 + share * (WIDTH / 2.0 - EDGE))
    };
    let draw = |line: Line| Drawn {
        one: at(1.0),
        dot: at(line.ratio.median),
        interval: line.ratio.interval.value().map(|i| [at(i.low), at(i.high)]),
        floor: line.floor.map(|floor| [at(1.0 / (1.0 + floor)), at(1.0 + floor)]),
        class: match line.tone {
            Tone::Good => "faster",
            Tone::Bad => "slower",
            Tone::Plain | Tone::Faint => "even",
        },
        name: line.name,
        words: line.words,
        n: line.n,
    };
    Ratios {
        what: group.what,
        against: group.against,
        lines: group.lines.into_iter().map(draw).collect(),
    }
}
