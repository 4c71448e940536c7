//! The head of the page: what ran, what was proven, what is fastest.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use yardstick_analyse::{Comparison, Percentile, Ranking, Row, least_samples};
use yardstick_record::{Metric, Outcome, Record, VerificationStatus};

use crate::number;
use crate::ratios::directed;
use crate::text::elide;

/// A figure and what it counts.
#[derive(Serialize)]
pub(super) struct Tile {
    figure: String,
    label: String,
    class: &'static str,
}

/// The fastest devices of one model, a cell a test.
#[derive(Serialize)]
pub(super) struct Model {
    name: String,
    tests: Vec<Vec<First>>,
}

/// A device in first place.
#[derive(Serialize)]
struct First {
    device: String,
    value: String,
    /// What to make of first place, on the last that holds it: `a tie`, `1.90× faster than the next`, `order not proven`.
    remark: String,
}

/// The tail of one row's token latency.
#[derive(Serialize)]
pub(super) struct Tail {
    model: String,
    device: String,
    test: String,
    n: usize,
    percentiles: Vec<String>,
}

/// A row with numbers that are not compared for speed.
#[derive(Serialize)]
pub(super) struct Unranked {
    device: String,
    model: String,
    test: String,
    reason: String,
}

/// One sentence: how much was measured on what.
pub(super) fn lead(comparison: &Comparison, records: &[Record]) -> String {
    let distinct =
        |word: fn(&Row) -> &str| comparison.rows.iter().map(word).collect::<BTreeSet<&str>>().len();
    let models = plural(distinct(|row| &row.model), "model", "models");
    let devices = plural(distinct(|row| &row.cell.device), "device", "devices");
    let machines: BTreeSet<&str> = comparison
        .rows
        .iter()
        .filter_map(|row| row.settings.get("machine").map(String::as_str))
        .collect();
    let runs: BTreeSet<&str> = records.iter().map(|record| record.run.id.as_str()).collect();
    let on = match machines.len() {
        1 => elide(machines.first().copied().unwrap_or_default(), 100),
        n => plural(n, "machine", "machines"),
    };
    format!("{models} on {devices} of {on}, in {}.", plural(runs.len(), "run", "runs"))
}

fn plural(n: usize, one: &str, many: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {many}") }
}

/// Cells by outcome, and proofs.
pub(super) fn tiles(comparison: &Comparison) -> Vec<Tile> {
    let rows = &comparison.rows;
    let count = |what: fn(&Row) -> bool| rows.iter().filter(|row| what(row)).count();
    let measured = count(|row| row.outcome.is_ok());
    let proven =
        count(|row| row.outcome.is_ok() && row.verification.status == VerificationStatus::Passed);
    let ended = [
        ("failed", count(|row| matches!(row.outcome, Outcome::Failed { .. })), "bad"),
        ("invalid", count(|row| matches!(row.outcome, Outcome::Invalid { .. })), "bad"),
        ("skipped", count(|row| matches!(row.outcome, Outcome::Skipped { .. })), "faint"),
    ];
    let tile = |figure: String, label: &str, class| Tile { figure, label: label.to_owned(), class };
    let class = if proven == measured && measured > 0 { "good" } else { "" };
    let mut tiles = vec![
        tile(format!("{measured} of {}", rows.len()), "cells measured", ""),
        tile(format!("{proven} of {measured}"), "verified against the reference", class),
    ];
    let other = ended.into_iter().filter(|(_, n, _)| *n > 0);
    tiles.extend(other.map(|(label, n, class)| tile(n.to_string(), label, class)));
    tiles
}

