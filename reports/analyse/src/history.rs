//! History: where a cell's speed changed for good over the stored runs. A hint for people; it never fails anything, as runs of
//! different days differ in more than the program.

use std::collections::BTreeMap;

use serde::Serialize;
use yardstick_record::{Direction, Test};

use crate::estimate::sorted;
use crate::interval::t_central;
use crate::{Brief, median};

/// Runs that a change point needs on either side.
const LEAST: usize = 4;
/// Chance of a change at least as large where there is none, over all places it could have been.
const MOST_CHANCE: f64 = 0.001;
/// Relative changes of speed below this are not worth a line.
const LEAST_CHANGE: f64 = 0.03;
/// Runs looked at: the latest.
pub const WINDOW: usize = 50;

/// A change that stayed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ChangePoint {
    /// Device.
    pub device: String,
    /// Model.
    pub model: String,
    /// Test.
    pub test: Test,
    /// Machine.
    pub machine: String,
    /// The first run after it, and when that started.
    pub run: String,
    /// When that run measured the cell, RFC 3339.
    pub started: String,
    /// Program of that run.
    pub program: String,
    /// Program of the run before.
    pub program_before: String,
    /// Runs before it, since the change point before.
    pub before: usize,
    /// Runs after it, to the next.
    pub after: usize,
    /// Speed after over speed before, medians of the runs.
    pub speed: f64,
    /// Chance of such a split where nothing changed (Welch's t, times the places it could have been).
    pub p: f64,
}

/// A cell's median in one run.
pub(crate) struct Point<'a> {
    pub(crate) first: &'a Brief,
    /// Launches of that run.
    pub(crate) launches: Vec<&'a Brief>,
    /// Logarithm of the speed.
    pub(crate) log: f64,
}

/// Change points of every cell, the latest first.
///
/// Splits are placed by the energy statistic and kept by a t-test, as in Hunter: deterministic, unlike permutations.
/// Sources: Matteson and James, JASA 109 (2014), 334-345; Fleming et al., Hunter, ICPE 2023.
pub fn history(briefs: &[Brief]) -> Vec<ChangePoint> {
    let mut found: Vec<ChangePoint> =
        series(briefs).values().flat_map(|points| changes(points)).collect();
    found.sort_by(|a, b| {
        (&b.started, &a.device, &a.model, a.test).cmp(&(&a.started, &b.device, &b.model, b.test))
    });
    found
}

/// Runs of each cell in the order of time.
pub(crate) fn series(briefs: &[Brief]) -> BTreeMap<String, Vec<Point<'_>>> {
    let mut cells: BTreeMap<String, BTreeMap<(&str, &str), Vec<&Brief>>> = BTreeMap::new();
    for brief in briefs.iter().filter(|b| b.trouble.is_none() && !b.headline().is_score()) {
        let model = brief.sha256.as_ref().unwrap_or(&brief.model);
        let (build, options) = (&brief.build, &brief.effective);
        let key = format!(
            "{}|{model}|{}|{build:?}|{options:?}|{}|{:?}",
            brief.device, brief.test, brief.machine, brief.shared
        );
        let runs = cells.entry(key).or_default();
        // Runs are told apart and ordered by when they began.
        let start = runs.keys().find(|(_, run)| *run == brief.run).copied();
        runs.entry(start.unwrap_or((&brief.started, &brief.run))).or_default().push(brief);
    }
    cells.into_iter().map(|(key, runs)| (key, latest(runs.into_values()))).collect()
}

fn latest<'a>(runs: impl Iterator<Item = Vec<&'a Brief>>) -> Vec<Point<'a>> {
    let mut points: Vec<Point<'a>> = runs.filter_map(point).collect();
    let from = points.len().saturating_sub(WINDOW);
    points.drain(..from);
    points
}

fn point(launches: Vec<&Brief>) -> Option<Point<'_>> {
    let first = *launches.first()?;
    let metric = first.headline();
    let value = |brief: &&Brief| brief.values.get(&metric).map(|value| value.median.ln());
    let middle = median(&sorted(&launches.iter().filter_map(value).collect::<Vec<_>>()))?;
    let log = if metric.direction() == Direction::Higher { middle } else { -middle };
    Some(Point { first, launches, log })
}

pub(crate) fn changes(points: &[Point<'_>]) -> Vec<ChangePoint> {
    let logs: Vec<f64> = points.iter().map(|point| point.log).collect();
    let mut at = Vec::new();
    split(&logs, 0, &mut at);
    at.sort_unstable();
    let ends: Vec<usize> =
        std::iter::once(0).chain(at.iter().copied()).chain([logs.len()]).collect();
    let change = |ends: &[usize]| {
        let [from, at, to] = *ends else { return None };
        let (before, after) = (&logs[from..at], &logs[at..to]);
        let p = chance(before, after)?;
        let change = median(&sorted(after))? - median(&sorted(before))?;
        let (first, last) = (points[at].first, points[at - 1].first);
        Some(ChangePoint {
            device: first.device.clone(),
            model: first.model.clone(),
            test: first.test,
            machine: first.machine.clone(),
            run: first.run.clone(),
            started: first.started.clone(),
            program: first.program.clone(),
            program_before: last.program.clone(),
            before: before.len(),
            after: after.len(),
            speed: change.exp(),
            p,
        })
    };
    ends.windows(3).filter_map(change).collect()
}

/// Places of change points in `logs`, which begin at `offset` of the whole.
fn split(logs: &[f64], offset: usize, found: &mut Vec<usize>) {
    let energy = |at: &usize| energy(&logs[..*at], &logs[*at..]);
    let places = LEAST..(logs.len() + 1).saturating_sub(LEAST);
    let Some(at) = places.clone().max_by(|a, b| energy(a).total_cmp(&energy(b))) else { return };
    let (before, after) = logs.split_at(at);
    let p = chance(before, after).unwrap_or(1.0) * places.len() as f64;
    let change = mean(after) - mean(before);
    if p <= MOST_CHANCE && change.abs() >= LEAST_CHANGE.ln_1p() {
        split(before, offset, found);
        found.push(offset + at);
        split(after, offset + at, found);
    }
}

/// How far apart two samples are, weighted by their sizes (Matteson and James, equation 3, alpha = 1).
fn energy(a: &[f64], b: &[f64]) -> f64 {
    let (n, m) = (a.len() as f64, b.len() as f64);
    let sum = |x: &[f64], y: &[f64]| -> f64 {
        x.iter().flat_map(|x| y.iter().map(move |y| (x - y).abs())).sum()
    };
    let between = 2.0 * sum(a, b) / (n * m);
    let within = sum(a, a) / (n * (n - 1.0)) + sum(b, b) / (m * (m - 1.0));
    n * m / (n + m) * (between - within)
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Welch's t-test, two-sided; degrees of freedom are rounded down. `None` for fewer than two values.
fn chance(a: &[f64], b: &[f64]) -> Option<f64> {
    let error = |values: &[f64]| {
        let (n, mean) = (values.len() as f64, mean(values));
        values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0) / n
    };
    if a.len() < 2 || b.len() < 2 {
        return None;
    }
    let (ea, eb) = (error(a), error(b));
    let change = (mean(a) - mean(b)).abs();
    if ea + eb == 0.0 {
        return Some(if change > 0.0 { 0.0 } else { 1.0 });
    }
    let freedom = (ea + eb).powi(2)
        / (ea.powi(2) / (a.len() as f64 - 1.0) + eb.powi(2) / (b.len() as f64 - 1.0));
    Some(1.0 - t_central((freedom as usize).max(1), change / (ea + eb).sqrt()))
}
