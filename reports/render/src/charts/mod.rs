//! Charts of a comparison, as SVG that stands inside the page: which there are, and what each holds.

mod bars;
mod draw;
mod fronts;
mod interference;
mod labels;
mod lines;
mod panels;
mod roofline;
mod route;
mod scale;
mod scatter;
mod soak;
mod trend;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use yardstick_analyse::{Comparison, Row};
use yardstick_record::{Metric, Test};

use self::bars::{Bar, Bars, Group};
use self::draw::Colour;
pub(crate) use self::fronts::fronts;
pub(crate) use self::interference::pictures as interference;
use self::lines::{Line, Lines};
pub(crate) use self::roofline::roofline;
pub(crate) use self::route::route;
pub use self::trend::picture as trend;
use crate::columns::status;
use crate::html::label;
use crate::number;
use crate::text::elide;

/// A chart, or the sentence that stands in its place.
#[derive(Serialize)]
pub(crate) struct Chart {
    /// Heading above it, on the first of its kind.
    heading: Option<&'static str>,
    /// What it shows, for who cannot see it.
    title: String,
    /// How to read it; or why there is no chart.
    caption: String,
    /// The drawing.
    svg: Option<String>,
}

/// Charts of one kind drawn at most; the table has the rest.
const MOST: usize = 12;
/// Characters of a name in a chart.
const NAME: usize = 30;

/// Every chart of the page.
pub(crate) fn charts(comparison: &Comparison) -> Vec<Chart> {
    let colours = colours(comparison);
    let of = |metric| metric_by_test(comparison, &colours, metric);
    // Most suites time nothing but tokens: no sentence about what was not asked.
    let asked = comparison.rows.iter().any(|row| row.metrics.contains_key(&Metric::TimeNs));
    [
        section("Tokens per second", of(Metric::TokensPerSecond)),
        if asked { section("Time", of(Metric::TimeNs)) } else { Vec::new() },
        section("Memory", memory(comparison, &colours)),
        section("Latency of each token", courses(comparison, &colours)),
        section("Share of the limit", of(Metric::PercentOfLimit)),
        if comparison.soaks.is_empty() {
            Vec::new()
        } else {
            section("Soak", soak::charts(&comparison.soaks))
        },
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Puts the heading on the first chart, and a sentence where there is none.
fn section(heading: &'static str, mut charts: Vec<Chart>) -> Vec<Chart> {
    let more = charts.len().saturating_sub(MOST);
    charts.truncate(MOST);
    if charts.is_empty() {
        charts.push(sentence("No chart: no cell here has a value of it.".to_owned()));
    }
    if more > 0 {
        charts.push(sentence(format!("{more} more are left out; the table has their numbers.")));
    }
    charts[0].heading = Some(heading);
    charts
}

fn sentence(caption: String) -> Chart {
    Chart { heading: None, title: String::new(), caption, svg: None }
}

fn chart(title: String, caption: String, svg: Option<String>) -> Chart {
    Chart { heading: None, title, caption, svg }
}

/// A colour for each device, the same in every chart.
fn colours(comparison: &Comparison) -> BTreeMap<String, Colour> {
    let labels: BTreeSet<String> =
        comparison.rows.iter().map(|row| label(comparison, row)).collect();
    labels.into_iter().enumerate().map(|(i, label)| (label, Colour::Series(i))).collect()
}

/// A chart of bars for each test that has the metric: a group a model, a bar a device.
fn metric_by_test(
    comparison: &Comparison,
    colours: &BTreeMap<String, Colour>,
    metric: Metric,
) -> Vec<Chart> {
    let mut tests: BTreeMap<Test, Vec<&Row>> = BTreeMap::new();
    for row in comparison.rows.iter().filter(|row| row.metrics.contains_key(&metric)) {
        tests.entry(row.cell.test).or_default().push(row);
    }
    tests.retain(|_, rows| rows.iter().any(|row| row.estimate(metric).is_some()));
    tests
        .into_iter()
        .map(|(test, rows)| {
            let groups = by_model(&rows).into_iter().map(|(model, rows)| Group {
                name: model,
                bars: rows.into_iter().map(|row| bar(comparison, colours, row, metric)).collect(),
            });
            let title = format!("{test}: {} by model and device", words(metric));
            let bars = Bars { title: &title, metric, groups: groups.collect() };
            let caption = format!("{title}. {}", reading(metric));
            let svg = bars.draw();
            chart(title, caption, svg)
        })
        .collect()
}

fn words(metric: Metric) -> &'static str {
    match metric {
        Metric::TokensPerSecond => "tokens per second",
        Metric::TimeNs => "time",
        Metric::TokenLatencyNs => "time between tokens",
        Metric::PeakRssBytes => "peak resident memory",
        Metric::CpuCores => "processor cores used",
        Metric::PercentOfLimit => "share of the measured limit",
        Metric::PercentOfSustained => "share of what reading sustained",
        Metric::BytesPerSecond => "bytes read per second",
        Metric::OperationsPerSecond => "operations per second",
        Metric::TimeP95Ns => "95th percentile of time",
        Metric::TimeMeanNs => "mean time",
        Metric::TokenLatencyP95Ns => "95th percentile of the time between tokens",
        Metric::RssBytes => "resident memory",
        Metric::JoulesPerToken => "joules per token",
        Metric::MeanWatts => "mean power",
        Metric::PeakWatts => "peak power",
        Metric::IdleWatts => "idle power",
        Metric::TokensPerKwh => "tokens per kWh",
        Metric::Co2GramsPerMillionTokens => "estimated grams of CO2 per million tokens",
        score => score.name(),
    }
}

fn reading(metric: Metric) -> &'static str {
    match metric {
        Metric::PercentOfLimit => {
            "The line at 100 % is what the machine reaches at best: reading for tg, arithmetic for pp."
        }
        Metric::TimeNs => "Shorter is better; whiskers are 95 % intervals.",
        _ => "Longer is better; whiskers are 95 % intervals. Pale bars are not ranked.",
    }
}

