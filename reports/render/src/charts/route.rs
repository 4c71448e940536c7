//! The routing curve: quality, and cost where it is known, against the share of queries that stay.

use yardstick_analyse::{Route, RoutePoint};

use super::draw::{Anchor, Area, Colour, Failure, disc, path, svg, text};
use super::scale::Scale;

const SIZE: (i32, i32) = (900, 320);
const LEFT: i32 = 62;
const RIGHT: i32 = 800;
const TOP: i32 = 14;
const FLOOR: i32 = 272;
/// Points drawn at most: more than pixels would only make the page heavy.
const POINTS: usize = 600;
const QUALITY: Colour = Colour::Series(0);
const COST: Colour = Colour::Series(1);

/// The drawing; `title` says what follows from it.
pub(crate) fn route(title: &str, found: &Route, currency: &str) -> Option<String> {
    let x = Scale::linear(100.0, LEFT, RIGHT);
    let best = found.points.iter().map(|point| point.quality).fold(found.oracle, f64::max);
    let y = Scale::linear(best * 1.08, FLOOR, TOP);
    let dearest = found.points.iter().filter_map(cost).fold(0.0, f64::max);
    let money = Scale::linear(dearest * 1.08, FLOOR, TOP);
    svg(SIZE, title, |area| {
        axes(area, &x, &y)?;
        let across = [x.at(0.0), x.at(100.0)].map(|at| (at, y.at(found.oracle)));
        path(area, across.to_vec(), Colour::Soft, 1)?;
        let above = (RIGHT - 4, y.at(found.oracle) - 9);
        text(area, above, "best possible", Anchor::Right, Colour::Soft)?;
        let step = found.points.len().div_ceil(POINTS).max(1);
        let drawn = || found.points.iter().step_by(step).chain(found.points.last());
        let quality = |point: &RoutePoint| (x.at(100.0 * point.local), y.at(point.quality));
        path(area, drawn().map(quality).collect(), QUALITY, 2)?;
        if dearest > 0.0 {
            let costs = drawn().filter_map(|p| Some((x.at(100.0 * p.local), money.at(cost(p)?))));
            path(area, costs.collect(), COST, 2)?;
            money_axis(area, &money, currency)?;
        }
        match found.chosen.and_then(|at| found.points.get(at)) {
            Some(point) => {
                let (at, height) = quality(point);
                disc(area, (at, height), 5, Colour::Ink)?;
                text(area, (at, height - 16), "chosen", Anchor::Centre, Colour::Ink)
            }
            None => Ok(()),
        }
    })
}

/// Money of a thousand queries.
fn cost(point: &RoutePoint) -> Option<f64> {
    point.cost.value().map(|cost| 1e3 * cost)
}

fn axes(area: &Area<'_>, x: &Scale, y: &Scale) -> Result<(), Failure> {
    for (value, word) in y.ticks() {
        path(area, vec![(LEFT, y.at(value)), (RIGHT, y.at(value))], Colour::Grid, 1)?;
        text(area, (LEFT - 8, y.at(value)), &word, Anchor::Right, QUALITY)?;
    }
    for (value, word) in x.ticks() {
        path(area, vec![(x.at(value), FLOOR), (x.at(value), FLOOR + 4)], Colour::Soft, 1)?;
        text(area, (x.at(value), FLOOR + 14), &word, Anchor::Centre, Colour::Soft)?;
    }
    let middle = (LEFT.midpoint(RIGHT), FLOOR + 34);
    text(area, middle, "queries that stay, %", Anchor::Centre, Colour::Soft)?;
    text(area, (4, TOP - 6), "mean score", Anchor::Left, QUALITY)
}

fn money_axis(area: &Area<'_>, money: &Scale, currency: &str) -> Result<(), Failure> {
    for (value, word) in money.ticks() {
        text(area, (RIGHT + 8, money.at(value)), &word, Anchor::Left, COST)?;
    }
    let words = format!("{currency} a thousand queries");
    text(area, (SIZE.0 - 4, TOP - 6), &words, Anchor::Right, COST)
}
