//! Panels of curves over seconds, one below the other, a unit each: what soaks and timelines are drawn with.

use super::draw::{Anchor, Area, Colour, Failure, path, svg, text};
use super::scale::Scale;

const WIDTH: i32 = 900;
const LEFT: i32 = 62;
const RIGHT: i32 = 640;
/// Height of a panel, and the room above and below its curves.
const PANEL: i32 = 190;
const ABOVE: i32 = 14;
const BELOW: i32 = 36;
/// Names stand at least this far apart.
const NAME: i32 = 16;

/// A curve with its name.
pub(super) struct Curve<'s> {
    pub(super) name: String,
    pub(super) points: &'s [(f64, f64)],
}

/// The picture of panels, each a unit and its curves, over so many seconds.
pub(super) fn panels(
    title: &str,
    seconds: f64,
    panels: &[(&str, Vec<Curve<'_>>)],
) -> Option<String> {
    let height = PANEL * panels.len() as i32;
    let x = Scale::linear(seconds, LEFT, RIGHT);
    svg((WIDTH, height), title, |area| {
        for (index, (unit, curves)) in panels.iter().enumerate() {
            panel(area, PANEL * index as i32, &x, unit, curves)?;
        }
        Ok(())
    })
}

fn panel(
    area: &Area<'_>,
    top: i32,
    x: &Scale,
    unit: &str,
    curves: &[Curve<'_>],
) -> Result<(), Failure> {
    let (ceiling, floor) = (top + ABOVE, top + PANEL - BELOW);
    let values = curves.iter().flat_map(|curve| curve.points).map(|(_, value)| *value);
    let y = Scale::linear(values.fold(0.0, f64::max) * 1.08, floor, ceiling);
    for (value, word) in y.ticks() {
        path(area, vec![(LEFT, y.at(value)), (RIGHT, y.at(value))], Colour::Grid, 1)?;
        text(area, (LEFT - 8, y.at(value)), &word, Anchor::Right, Colour::Soft)?;
    }
    for (value, word) in x.ticks() {
        path(area, vec![(x.at(value), floor), (x.at(value), floor + 4)], Colour::Soft, 1)?;
        text(area, (x.at(value), floor + 13), &word, Anchor::Centre, Colour::Soft)?;
    }
    text(area, (RIGHT + 16, floor + 13), "s", Anchor::Left, Colour::Soft)?;
    text(area, (4, ceiling - 4), unit, Anchor::Left, Colour::Soft)?;
    for (index, curve) in curves.iter().enumerate() {
        let points = curve.points.iter().map(|(at, value)| (x.at(*at), y.at(*value))).collect();
        path(area, points, Colour::Series(index), 2)?;
    }
    names(area, ceiling, floor, &y, curves)
}

/// Names at the curves' ends, pushed apart from the top.
fn names(
    area: &Area<'_>,
    ceiling: i32,
    floor: i32,
    y: &Scale,
    curves: &[Curve<'_>],
) -> Result<(), Failure> {
    let end = |curve: &Curve<'_>| curve.points.last().map_or(floor, |(_, value)| y.at(*value));
    let mut ends: Vec<(i32, usize)> =
        curves.iter().enumerate().map(|(index, curve)| (end(curve), index)).collect();
    ends.sort_unstable();
    let mut free = ceiling;
    for (place, (end, index)) in ends.iter().enumerate() {
        let below = (ends.len() - place - 1) as i32 * NAME;
        let at = (*end).min(floor - below).max(free);
        free = at + NAME;
        path(area, vec![(RIGHT + 3, *end), (RIGHT + 12, at)], Colour::Series(*index), 1)?;
        text(area, (RIGHT + 16, at), &curves[*index].name, Anchor::Left, Colour::Ink)?;
    }
    Ok(())
}