fn by_model<'a>(rows: &[&'a Row]) -> Vec<(String, Vec<&'a Row>)> {
    let mut models: Vec<(String, Vec<&Row>)> = Vec::new();
    for &row in rows {
        let model = elide(&row.model, 2 * NAME);
        match models.iter_mut().find(|(name, _)| *name == model) {
            Some((_, rows)) => rows.push(row),
            None => models.push((model, vec![row])),
        }
    }
    models
}

fn bar(
    comparison: &Comparison,
    colours: &BTreeMap<String, Colour>,
    row: &Row,
    metric: Metric,
) -> Bar {
    let label = label(comparison, row);
    let estimate = row.estimate(metric);
    let pale = row.not_ranked.is_some() && metric != Metric::PeakRssBytes;
    let text = match estimate {
        Some(estimate) if pale => {
            format!("{}, not ranked", number::estimate(metric, estimate))
        }
        Some(estimate) => number::estimate(metric, estimate),
        None if row.outcome.is_ok() => "no value".to_owned(),
        None => status(&row.outcome).to_owned(),
    };
    Bar {
        colour: colours.get(&label).copied().unwrap_or(Colour::Soft),
        label: elide(&label, NAME),
        value: estimate.map(|estimate| estimate.median),
        interval: estimate.and_then(|e| e.interval.value()).map(|i| (i.low, i.high)),
        pale,
        mark: None,
        text,
    }
}

/// Peak memory of each device on each model, over the tests, with the size of the file beside it.
fn memory(comparison: &Comparison, colours: &BTreeMap<String, Colour>) -> Vec<Chart> {
    let metric = Metric::PeakRssBytes;
    let rows: Vec<&Row> =
        comparison.rows.iter().filter(|row| row.estimate(metric).is_some()).collect();
    let groups: Vec<Group> = by_model(&rows)
        .into_iter()
        .map(|(name, rows)| {
            let mut bars: Vec<Bar> = Vec::new();
            for row in rows {
                let mut new = bar(comparison, colours, row, metric);
                new.interval = None;
                new.mark = row.cell.model.file_bytes.value().map(|bytes| *bytes as f64);
                match bars.iter_mut().find(|bar| bar.label == new.label) {
                    Some(bar) if bar.value < new.value => *bar = new,
                    Some(_) => {}
                    None => bars.push(new),
                }
            }
            Group { name, bars }
        })
        .collect();
    if groups.is_empty() {
        return Vec::new();
    }
    let title = "Peak resident memory by model and device, the largest over the tests".to_owned();
    let svg = Bars { title: &title, metric, groups }.draw();
    let caption =
        format!("{title}. Shorter is better; the upright mark is the size of the model file.");
    vec![chart(title, caption, svg)]
}

/// The course of token latency over a generation, a chart for each model and test.
fn courses(comparison: &Comparison, colours: &BTreeMap<String, Colour>) -> Vec<Chart> {
    let mut charts: BTreeMap<(String, Test), Vec<Line>> = BTreeMap::new();
    for row in &comparison.rows {
        let Some(latency) = row.latency.as_ref().filter(|latency| latency.course.len() > 1) else {
            continue;
        };
        let label = label(comparison, row);
        charts.entry((elide(&row.model, 2 * NAME), row.cell.test)).or_default().push(Line {
            colour: colours.get(&label).copied().unwrap_or(Colour::Soft),
            label: elide(&label, NAME),
            points: latency.course.clone(),
        });
    }
    charts
        .into_iter()
        .map(|((model, test), lines)| {
            let title = format!("{model}, {test}: milliseconds from one token to the next");
            let lines = Lines { title: &title, lines };
            let scale = if lines.logarithmic() { " The scale is logarithmic." } else { "" };
            let caption =
                format!("{title}, over the tokens generated; medians over samples.{scale}");
            let svg = lines.draw();
            chart(title, caption, svg)
        })
        .collect()
}
