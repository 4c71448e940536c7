//! The picture of a trend: a point a run, the range of its launches, and the level between changes that stayed.

use yardstick_analyse::{Trend, median};

use super::draw::{Anchor, Area, Colour, Failure, disc, path, svg, text};
use super::scale::Scale;
use crate::number;
use crate::text::{clean, elide};

const SIZE: (i32, i32) = (900, 300);
const LEFT: i32 = 78;
const RIGHT: i32 = 880;
const TOP: i32 = 16;
const FLOOR: i32 = 252;
/// Dates under the picture, at most.
const DATES: usize = 6;
/// Characters of a name.
const NAME: usize = 40;

/// The picture as SVG, its text escaped; `None` where there is nothing to draw.
pub fn picture(trend: &Trend) -> Option<String> {
    if trend.points.is_empty() {
        return None;
    }
    let title = format!(
        "{} of {} on {} over {} runs",
        trend.test,
        elide(&trend.model, NAME),
        elide(&trend.device, NAME),
        trend.points.len()
    );
    let high = trend.points.iter().map(|point| point.range.1).fold(0.0, f64::max);
    // In the unit and scale of the largest value, as its words have it.
    let words = number::full(trend.metric, high);
    let unit = words.split_once(' ').map_or("", |(_, unit)| unit);
    let shown: f64 = words.split(' ').next().and_then(|digits| digits.parse().ok())?;
    let factor = if high > 0.0 { shown / high } else { 1.0 };
    let y = Scale::linear(high * factor * 1.08, FLOOR, TOP);
    let drawing = Drawing { trend, y, factor };
    svg(SIZE, &title, |area| drawing.draw(area, unit))
}

struct Drawing<'a> {
    trend: &'a Trend,
    y: Scale,
    factor: f64,
}

impl Drawing<'_> {
    fn draw(&self, area: &Area<'_>, unit: &str) -> Result<(), Failure> {
        for (value, word) in self.y.ticks() {
            path(area, vec![(LEFT, self.y.at(value)), (RIGHT, self.y.at(value))], Colour::Grid, 1)?;
            text(area, (LEFT - 8, self.y.at(value)), &word, Anchor::Right, Colour::Soft)?;
        }
        text(area, (4, TOP - 8), unit, Anchor::Left, Colour::Soft)?;
        self.dates(area)?;
        self.levels(area)?;
        for (at, point) in self.trend.points.iter().enumerate() {
            let x = self.x(at);
            let (low, high) = point.range;
            path(area, vec![(x, self.height(low)), (x, self.height(high))], Colour::Series(0), 1)?;
            disc(area, (x, self.height(point.median)), 3, Colour::Series(0))?;
        }
        Ok(())
    }

    /// Runs stand evenly: days without one say nothing.
    fn x(&self, at: usize) -> i32 {
        let (room, n) = (RIGHT - LEFT - 20, self.trend.points.len() as i32);
        LEFT + 10 + if n > 1 { room * at as i32 / (n - 1) } else { room / 2 }
    }

    fn height(&self, value: f64) -> i32 {
        self.y.at(value * self.factor)
    }

    fn dates(&self, area: &Area<'_>) -> Result<(), Failure> {
        let step = self.trend.points.len().div_ceil(DATES).max(1);
        for (at, point) in self.trend.points.iter().enumerate().step_by(step) {
            let (x, day) = (self.x(at), clean(&point.started));
            let day: String = day.chars().take(10).collect();
            path(area, vec![(x, FLOOR), (x, FLOOR + 4)], Colour::Soft, 1)?;
            text(
                area,
                (x.clamp(LEFT + 34, RIGHT - 34), FLOOR + 15),
                &day,
                Anchor::Centre,
                Colour::Soft,
            )?;
        }
        Ok(())
    }

    /// The median of each stretch between changes, and a line where it changed.
    fn levels(&self, area: &Area<'_>) -> Result<(), Failure> {
        let starts = self.trend.changes.iter().filter_map(|change| {
            self.trend.points.iter().position(|point| point.run == change.run)
        });
        let mut edges: Vec<usize> = starts.collect();
        edges.extend([0, self.trend.points.len()]);
        edges.sort_unstable();
        edges.dedup();
        for pair in edges.windows(2) {
            let [from, to] = *pair else { continue };
            let mut values: Vec<f64> =
                self.trend.points[from..to].iter().map(|point| point.median).collect();
            values.sort_by(f64::total_cmp);
            let Some(level) = median(&values) else { continue };
            let (left, right, y) = (self.x(from) - 6, self.x(to - 1) + 6, self.height(level));
            path(area, vec![(left, y), (right, y)], Colour::Series(1), 2)?;
            if from > 0 {
                let x = (self.x(from - 1) + self.x(from)) / 2;
                path(area, vec![(x, TOP), (x, FLOOR)], Colour::Soft, 1)?;
            }
        }
        Ok(())
    }
}
