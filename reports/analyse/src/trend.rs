//! Trends: a cell's value in every stored run, and where it changed for good.

use serde::Serialize;
use yardstick_record::{Direction, Metric, Test};

use crate::history::{Point, changes, series};
use crate::{Brief, ChangePoint};

/// One cell on one machine over its latest runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Trend {
    /// Device.
    pub device: String,
    /// Model.
    pub model: String,
    /// Test.
    pub test: Test,
    /// Label of the build.
    pub build: Option<String>,
    /// Machine.
    pub machine: String,
    /// Measured elsewhere, and shared.
    pub shared: bool,
    /// What the values are of.
    pub metric: Metric,
    /// Its unit.
    pub unit: &'static str,
    /// Which way is better.
    pub better: Direction,
    /// A point a run, in the order of time.
    pub points: Vec<TrendPoint>,
    /// Where it changed for good.
    pub changes: Vec<ChangePoint>,
}

/// A cell in one run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TrendPoint {
    /// The run.
    pub run: String,
    /// When it measured the cell, RFC 3339.
    pub started: String,
    /// Its program.
    pub program: String,
    /// Median over the launches' medians.
    pub median: f64,
    /// Least and largest of the launches' medians: a range, not an interval.
    pub range: (f64, f64),
    /// Heads of the ids of the records behind it, one a launch.
    pub records: Vec<String>,
}

/// Every cell of these records that has values of speed, by machine and options, over at most [`crate::WINDOW`] runs each.
pub fn trends(briefs: &[Brief]) -> Vec<Trend> {
    series(briefs).into_values().filter_map(|points| trend(&points)).collect()
}

fn trend(points: &[Point<'_>]) -> Option<Trend> {
    let first = points.first()?.first;
    let metric = first.headline();
    Some(Trend {
        device: first.device.clone(),
        model: first.model.clone(),
        test: first.test,
        build: first.build.clone(),
        machine: first.machine.clone(),
        shared: first.shared.is_some(),
        metric,
        unit: metric.unit(),
        better: metric.direction(),
        points: points.iter().map(|one| point(one, metric)).collect(),
        changes: changes(points),
    })
}

fn point(point: &Point<'_>, metric: Metric) -> TrendPoint {
    let values =
        || point.launches.iter().filter_map(|brief| Some(brief.values.get(&metric)?.median));
    let log = if metric.direction() == Direction::Higher { point.log } else { -point.log };
    TrendPoint {
        run: point.first.run.clone(),
        started: point.first.started.clone(),
        program: point.first.program.clone(),
        median: log.exp(),
        range: (values().fold(f64::INFINITY, f64::min), values().fold(0.0, f64::max)),
        records: point.launches.iter().map(|brief| brief.id.clone()).collect(),
    }
}
