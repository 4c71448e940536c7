//! Power at moments, and its integral over a window with how far it can be off.

use yardstick_record::Precision;

use super::line::Point;
use crate::probe::Learnt;

/// Fewer values than this in a window are no measurement of it.
const FEWEST: usize = 20;
/// A gap longer than this many usual ones is silence.
const SILENCE: f64 = 3.0;
/// A busy machine lets a quick meter wait so long now and then, seconds.
const HICCUP: f64 = 0.25;
/// A window of which less is covered is not known.
const LEAST_COVERAGE: f64 = 0.95;
/// Values kept; older ones go, a quarter at once.
const MOST_POINTS: usize = 1 << 20;

/// Values in the order of time.
#[derive(Clone, Debug, Default)]
pub(super) struct Series {
    points: Vec<Point>,
}

/// What was drawn over a window.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Power {
    pub(super) joules: f64,
    /// Mean.
    pub(super) watts: f64,
    pub(super) most: f64,
    /// Of the joules.
    pub(super) precision: Precision,
    seconds: f64,
}

impl Power {
    /// Of the mean power.
    pub(super) fn of_watts(&self) -> Precision {
        Precision { uncertainty: self.precision.uncertainty / self.seconds, ..self.precision }
    }
}

impl Series {
    /// Takes the next value; time must go on.
    pub(super) fn push(&mut self, point: Point) -> Learnt<()> {
        if let Some(last) = self.points.last().filter(|last| point.at <= last.at) {
            let back = last.at - point.at;
            return Err(format!(
                "its clock does not go on: {back:.3} s back from one line to the next"
            ));
        }
        if self.points.len() >= MOST_POINTS {
            self.points.drain(..MOST_POINTS / 4);
        }
        self.points.push(point);
        Ok(())
    }

    pub(super) fn last(&self) -> Option<Point> {
        self.points.last().copied()
    }

    /// The integral from one moment to another, straight lines between values.
    pub(super) fn over(&self, from: f64, to: f64) -> Learnt<Power> {
        let seconds = to - from;
        let first = self.points.partition_point(|point| point.at < from);
        let end = self.points.partition_point(|point| point.at <= to);
        let inside = &self.points[first..end];
        if inside.len() < FEWEST {
            return Err(self.too_few(inside.len(), from, to));
        }
        let interval = usual_gap(inside);
        let silent = silence(inside, from, to, interval);
        let coverage = 1.0 - silent / seconds;
        if coverage < LEAST_COVERAGE {
            return Err(format!("it was silent for {silent:.1} s of {seconds:.1} s"));
        }
        let values = || inside.iter().map(|point| point.watts);
        let (least, most) = (values().fold(f64::INFINITY, f64::min), values().fold(0.0, f64::max));
        if least == most {
            let n = inside.len();
            return Err(format!("stuck: {n} values are all {most} W"));
        }
        let joules = self.integral(first, end, from, to, SILENCE * interval);
        let precision = Precision {
            uncertainty: uncertainty(inside, seconds, interval * (most - least)),
            rate_hz: (inside.len() - 1) as f64 / (inside[inside.len() - 1].at - inside[0].at),
            coverage,
        };
        Ok(Power { joules, watts: joules / seconds, most, precision, seconds })
    }

    fn too_few(&self, n: usize, from: f64, to: f64) -> String {
        let seconds = to - from;
        match (self.points.first(), self.points.last()) {
            (Some(first), Some(last)) if last.at < from || first.at > to => {
                let off = if last.at < from { from - last.at } else { first.at - to };
                let (word, other) =
                    if last.at < from { ("ends", "before") } else { ("begins", "after") };
                format!(
                    "what it told {word} {off:.1} s {other} the test: a clock that is off is moved by --meter-offset"
                )
            }
            _ => format!(
                "too short: {n} values in {seconds:.1} s, fewer than {FEWEST}; measure longer with --energy SECONDS"
            ),
        }
    }

    /// Beyond the window the nearest values are known, unless they are `far`.
    fn integral(&self, first: usize, end: usize, from: f64, to: f64, far: f64) -> f64 {
        let edge = |outer: Option<&Point>, inner: Point, at: f64| {
            let near = outer.filter(|outer| (outer.at - inner.at).abs() <= far);
            let watts = near.map_or(inner.watts, |outer| {
                inner.watts + (outer.watts - inner.watts) * (at - inner.at) / (outer.at - inner.at)
            });
            Point { at, watts }
        };
        let before = first.checked_sub(1).and_then(|index| self.points.get(index));
        let start = edge(before, self.points[first], from);
        let stop = edge(self.points.get(end), self.points[end - 1], to);
        let mut last = start;
        let mut joules = 0.0;
        for &point in self.points[first..end].iter().chain([&stop]) {
            joules += (point.at - last.at) * (point.watts + last.watts) / 2.0;
            last = point;
        }
        joules
    }
}

/// The median.
fn usual_gap(points: &[Point]) -> f64 {
    let mut gaps: Vec<f64> = points.windows(2).map(|pair| pair[1].at - pair[0].at).collect();
    gaps.sort_by(f64::total_cmp);
    gaps[gaps.len() / 2]
}

/// Seconds of the window in gaps that are longer than usual.
fn silence(inside: &[Point], from: f64, to: f64, interval: f64) -> f64 {
    let times = inside.iter().map(|point| point.at);
    let edges: Vec<f64> = [from].into_iter().chain(times).chain([to]).collect();
    let gaps = edges.windows(2).map(|pair| pair[1] - pair[0]);
    gaps.filter(|gap| *gap > (SILENCE * interval).max(HICCUP)).map(|gap| gap - interval).sum()
}

/// Half of the 95 % interval: the standard error of the mean of values taken at moments that are not in step with the load,
/// and the values' range for one interval by which timestamps may be late.
fn uncertainty(inside: &[Point], seconds: f64, late: f64) -> f64 {
    let n = inside.len() as f64;
    let mean = inside.iter().map(|point| point.watts).sum::<f64>() / n;
    let squares: f64 = inside.iter().map(|point| (point.watts - mean).powi(2)).sum();
    let error = 2.0 * (squares / (n - 1.0) / n).sqrt() * seconds;
    error.hypot(late)
}
