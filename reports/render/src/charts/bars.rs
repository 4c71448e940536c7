//! Horizontal bars in groups, each with its name, whiskers and value beside it.

use yardstick_record::Metric;

use super::draw::{Anchor, Area, Colour, Failure, heading, path, rectangle, svg, text};
use super::scale::Scale;

/// A chart of bars.
pub(super) struct Bars<'a> {
    pub(super) title: &'a str,
    pub(super) metric: Metric,
    pub(super) groups: Vec<Group>,
}

/// Bars under one name.
pub(super) struct Group {
    pub(super) name: String,
    pub(super) bars: Vec<Bar>,
}

/// One bar, or the word that stands in its place.
pub(super) struct Bar {
    pub(super) label: String,
    pub(super) colour: Colour,
    pub(super) value: Option<f64>,
    pub(super) interval: Option<(f64, f64)>,
    /// Not to be compared with the others.
    pub(super) pale: bool,
    /// A value to mark beside the bar's own.
    pub(super) mark: Option<f64>,
    /// Beside the bar.
    pub(super) text: String,
}

const WIDTH: i32 = 900;
/// Where bars start and where the scale ends; values stand behind their bars, so there is room to the right.
const LEFT: i32 = 215;
const RIGHT: i32 = 715;
const TOP: i32 = 6;
const BAR: i32 = 22;
const NAME: i32 = 26;
const AXIS: i32 = 40;
/// Bars drawn; a table is better for more.
const MOST: usize = 80;

impl Bars<'_> {
    /// The drawing.
    pub(super) fn draw(&self) -> Option<String> {
        let rows: i32 = self.groups.iter().map(|group| NAME + BAR * drawn(group) as i32).sum();
        let floor = TOP + rows;
        svg((WIDTH, floor + AXIS), self.title, |area| {
            let (scale, divisor, unit) = self.scale();
            grid(area, &scale, unit, floor)?;
            let mut y = TOP;
            for group in &self.groups {
                heading(area, (4, y + NAME / 2 + 2), &group.name)?;
                y += NAME;
                for bar in group.bars.iter().take(MOST) {
                    draw_bar(area, bar, &scale, divisor, y)?;
                    y += BAR;
                }
            }
            Ok(())
        })
    }

    /// The scale in units people read, and what the values must be divided by.
    fn scale(&self) -> (Scale, f64, &'static str) {
        let bars = || self.groups.iter().flat_map(|group| &group.bars);
        let largest = |ends: &mut dyn Iterator<Item = f64>| {
            ends.filter(|end| end.is_finite()).fold(0.0, f64::max)
        };
        let longest = largest(&mut bars().flat_map(|bar| [bar.value, bar.mark]).flatten());
        // A hopeless interval must not press every bar flat: its whisker runs into the edge.
        let whisker = largest(&mut bars().filter_map(|bar| Some(bar.interval?.1)));
        let longest = longest.max(whisker.min(1.5 * longest));
        let (divisor, unit) = match (self.metric, longest) {
            (Metric::PeakRssBytes, b) if b < 4.0 * 1_073_741_824.0 => (1_048_576.0, "MiB"),
            (Metric::PeakRssBytes, _) => (1_073_741_824.0, "GiB"),
            (Metric::TimeNs | Metric::TokenLatencyNs, ns) if ns < 1e7 => (1e3, "µs"),
            (Metric::TimeNs | Metric::TokenLatencyNs, ns) if ns < 1e10 => (1e6, "ms"),
            (Metric::TimeNs | Metric::TokenLatencyNs, _) => (1e9, "s"),
            (metric, _) => (1.0, metric.unit()),
        };
        let whole =
            if self.metric == Metric::PercentOfLimit { longest.max(100.0) } else { longest };
        (Scale::linear(whole / divisor, LEFT, RIGHT), divisor, unit)
    }
}

fn drawn(group: &Group) -> usize {
    group.bars.len().min(MOST)
}

fn grid(area: &Area<'_>, scale: &Scale, unit: &str, floor: i32) -> Result<(), Failure> {
    for (value, word) in scale.ticks() {
        let x = scale.at(value);
        path(area, vec![(x, TOP), (x, floor + 4)], Colour::Grid, 1)?;
        text(area, (x, floor + 14), &word, Anchor::Centre, Colour::Soft)?;
    }
    text(area, (LEFT.midpoint(RIGHT), floor + 31), unit, Anchor::Centre, Colour::Soft)
}

fn draw_bar(
    area: &Area<'_>,
    bar: &Bar,
    scale: &Scale,
    divisor: f64,
    y: i32,
) -> Result<(), Failure> {
    let middle = y + BAR / 2;
    text(area, (LEFT - 8, middle), &bar.label, Anchor::Right, Colour::Ink)?;
    let Some(value) = bar.value else {
        return text(area, (LEFT + 8, middle), &bar.text, Anchor::Left, Colour::Soft);
    };
    let x = |value: f64| scale.at(value / divisor);
    let opacity = if bar.pale { 0.35 } else { 0.9 };
    rectangle(area, [(LEFT, y + 3), (x(value).max(LEFT + 1), y + BAR - 3)], bar.colour, opacity)?;
    let mut end = x(value);
    if let Some((low, high)) = bar.interval {
        let (low, high) = (x(low), x(high));
        path(area, vec![(low, middle), (high, middle)], Colour::Ink, 1)?;
        for cap in [low, high] {
            path(area, vec![(cap, middle - 4), (cap, middle + 4)], Colour::Ink, 1)?;
        }
        end = end.max(high);
    }
    if let Some(mark) = bar.mark {
        path(area, vec![(x(mark), y + 1), (x(mark), y + BAR - 1)], Colour::Ink, 2)?;
        end = end.max(x(mark));
    }
    text(area, (end + 8, middle), &bar.text, Anchor::Left, Colour::Ink)
}
