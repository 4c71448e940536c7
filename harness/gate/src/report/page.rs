//! The report as one self-contained page: the verdict, intervals drawn, every test.

use serde::Serialize;
use yardstick_render::{STYLE, elide, fill};

use super::{Outcome, Report, TestReport};

const TEMPLATE: &str = include_str!("page.html");
/// Characters of a name, of a reason.
const NAME: usize = 80;
const LONG: usize = 400;
/// The picture: pixels of a row, where the scale begins and ends, and what is drawn of it at most.
const ROW: usize = 22;
const LEFT: f64 = 330.0;
const RIGHT: f64 = 860.0;
const MOST: usize = 60;
/// The scale reaches at least this far to either side, and at most as far as this.
const LEAST: f64 = 0.05;
const FAR: f64 = 0.5;

#[derive(Serialize)]
struct Page {
    style: &'static str,
    title: String,
    sides: [[String; 2]; 2],
    started: String,
    minutes: String,
    notes: Vec<String>,
    decide: Option<String>,
    picture: Option<Picture>,
    tests: Vec<Line>,
}

#[derive(Serialize)]
struct Line {
    test: String,
    outcome: &'static str,
    change: String,
    interval: String,
    control: String,
    launches: String,
    why: String,
}

/// Intervals of what was measured; widths and places in pixels.
#[derive(Serialize)]
struct Picture {
    height: usize,
    zero: f64,
    ticks: Vec<(f64, String)>,
    bars: Vec<Bar>,
    left_out: usize,
}

#[derive(Serialize)]
struct Bar {
    test: String,
    words: String,
    y: usize,
    low: f64,
    high: f64,
    at: f64,
    bad: bool,
}

impl Report {
    /// A page; every name on it is escaped.
    pub fn page(&self) -> String {
        let side = |side: &super::SideReport| {
            let commit = side.commit.as_deref().and_then(|commit| commit.get(..12));
            [elide(&side.asked, NAME), elide(commit.unwrap_or(&side.program), LONG)]
        };
        let page = Page {
            style: STYLE,
            title: elide(&self.headline(), LONG),
            sides: [side(&self.base), side(&self.candidate)],
            started: elide(&self.started, NAME),
            minutes: format!("{:.1}", self.seconds / 60.0),
            notes: self.notes.iter().map(|note| elide(note, LONG)).collect(),
            decide: self.decide.as_ref().map(|command| elide(command, 4096)),
            picture: picture(&self.tests),
            tests: self.tests.iter().map(line).collect(),
        };
        fill(TEMPLATE, page)
    }
}

fn percent(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{:+.1}\u{a0}%", 100.0 * value))
}

fn line(test: &TestReport) -> Line {
    let cost = test.cost.as_ref();
    let interval = cost.and_then(|cost| cost.interval.as_ref());
    Line {
        test: elide(&test.test, NAME),
        outcome: test.outcome.name(),
        change: percent(cost.and_then(|cost| cost.estimate)),
        interval: interval.map_or_else(
            || "–".to_owned(),
            |i| format!("{} to {}", percent(Some(i.low)), percent(Some(i.high))),
        ),
        control: percent(cost.and_then(|cost| cost.control)),
        launches: cost.map_or_else(|| "–".to_owned(), |cost| cost.launches.to_string()),
        why: elide(&test.reason, LONG),
    }
}

/// The worst first, as the report has them; none where nothing has an interval.
fn picture(tests: &[TestReport]) -> Option<Picture> {
    let drawn: Vec<(&TestReport, f64, f64, f64)> = tests
        .iter()
        .filter_map(|test| {
            let cost = test.cost.as_ref()?;
            let interval = cost.interval.as_ref()?;
            Some((test, cost.estimate?, interval.low, interval.high))
        })
        .collect();
    let reach = drawn.iter().flat_map(|(_, _, low, high)| [low.abs(), high.abs()]);
    let reach = reach.fold(LEAST, f64::max).min(FAR);
    let middle = f64::midpoint(LEFT, RIGHT);
    let at = |effect: f64| {
        let share = (effect / reach).clamp(-1.0, 1.0);
        ((middle + share * (RIGHT - LEFT) / 2.0) * 10.0).round() / 10.0
    };
    let bars: Vec<Bar> = drawn
        .iter()
        .take(MOST)
        .enumerate()
        .map(|(place, (test, estimate, low, high))| Bar {
            test: elide(&test.test, 44),
            words: format!("{} {}", test.outcome.name(), percent(Some(*estimate))),
            y: place * ROW + ROW,
            low: at(*low),
            high: at(*high),
            at: at(*estimate),
            bad: matches!(test.outcome, Outcome::Slower | Outcome::Drifted | Outcome::Worse),
        })
        .collect();
    (!bars.is_empty()).then(|| Picture {
        height: bars.len() * ROW + 2 * ROW,
        zero: middle,
        ticks: [-1.0, -0.5, 0.0, 0.5, 1.0]
            .map(|share| (at(share * reach), percent(Some(share * reach))))
            .to_vec(),
        left_out: drawn.len() - bars.len(),
        bars,
    })
}
