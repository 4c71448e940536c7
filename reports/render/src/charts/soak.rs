//! The curves of soaks: speed over the time, and below it power, temperature and clocks where they were read.

use yardstick_analyse::SoakCurve;

use super::draw::{Anchor, Area, Colour, Failure, path, svg, text};
use super::scale::Scale;
use super::{Chart, chart};
use crate::text::elide;

/// Panels in their order, by unit.
const PANELS: [&str; 4] = [SPEED, "W", "°C", "MHz"];
const SPEED: &str = "tokens/s";
const WIDTH: i32 = 900;
const LEFT: i32 = 62;
const RIGHT: i32 = 640;
/// Height of a panel, and the room above and below its curves.
const PANEL: i32 = 190;
const ABOVE: i32 = 14;
const BELOW: i32 = 36;
/// Names stand at least this far apart.
const NAME: i32 = 16;
/// Curves of one panel.
const MOST: usize = 8;
/// Characters of a name.
const LONG: usize = 34;

/// A curve with its name.
struct Curve<'s> {
    name: String,
    points: &'s [(f64, f64)],
}

/// A chart for each soak.
pub(super) fn charts(soaks: &[SoakCurve]) -> Vec<Chart> {
    soaks.iter().map(one).collect()
}

fn one(soak: &SoakCurve) -> Chart {
    let what = format!("{} on {}", elide(&soak.model, LONG), elide(&soak.device, LONG));
    let title = format!("Soak of {what}: speed and sensors over time");
    let panels: Vec<(&str, Vec<Curve<'_>>)> = PANELS
        .iter()
        .map(|unit| (*unit, curves(soak, unit)))
        .filter(|(_, curves)| !curves.is_empty())
        .collect();
    let height = PANEL * panels.len() as i32;
    let seconds = soak.tracks.iter().flat_map(|track| track.points.last()).map(|(at, _)| *at);
    let x = Scale::linear(seconds.fold(soak.seconds, f64::max), LEFT, RIGHT);
    let drawn = svg((WIDTH, height), &title, |area| {
        for (index, (unit, curves)) in panels.iter().enumerate() {
            panel(area, PANEL * index as i32, &x, unit, curves)?;
        }
        Ok(())
    });
    let caption = format!("{title}. The last points of the sensors were read after the rest.");
    chart(title, caption, drawn)
}

fn curves<'s>(soak: &'s SoakCurve, unit: &str) -> Vec<Curve<'s>> {
    if unit == SPEED {
        return vec![Curve { name: "decode".to_owned(), points: &soak.points }];
    }
    let tracks = soak.tracks.iter().filter(|track| track.unit == unit && !track.points.is_empty());
    tracks
        .take(MOST)
        .map(|track| Curve { name: elide(&track.name, LONG), points: &track.points })
        .collect()
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
