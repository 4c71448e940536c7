//! A scatter of formats: quality against a cost, with intervals, the front drawn, and every point named.

use super::draw::{Anchor, Area, Colour, Failure, cross, disc, path, ring, svg, text};
use super::labels::{Label, place};
use super::scale::Scale;

/// A chart of points on two axes.
pub(super) struct Scatter<'a> {
    pub(super) title: &'a str,
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) points: Vec<Point>,
}

/// An axis.
pub(super) struct Axis {
    /// What it shows, with its unit and which way is better.
    pub(super) name: String,
    /// What values are divided by to be in that unit.
    pub(super) divisor: f64,
    pub(super) more_is_better: bool,
}

/// A point with its intervals.
pub(super) struct Point {
    pub(super) label: String,
    pub(super) at: [f64; 2],
    pub(super) ranges: [Option<(f64, f64)>; 2],
    pub(super) kind: Kind,
}

/// What the front makes of a point.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Front,
    Tied,
    Dominated,
}

const SIZE: (i32, i32) = (900, 420);
const LEFT: i32 = 78;
const RIGHT: i32 = 870;
const TOP: i32 = 34;
const FLOOR: i32 = 362;
const RADIUS: i32 = 6;
/// Beyond this ratio of the largest to the smallest a linear scale would flatten the small ones.
const SPREAD: f64 = 8.0;

impl Scatter<'_> {
    /// The drawing.
    pub(super) fn draw(&self) -> Option<String> {
        let x = self.scale(0, LEFT, RIGHT);
        let y = self.scale(1, FLOOR, TOP);
        svg(SIZE, self.title, |area| {
            self.grid(area, &x, &y)?;
            path(area, self.front(&x, &y), Colour::Series(0), 2)?;
            for point in &self.points {
                for ends in self.ranges(point, [&x, &y]) {
                    path(area, ends.to_vec(), Colour::Ink, 1)?;
                }
            }
            for point in &self.points {
                let at = self.pixel(point, &x, &y);
                match point.kind {
                    Kind::Front => disc(area, at, RADIUS, Colour::Series(0))?,
                    Kind::Tied => ring(area, at, RADIUS, Colour::Series(0))?,
                    Kind::Dominated => cross(area, at, RADIUS - 1, Colour::Series(1))?,
                }
            }
            self.names(area, &x, &y)?;
            key(area)
        })
    }

    /// Whether an axis is logarithmic.
    pub(super) fn is_logarithmic(&self, axis: usize) -> bool {
        let (low, high) = self.extent(axis);
        low > 0.0 && high / low > SPREAD
    }

    fn axis(&self, axis: usize) -> &Axis {
        if axis == 0 { &self.x } else { &self.y }
    }

    /// Smallest and largest value, in the axis' unit.
    fn extent(&self, axis: usize) -> (f64, f64) {
        let values = self.points.iter().map(|point| point.at[axis] / self.axis(axis).divisor);
        values.fold((f64::INFINITY, 0.0), |(low, high), v| (low.min(v), high.max(v)))
    }

    fn scale(&self, axis: usize, from: i32, to: i32) -> Scale {
        let (low, high) = self.extent(axis);
        match self.is_logarithmic(axis) {
            true => Scale::logarithmic(low / 1.6, high * 1.6, from, to),
            false => Scale::linear(high * 1.12, from, to),
        }
    }

    fn pixel(&self, point: &Point, x: &Scale, y: &Scale) -> (i32, i32) {
        (x.at(point.at[0] / self.x.divisor), y.at(point.at[1] / self.y.divisor))
    }

    /// Corners of the staircase through the points no other value beats: everything behind it costs more for less.
    fn front(&self, x: &Scale, y: &Scale) -> Vec<(i32, i32)> {
        let cost = |point: &Point, axis: usize| match self.axis(axis).more_is_better {
            true => -point.at[axis],
            false => point.at[axis],
        };
        let beaten = |point: &Point| {
            self.points.iter().any(|other| {
                let pairs = [0, 1].map(|axis| (cost(other, axis), cost(point, axis)));
                pairs.iter().all(|(a, b)| a <= b) && pairs.iter().any(|(a, b)| a < b)
            })
        };
        let mut front: Vec<&Point> = self.points.iter().filter(|point| !beaten(point)).collect();
        front.sort_by(|a, b| cost(a, 0).total_cmp(&cost(b, 0)));
        let mut corners: Vec<(i32, i32)> = Vec::new();
        for point in front {
            let at = self.pixel(point, x, y);
            if let Some(&(_, before)) = corners.last() {
                corners.push((at.0, before));
            }
            corners.push(at);
        }
        corners
    }

    fn grid(&self, area: &Area<'_>, x: &Scale, y: &Scale) -> Result<(), Failure> {
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
        text(area, (LEFT.midpoint(RIGHT), FLOOR + 38), &self.x.name, Anchor::Centre, Colour::Ink)?;
        text(area, (4, TOP - 22), &self.y.name, Anchor::Left, Colour::Ink)
    }

    /// The ends of a point's intervals.
    fn ranges(&self, point: &Point, [x, y]: [&Scale; 2]) -> Vec<[(i32, i32); 2]> {
        let (at_x, at_y) = self.pixel(point, x, y);
        let across = point.ranges[0]
            .map(|(low, high)| [low, high].map(|end| (x.at(end / self.x.divisor), at_y)));
        let upright = point.ranges[1]
            .map(|(low, high)| [low, high].map(|end| (at_x, y.at(end / self.y.divisor))));
        across.into_iter().chain(upright).collect()
    }

    fn names(&self, area: &Area<'_>, x: &Scale, y: &Scale) -> Result<(), Failure> {
        let points: Vec<(&str, (i32, i32))> =
            self.points.iter().map(|p| (p.label.as_str(), self.pixel(p, x, y))).collect();
        let front = self.front(x, y);
        let steps = front.windows(2).map(|ends| [ends[0], ends[1]]);
        let ranges = self.points.iter().flat_map(|point| self.ranges(point, [x, y]));
        let lines: Vec<[(i32, i32); 2]> = steps.chain(ranges).collect();
        let bounds = [(LEFT, TOP), (RIGHT, FLOOR)];
        for Label { words, from, at } in place(&points, &lines, bounds, RADIUS) {
            if let Some(from) = from {
                path(area, vec![from, at], Colour::Soft, 1)?;
            }
            text(area, at, words, Anchor::Left, Colour::Ink)?;
        }
        Ok(())
    }
}

/// What the signs mean, above to the right.
fn key(area: &Area<'_>) -> Result<(), Failure> {
    let y = TOP - 22;
    disc(area, (RIGHT - 330, y), RADIUS, Colour::Series(0))?;
    text(area, (RIGHT - 318, y), "on the front", Anchor::Left, Colour::Soft)?;
    ring(area, (RIGHT - 222, y), RADIUS, Colour::Series(0))?;
    text(area, (RIGHT - 210, y), "not told apart", Anchor::Left, Colour::Soft)?;
    cross(area, (RIGHT - 104, y), RADIUS - 1, Colour::Series(1))?;
    text(area, (RIGHT - 92, y), "dominated", Anchor::Left, Colour::Soft)
}
