//! The roofline: each operation by its arithmetic intensity and the rate it reached, under the roofs that were measured.
//!
//! Williams, Waterman and Patterson, Roofline: an insightful visual performance model, CACM 52 (2009).

use yardstick_analyse::profile::{Bound, Held, Pass, Profiled, held};

use super::draw::{Anchor, Area, Colour, Failure, disc, path, ring, svg, text};
use super::labels::{Label, place};
use super::scale::Scale;
use super::{Chart, NAME, chart};
use crate::number::digits;
use crate::profile::words;
use crate::text::elide;

const SIZE: (i32, i32) = (900, 460);
const LEFT: i32 = 78;
const RIGHT: i32 = 870;
const TOP: i32 = 46;
const FLOOR: i32 = 402;
/// Radius of a point: its area is its share of the time.
const RADIUS: (f64, f64) = (4.0, 22.0);
/// Pieces of the slope that names keep off.
const PIECES: i32 = 40;

/// A point.
struct Point {
    label: String,
    intensity: f64,
    gops: f64,
    share: f64,
    bound: Option<Bound>,
}

/// The picture of a cell; `None` where nothing was measured.
pub(crate) fn roofline(cell: &Profiled) -> Option<Chart> {
    let pass = Pass::of(cell, false)?;
    let all = held(&pass, &cell.roofs);
    let title = words::conclusion(cell, &all);
    let mut points: Vec<Point> = all.iter().filter_map(point).collect();
    // The smallest last, on top of what would hide them.
    points.sort_by(|a, b| b.share.total_cmp(&a.share));
    let left_out: Vec<String> = all
        .iter()
        .filter(|one| point(one).is_none())
        .map(|one| elide(&one.operation.name, NAME))
        .collect();
    let read = cell.roofs.read.value().map(|roof| roof.per_second / 1e9);
    let roofs = Roofs {
        read,
        products: cell.roofs.products.value().map(|roof| roof.per_second / 1e9),
        attention: cell.roofs.attention.value().map(|roof| roof.per_second / 1e9),
    };
    if points.is_empty() {
        let caption = "No roofline: the backend counts neither bytes nor operations.".to_owned();
        return Some(chart(title, caption, None));
    }
    let mut caption = "Across: operations a byte; upright: operations a second, both logarithmic. The area of a point is its share of the time. \
        The slope is the measured read rate, level lines are measured arithmetic peaks."
        .to_owned();
    if !left_out.is_empty() {
        caption += &format!(" Not drawn, without arithmetic or counts: {}.", left_out.join(", "));
    }
    let drawn = Picture { points, roofs }.draw(&title);
    Some(chart(title, caption, drawn))
}

fn point(held: &Held) -> Option<Point> {
    let intensity = *held.intensity.value().filter(|value| **value > 0.0)?;
    let gops = held.operations_per_second.value().filter(|value| **value > 0.0)? / 1e9;
    Some(Point {
        label: elide(&held.operation.name, NAME),
        intensity,
        gops,
        share: held.share,
        bound: held.bound.value().copied(),
    })
}

/// GB/s and GOP/s.
struct Roofs {
    read: Option<f64>,
    products: Option<f64>,
    attention: Option<f64>,
}

struct Picture {
    points: Vec<Point>,
    roofs: Roofs,
}

impl Picture {
    fn draw(&self, title: &str) -> Option<String> {
        let (x, y) = self.scales();
        svg(SIZE, title, |area| {
            grid(area, &x, &y)?;
            self.draw_roofs(area, &x, &y)?;
            for point in &self.points {
                let at = (x.at(point.intensity), y.at(point.gops));
                disc(area, at, radius(point.share), colour(point.bound))?;
                ring(area, at, radius(point.share), Colour::Ink)?;
            }
            self.names(area, &x, &y)?;
            key(area)
        })
    }

    /// Room for every point and for the corner of the roofs.
    fn scales(&self) -> (Scale, Scale) {
        let low = |values: &[f64]| values.iter().copied().fold(f64::INFINITY, f64::min);
        let high = |values: &[f64]| values.iter().copied().fold(0.0, f64::max);
        let mut across: Vec<f64> = self.points.iter().map(|point| point.intensity).collect();
        let mut upright: Vec<f64> = self.points.iter().map(|point| point.gops).collect();
        upright.extend(self.roofs.products.iter().chain(&self.roofs.attention));
        if let (Some(read), Some(peak)) = (self.roofs.read, self.roofs.products) {
            across.push(peak / read);
        }
        let least = low(&across) / 3.0;
        if let Some(read) = self.roofs.read {
            upright.push(read * low(&across));
        }
        (
            Scale::logarithmic(least, high(&across) * 4.0, LEFT, RIGHT),
            Scale::logarithmic(low(&upright) / 3.0, high(&upright) * 1.8, FLOOR, TOP),
        )
    }

