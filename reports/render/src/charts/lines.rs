//! Lines over the tokens of a generation, each named at its end.

use super::draw::{Anchor, Area, Colour, Failure, path, svg, text};
use super::scale::Scale;

/// A chart of lines.
pub(super) struct Lines<'a> {
    pub(super) title: &'a str,
    pub(super) lines: Vec<Line>,
}

/// One line.
pub(super) struct Line {
    pub(super) label: String,
    pub(super) colour: Colour,
    /// Nanoseconds after the first, second, ... token.
    pub(super) points: Vec<f64>,
}

const SIZE: (i32, i32) = (900, 300);
const LEFT: i32 = 62;
const RIGHT: i32 = 690;
const TOP: i32 = 10;
const FLOOR: i32 = 252;
/// Names stand at least this far apart.
const NAME: i32 = 16;
/// Beyond this ratio of the slowest to the fastest a linear scale would flatten the fast ones.
const SPREAD: f64 = 8.0;
/// Points drawn of a line: more than pixels would only make the page heavy.
const POINTS: usize = 600;

impl Lines<'_> {
    /// The lines are too far apart for a linear scale.
    pub(super) fn logarithmic(&self) -> bool {
        let (low, high) = self.range();
        low > 0.0 && high / low > SPREAD
    }

    /// The drawing.
    pub(super) fn draw(&self) -> Option<String> {
        let (low, high) = self.range();
        let longest = self.lines.iter().map(|line| line.points.len()).max().unwrap_or(1);
        let x = Scale::linear(longest as f64, LEFT, RIGHT);
        let y = match self.logarithmic() {
            true => Scale::logarithmic(low / 1e6 * 0.9, high / 1e6 * 1.1, FLOOR, TOP),
            false => Scale::linear(high / 1e6 * 1.08, FLOOR, TOP),
        };
        svg(SIZE, self.title, |area| {
            grid(area, &x, &y)?;
            for line in &self.lines {
                let step = line.points.len().div_ceil(POINTS).max(1);
                let points = line.points.iter().enumerate().step_by(step);
                let points = points.map(|(i, ns)| (x.at((i + 1) as f64), y.at(ns / 1e6))).collect();
                path(area, points, line.colour, 2)?;
            }
            self.names(area, &y)
        })
    }

    /// Smallest and largest value.
    fn range(&self) -> (f64, f64) {
        let points = self.lines.iter().flat_map(|line| &line.points);
        points.fold((f64::INFINITY, 0.0), |(low, high), &ns| (low.min(ns), ns.max(high)))
    }

    /// Names at the lines' ends, pushed apart from the top.
    fn names(&self, area: &Area<'_>, y: &Scale) -> Result<(), Failure> {
        let end = |line: &Line| line.points.last().map_or(FLOOR, |ns| y.at(ns / 1e6));
        let mut lines: Vec<(i32, &Line)> =
            self.lines.iter().map(|line| (end(line), line)).collect();
        lines.sort_by_key(|(y, _)| *y);
        let mut free = TOP;
        for (place, (end, line)) in lines.iter().enumerate() {
            // What still follows must fit above the floor too.
            let below = (lines.len() - place - 1) as i32 * NAME;
            let at = (*end).min(FLOOR - below).max(free);
            free = at + NAME;
            path(area, vec![(RIGHT + 3, *end), (RIGHT + 14, at)], line.colour, 1)?;
            text(area, (RIGHT + 18, at), &line.label, Anchor::Left, Colour::Ink)?;
        }
        Ok(())
    }
}

fn grid(area: &Area<'_>, x: &Scale, y: &Scale) -> Result<(), Failure> {
    for (value, word) in y.ticks() {
        path(area, vec![(LEFT, y.at(value)), (RIGHT, y.at(value))], Colour::Grid, 1)?;
        text(area, (LEFT - 8, y.at(value)), &word, Anchor::Right, Colour::Soft)?;
    }
    for (value, word) in x.ticks() {
        path(area, vec![(x.at(value), FLOOR), (x.at(value), FLOOR + 4)], Colour::Soft, 1)?;
        text(area, (x.at(value), FLOOR + 14), &word, Anchor::Centre, Colour::Soft)?;
    }
    text(area, (LEFT.midpoint(RIGHT), FLOOR + 34), "token", Anchor::Centre, Colour::Soft)?;
    text(area, (4, TOP), "ms", Anchor::Left, Colour::Soft)
}
