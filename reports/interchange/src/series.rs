//! Series: what tools that watch numbers over time are given, under names that depend on the cell alone.

use std::collections::BTreeMap;

use yardstick_analyse::{Comparison, Estimate, Row, describe};
use yardstick_api::Options;
use yardstick_record::{Metric, VerificationStatus};
use yardstick_render::clean;

/// Characters of a series' name.
const NAME: usize = 480;

/// A row and its name.
pub(crate) struct Series<'a> {
    /// `cpu:avx2/smollm-135m:Q4_0/tg128`, settings that are not the default after it.
    pub(crate) name: String,
    /// The row.
    pub(crate) row: &'a Row,
}

impl<'a> Series<'a> {
    /// The metrics that have a value, with it.
    pub(crate) fn estimates(&self) -> impl Iterator<Item = (Metric, &'a Estimate)> + use<'a> {
        let metrics = self.row.metrics.iter();
        metrics.filter_map(|(metric, value)| Some((*metric, value.value()?)))
    }
}

/// Rows that a series cannot show, by the reason.
pub type LeftOut = BTreeMap<String, usize>;

/// Rows without any value: numbers over time have no place for a failure.
pub fn left_out(comparison: &Comparison) -> LeftOut {
    let mut reasons = LeftOut::new();
    for row in comparison.rows.iter().filter(|row| !shown(row)) {
        let missing = || row.metrics.get(&row.headline()).and_then(|known| known.reason());
        let reason = match row.outcome.is_ok() {
            true => missing().unwrap_or("no value").to_owned(),
            false => describe(&row.outcome),
        };
        *reasons.entry(reason).or_insert(0) += 1;
    }
    reasons
}

fn shown(row: &Row) -> bool {
    row.outcome.is_ok() && row.metrics.values().any(|value| value.value().is_some())
}

/// The rows that have values, each under a name of its own.
pub(crate) fn series(comparison: &Comparison) -> Vec<Series<'_>> {
    let rows: Vec<&Row> = comparison.rows.iter().filter(|row| shown(row)).collect();
    let mut names: Vec<String> = rows.iter().map(|row| name(row)).collect();
    // Where the cell alone does not tell rows apart, the machine does, or the program.
    for setting in ["machine", "program", "run"] {
        let count = counts(&names);
        for (name, row) in names.iter_mut().zip(&rows) {
            if let (2.., Some(value)) = (count[name.as_str()], row.settings.get(setting)) {
                *name = format!("{name} [{}]", clean(value));
            }
        }
    }
    let mut used: BTreeMap<String, usize> = BTreeMap::new();
    let names = names.into_iter().map(|name| {
        let name: String = name.chars().take(NAME).collect();
        let times = used.entry(name.clone()).or_insert(0);
        *times += 1;
        if *times > 1 { format!("{name} #{times}") } else { name }
    });
    names.zip(rows).map(|(name, row)| Series { name, row }).collect()
}

fn counts(names: &[String]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for name in names {
        *counts.entry(name.clone()).or_insert(0) += 1;
    }
    counts
}

/// Device, model, test and what is not as usual: the same cell has the same name in every export.
fn name(row: &Row) -> String {
    let mut name = format!("{}/{}/{}", row.cell.device, row.model, row.cell.test);
    let usual = usual();
    for (setting, value) in &row.settings {
        let told = ["machine", "program", "run"].contains(setting)
            || usual.get(setting).is_some_and(|usual| usual == value)
            || value == "unknown";
        if !told {
            name.push_str(&format!(" {} {value}", setting.trim_end_matches(" asked")));
        }
    }
    if !verified(row) {
        name.push_str(" (unverified)");
    }
    clean(&name).into_owned()
}

/// Whether its answers were checked and right.
pub(crate) fn verified(row: &Row) -> bool {
    row.verification.status == VerificationStatus::Passed
}

/// Settings as they are unless asked otherwise.
fn usual() -> BTreeMap<&'static str, String> {
    let options = Options::default();
    BTreeMap::from([
        ("threads asked", "auto".to_owned()),
        ("context", "auto".to_owned()),
        ("numerics", "auto".to_owned()),
        ("sequences", options.sequences.to_string()),
        ("chunk", options.chunk.to_string()),
        ("kv", options.kv.name().to_owned()),
        ("repack", options.repack.to_string()),
        ("profile", options.profile.to_string()),
    ])
}