/// Names of the tests ranked, and for each model who is first in them.
pub(super) fn fastest(comparison: &Comparison) -> (Vec<String>, Vec<Model>) {
    let heading = |ranking: &Ranking| match ranking.sequences {
        1 => ranking.test.to_string(),
        n => format!("{} × {n} sequences", ranking.test),
    };
    let several = comparison.varying.contains(&"machine");
    let name = |ranking: &Ranking| match several {
        true => format!("{} on {}", elide(&ranking.model, 60), elide(&ranking.machine, 60)),
        false => elide(&ranking.model, 60),
    };
    let tests: BTreeMap<_, String> = comparison
        .rankings
        .iter()
        .map(|ranking| ((ranking.test, ranking.sequences), heading(ranking)))
        .collect();
    let mut models: Vec<Model> = Vec::new();
    for ranking in &comparison.rankings {
        let column = tests.keys().position(|key| *key == (ranking.test, ranking.sequences));
        let name = name(ranking);
        if models.iter().all(|model| model.name != name) {
            models
                .push(Model { name: name.clone(), tests: tests.keys().map(|_| vec![]).collect() });
        }
        let model = models.iter_mut().find(|model| model.name == name);
        if let (Some(model), Some(column)) = (model, column) {
            model.tests[column] = first(comparison, ranking);
        }
    }
    (tests.into_values().collect(), models)
}

fn first(comparison: &Comparison, ranking: &Ranking) -> Vec<First> {
    let place = |(index, &row): (usize, &usize)| {
        let row = &comparison.rows[row];
        let estimate = row.estimate(ranking.metric)?;
        let unit = if ranking.test.tokens().is_some() { " t/s" } else { "" };
        Some(First {
            device: label(comparison, row),
            value: format!("{}{unit}", number::estimate(ranking.metric, estimate)),
            remark: if index + 1 == ranking.tied { remark(ranking) } else { String::new() },
        })
    };
    ranking.order.iter().take(ranking.tied).enumerate().filter_map(place).collect()
}

fn remark(ranking: &Ranking) -> String {
    if ranking.order.len() == 1 {
        return "the only one ranked".to_owned();
    }
    if ranking.tied > 1 {
        return "a tie: no difference shown".to_owned();
    }
    let Some(lead) = &ranking.lead else { return String::new() };
    let proof = if ranking.proven { "" } else { "; order not proven, n too small" };
    format!("{} than the next{proof}", directed(lead))
}

/// A device, with the settings that tell it from others of its name.
pub(crate) fn label(comparison: &Comparison, row: &Row) -> String {
    let setting = comparison.setting(row);
    let device = elide(&row.cell.device, 40);
    if setting.is_empty() { device } else { format!("{device} ({})", elide(&setting, 60)) }
}

/// Percentiles of token latency, where n carries them.
pub(super) fn tails(comparison: &Comparison) -> Vec<Tail> {
    let measured = comparison.rows.iter().filter_map(|row| Some((row, row.latency.as_ref()?)));
    measured
        .map(|(row, latency)| Tail {
            model: elide(&row.model, 60),
            device: label(comparison, row),
            test: row.cell.test.to_string(),
            n: latency.n,
            percentiles: latency.percentiles.iter().map(percentile).collect(),
        })
        .collect()
}

/// `8.12 ms (8.01 to 8.30)`, or why not.
fn percentile(percentile: &Percentile) -> String {
    let write = |ns: f64| number::value(Metric::TokenLatencyNs, ns);
    let Some(&ns) = percentile.value.value() else {
        return format!("n too small, needs {}", least_samples(percentile.percent));
    };
    match percentile.interval.value() {
        Some(interval) => {
            format!("{} ({} to {})", write(ns), write(interval.low), write(interval.high))
        }
        None => write(ns),
    }
}

/// Rows with numbers that must not be compared for speed.
pub(super) fn unranked(comparison: &Comparison) -> Vec<Unranked> {
    let measured = comparison.rows.iter().filter(|row| row.outcome.is_ok());
    measured
        .filter_map(|row| {
            Some(Unranked {
                device: label(comparison, row),
                model: elide(&row.model, 60),
                test: row.cell.test.to_string(),
                reason: elide(row.not_ranked.as_ref()?, 300),
            })
        })
        .collect()
}