    /// Ends of the slope, from the left edge (or the floor) to the highest peak (or the right edge).
    fn slope(&self, x: &Scale, y: &Scale) -> Option<[(f64, f64); 2]> {
        let read = self.roofs.read?;
        let (left, right) = (x.low(), x.high());
        let start = left.max(y.low() / read);
        let top = self.roofs.products.unwrap_or_else(|| y.high());
        let end = (top / read).min(right);
        (start < end).then_some([(start, start * read), (end, end * read)])
    }

    fn draw_roofs(&self, area: &Area<'_>, x: &Scale, y: &Scale) -> Result<(), Failure> {
        let at = |(intensity, gops): (f64, f64)| (x.at(intensity), y.at(gops));
        if let (Some([from, to]), Some(read)) = (self.slope(x, y), self.roofs.read) {
            path(area, vec![at(from), at(to)], Colour::Ink, 2)?;
            let middle = at(((from.0 * to.0).sqrt(), (from.1 * to.1).sqrt()));
            let words = format!("reading {} GB/s", digits(read));
            text(area, (middle.0 - 10, middle.1 - 12), &words, Anchor::Right, Colour::Ink)?;
        }
        for (peak, what) in [(self.roofs.products, "products"), (self.roofs.attention, "attention")]
        {
            let Some(peak) = peak else { continue };
            let from = self.roofs.read.map_or(x.low(), |read| (peak / read).max(x.low()));
            let level = y.at(peak);
            path(area, vec![(x.at(from), level), (RIGHT, level)], Colour::Ink, 2)?;
            let words = format!("{what} {} GOP/s", digits(peak));
            text(area, (RIGHT, level - 10), &words, Anchor::Right, Colour::Ink)?;
        }
        Ok(())
    }

    fn names(&self, area: &Area<'_>, x: &Scale, y: &Scale) -> Result<(), Failure> {
        let points: Vec<(&str, (i32, i32))> = self
            .points
            .iter()
            .map(|point| (point.label.as_str(), (x.at(point.intensity), y.at(point.gops))))
            .collect();
        let mut lines: Vec<[(i32, i32); 2]> = Vec::new();
        if let Some([from, to]) = self.slope(x, y) {
            let ends = [(x.at(from.0), y.at(from.1)), (x.at(to.0), y.at(to.1))];
            let on = |i: i32| {
                let share = |a: i32, b: i32| a + (b - a) * i / PIECES;
                (share(ends[0].0, ends[1].0), share(ends[0].1, ends[1].1))
            };
            lines.extend((0..PIECES).map(|i| [on(i), on(i + 1)]));
        }
        for peak in [self.roofs.products, self.roofs.attention].into_iter().flatten() {
            lines.push([(LEFT, y.at(peak)), (RIGHT, y.at(peak))]);
        }
        let widest = self.points.iter().map(|point| radius(point.share)).max().unwrap_or(0);
        let bounds = [(LEFT, TOP), (RIGHT, FLOOR)];
        for Label { words, from, at } in place(&points, &lines, bounds, widest) {
            if let Some(from) = from {
                path(area, vec![from, at], Colour::Soft, 1)?;
            }
            text(area, at, words, Anchor::Left, Colour::Ink)?;
        }
        Ok(())
    }
}

fn radius(share: f64) -> i32 {
    (RADIUS.0 + (RADIUS.1 - RADIUS.0) * share.clamp(0.0, 1.0).sqrt()).round() as i32
}

fn colour(bound: Option<Bound>) -> Colour {
    match bound {
        Some(Bound::Read) => Colour::Series(0),
        Some(Bound::Arithmetic) => Colour::Series(1),
        Some(Bound::Latency) | None => Colour::Soft,
    }
}

fn grid(area: &Area<'_>, x: &Scale, y: &Scale) -> Result<(), Failure> {
    for (value, word) in y.ticks() {
        let at = y.at(value);
        path(area, vec![(LEFT, at), (RIGHT, at)], Colour::Grid, 1)?;
        text(area, (LEFT - 8, at), &word, Anchor::Right, Colour::Soft)?;
    }
    for (value, word) in x.ticks() {
        let at = x.at(value);
        path(area, vec![(at, TOP), (at, FLOOR + 4)], Colour::Grid, 1)?;
        text(area, (at, FLOOR + 15), &word, Anchor::Centre, Colour::Soft)?;
    }
    let across = "operations a byte";
    text(area, (LEFT.midpoint(RIGHT), FLOOR + 38), across, Anchor::Centre, Colour::Ink)?;
    text(area, (4, TOP - 26), "GOP/s", Anchor::Left, Colour::Ink)
}

/// What the colours mean, above to the right.
fn key(area: &Area<'_>) -> Result<(), Failure> {
    let y = TOP - 26;
    disc(area, (RIGHT - 300, y), 6, Colour::Series(0))?;
    text(area, (RIGHT - 288, y), "limited by reading", Anchor::Left, Colour::Soft)?;
    disc(area, (RIGHT - 150, y), 6, Colour::Series(1))?;
    text(area, (RIGHT - 138, y), "limited by arithmetic", Anchor::Left, Colour::Soft)
}
