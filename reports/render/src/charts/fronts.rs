//! The pictures of a trade-off: a scatter for each of its fronts, titled with what follows from it.

use yardstick_analyse::{Aspect, Front, Quantity, Standing, Tradeoff};
use yardstick_record::Direction;

use super::scatter::{Axis, Kind, Point, Scatter};
use super::{Chart, NAME, chart};
use crate::blocks::tradeoffs::{better, conclusion, name, subject};
use crate::text::elide;

/// A chart for each front.
pub(crate) fn fronts(tradeoff: &Tradeoff) -> Vec<Chart> {
    tradeoff.fronts.iter().map(|front| of_front(tradeoff, front)).collect()
}

fn of_front(tradeoff: &Tradeoff, front: &Front) -> Chart {
    let title = format!("{}, {}", subject(tradeoff), conclusion(tradeoff, front));
    let axis = |column| axis(tradeoff, column);
    let scatter = Scatter {
        title: &title,
        x: axis(front.cost),
        y: axis(front.quality),
        points: points(tradeoff, front),
    };
    let logarithmic: Vec<&str> = [(0, "across"), (1, "upright")]
        .into_iter()
        .filter(|(axis, _)| scatter.is_logarithmic(*axis))
        .map(|(_, word)| word)
        .collect();
    let scale = match logarithmic.as_slice() {
        [] => String::new(),
        [one] => format!(" The scale {one} is logarithmic."),
        _ => " Both scales are logarithmic.".to_owned(),
    };
    let caption = format!(
        "Whiskers are 95 % intervals; where none is seen it is no wider than the point, or the value is exact.{scale}"
    );
    let svg = scatter.draw();
    chart(title, caption, svg)
}

fn axis(tradeoff: &Tradeoff, column: usize) -> Axis {
    let told = &tradeoff.columns[column];
    let (divisor, unit) = match told.aspect {
        Aspect::Size if largest(tradeoff, column) < 10_240.0 => (1.0, "bytes"),
        Aspect::Size if largest(tradeoff, column) < 4_294_967_296.0 => (1_048_576.0, "MiB"),
        Aspect::Size => (1_073_741_824.0, "GiB"),
        // Its name says tokens/s, as tables do.
        Aspect::Prefill | Aspect::Decode | Aspect::Energy => (1.0, ""),
        other => (1.0, other.unit()),
    };
    let unit = if unit.is_empty() { String::new() } else { format!(", {unit}") };
    let data = told.data.as_ref().map(|data| format!(" of {}", elide(data, NAME)));
    let data = data.unwrap_or_default();
    Axis {
        name: format!("{}{data}{unit} ({})", name(tradeoff, told), better(told.aspect)),
        divisor,
        more_is_better: told.aspect.direction() == Direction::Higher,
    }
}

fn largest(tradeoff: &Tradeoff, column: usize) -> f64 {
    let values = tradeoff.candidates.iter().filter_map(|c| c.values[column].value());
    values.map(|quantity| quantity.value).fold(0.0, f64::max)
}

fn points(tradeoff: &Tradeoff, front: &Front) -> Vec<Point> {
    let each = tradeoff.candidates.iter().zip(&front.standings);
    let point = |(candidate, standing): (&yardstick_analyse::Candidate, &Standing)| {
        let kind = match standing {
            Standing::Front => Kind::Front,
            Standing::Tied(_) => Kind::Tied,
            Standing::Dominated(_) => Kind::Dominated,
            Standing::Missing(_) => return None,
        };
        let [x, y] = [front.cost, front.quality].map(|column| candidate.values[column].value());
        let (x, y) = (x?, y?);
        let range = |quantity: &Quantity| quantity.interval().map(|i| (i.low, i.high));
        Some(Point {
            label: elide(&candidate.label, NAME),
            at: [x.value, y.value],
            ranges: [range(x), range(y)],
            kind,
        })
    };
    each.filter_map(point).collect()
}
