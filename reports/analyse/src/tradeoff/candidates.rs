//! Candidates: rows of a comparison gathered into the formats of one model on one device.

use std::collections::{BTreeMap, BTreeSet};

use yardstick_api::Known;
use yardstick_record::{Metric, Outcome, Reference, Test, VerificationStatus};

use super::front::fronts;
use super::{
    Aspect, Candidate, Change, Column, Quantity, Tradeoff, Varies, family, is_held_against_itself,
};
use crate::{Noise, Row};

/// Settings that tell tests of quality apart, not the weights or the device they were asked of.
const OF_THE_TEST: [&str; 2] = ["data", "reference"];
/// Scores that have a column; the others of a test are in its own row.
const SCORES: [Metric; 5] = [
    Metric::Perplexity,
    Metric::KldMean,
    Metric::Top1Agreement,
    Metric::Accuracy,
    Metric::MatchingTokens,
];

/// Rows of the formats of one model on one device, under the same settings.
pub(super) struct Group<'a> {
    varies: Varies,
    rows: Vec<&'a Row>,
}

/// Every group of two or more formats that was asked for its quality.
pub(super) fn groups(rows: &[Row], varies: Varies) -> Vec<Group<'_>> {
    let mut groups: BTreeMap<Vec<&str>, Vec<&Row>> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.cell.model.sha256.value().is_some()) {
        groups.entry(key(row, varies)).or_default().push(row);
    }
    let of = |rows| Group { varies, rows };
    groups.into_values().map(of).filter(Group::is_asked_for).collect()
}

/// What the rows of a group have in common.
fn key(row: &Row, varies: Varies) -> Vec<&str> {
    let model = match varies {
        Varies::Weights => family(&row.cell.model),
        Varies::Keys => row.model.as_str(),
    };
    let own = match varies {
        Varies::Weights => "",
        Varies::Keys => "kv",
    };
    let settings = row.settings.iter().filter(|(name, _)| !OF_THE_TEST.contains(name));
    let settings = settings.filter(|(name, _)| **name != own);
    let architecture = row.cell.model.architecture.value().map_or("", String::as_str);
    let device = [row.cell.device.as_str(), row.cell.build.as_deref().unwrap_or("")];
    let words = settings.flat_map(|(name, value)| [*name, value.as_str()]);
    [model, architecture].into_iter().chain(device).chain(words).collect()
}

impl<'a> Group<'a> {
    /// Whether a test of quality ran somewhere, or only its random weights kept it from saying anything: cells that were never
    /// going to run here weigh nothing.
    fn is_asked_for(&self) -> bool {
        let asked = |row: &&Row| match &row.outcome {
            Outcome::Skipped { reason, .. } => {
                row.cell.model.random_weights.as_ref() == Some(reason)
            }
            _ => true,
        };
        let quality = self.rows.iter().filter(|row| row.cell.test.is_quality()).any(asked);
        let ran = self.rows.iter().any(|row| !matches!(row.outcome, Outcome::Skipped { .. }));
        quality && ran && self.formats().len() > 1
    }

    /// What tells a row's candidate from the others, and what people call it.
    fn format(&self, row: &'a Row) -> (&'a str, &'a str) {
        match self.varies {
            Varies::Keys => (row.cell.options.kv.name(), row.cell.options.kv.name()),
            Varies::Weights => {
                let name = row.cell.model.quantisation.value().unwrap_or(&row.model);
                (row.cell.model.sha256.value().unwrap_or(&row.model), name)
            }
        }
    }

    /// The formats, the largest first, each with its rows.
    fn formats(&self) -> Vec<Vec<&'a Row>> {
        let mut formats: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
        for &row in &self.rows {
            formats.entry(self.format(row).0).or_default().push(row);
        }
        let mut formats: Vec<Vec<&Row>> = formats.into_values().collect();
        let size = |rows: &Vec<&Row>| match self.size(rows) {
            Known::Value(size) => size.value,
            Known::Unavailable { .. } => 0.0,
        };
        formats.sort_by(|a, b| size(b).total_cmp(&size(a)));
        formats
    }

    pub(super) fn tradeoff(self, noise: &[Noise]) -> Tradeoff {
        let first = self.rows[0];
        let machine = first.settings.get("machine").cloned().unwrap_or_default();
        let noise = noise.iter().find(|noise| noise.machine == machine);
        let columns = self.columns();
        let formats = self.formats();
        let baseline = &formats[0];
        let candidate = |rows: &Vec<&'a Row>| Candidate {
            label: self.format(rows[0]).1.to_owned(),
            model: rows[0].model.clone(),
            sha256: rows[0].cell.model.sha256.clone(),
            values: columns.iter().map(|column| self.value(rows, column)).collect(),
            changes: vec![None; columns.len()],
        };
        let mut candidates: Vec<Candidate> = formats.iter().map(candidate).collect();
        for (at, rows) in formats.iter().enumerate().skip(1) {
            let change = |(i, column): (usize, &Column)| {
                let values = [&candidates[at].values[i], &candidates[0].values[i]];
                change(column, [rows, baseline], values, noise)
            };
            candidates[at].changes = columns.iter().enumerate().map(change).collect();
        }
        tell_apart(&mut candidates);
        let (fronts, no_fronts) = fronts(&columns, &candidates);
        Tradeoff {
            model: match self.varies {
                Varies::Weights => family(&first.cell.model).to_owned(),
                Varies::Keys => first.model.clone(),
            },
            device: first.member(),
            machine,
            varies: self.varies,
            columns,
            candidates,
            baseline: 0,
            reference: self.reference(),
            fronts,
            no_fronts,
        }
    }

    fn value(&self, rows: &[&Row], column: &Column) -> Known<Quantity> {
        match column.aspect {
            Aspect::Size => self.size(rows),
            Aspect::BitsPerWeight => self.bits(rows),
            _ => measured(row_of(rows, column), column),
        }
    }

    fn columns(&self) -> Vec<Column> {
        let prefill = self.speed_test(|test| matches!(test, Test::Prefill { .. }));
        let decode = self.speed_test(|test| matches!(test, Test::Generate { .. }));
        let mut columns = vec![
            Column::plain(Aspect::Size, None),
            Column::plain(Aspect::BitsPerWeight, None),
            Column::plain(Aspect::Prefill, prefill),
            Column::plain(Aspect::Decode, decode),
            Column::plain(Aspect::Memory, decode.or(prefill)),
            Column::plain(Aspect::Energy, decode),
        ];
        let own = self.rows.iter().filter(|row| is_held_against_itself(row));
        let quality: BTreeSet<Column> = own.flat_map(|row| quality(row)).collect();
        columns.extend(quality.iter().filter(|column| !told_elsewhere(column, &quality)).cloned());
        columns
    }

    /// The test of speed that most formats have a value of: without a context before it where there is such a one, and the longest.
    fn speed_test(&self, is_one: fn(Test) -> bool) -> Option<Test> {
        let mut tests: BTreeMap<Test, usize> = BTreeMap::new();
        for row in self.rows.iter().filter(|row| is_one(row.cell.test)) {
            *tests.entry(row.cell.test).or_default() += usize::from(row.not_ranked.is_none());
        }
        let value = |test: Test| (test.depth() == 0, test.tokens());
        tests.into_iter().max_by_key(|(test, known)| (*known, value(*test))).map(|(test, _)| test)
    }

    /// Bytes of the file, or of one position's keys and values.
    fn size(&self, rows: &[&Row]) -> Known<Quantity> {
        let row = rows[0];
        match self.varies {
            Varies::Weights => {
                let bytes = row.cell.model.file_bytes.clone();
                bytes.map(|bytes| Quantity::exact(bytes as f64, &row.records))
            }
            Varies::Keys => {
                let told = rows.iter().find(|row| row.kv_position_bytes.value().is_some());
                let row = told.unwrap_or(&row);
                row.kv_position_bytes.clone().map(|bytes| Quantity::exact(bytes, &row.records))
            }
        }
    }

    fn bits(&self, rows: &[&Row]) -> Known<Quantity> {
        let row = rows[0];
        match self.varies {
            Varies::Keys => {
                let kv = row.cell.options.kv;
                let block = kv.block_len() as u64;
                let bits = kv.bytes_of(block) as f64 * 8.0 / block as f64;
                Known::Value(Quantity::exact(bits, &row.records))
            }
            Varies::Weights => match (&row.cell.model.tensor_bytes, &row.cell.model.parameters) {
                (Known::Value(bytes), Known::Value(weights)) if *weights > 0 => {
                    let bits = *bytes as f64 * 8.0 / *weights as f64;
                    Known::Value(Quantity::exact(bits, &row.records))
                }
                (bytes, weights) => {
                    let reason = bytes.reason().or(weights.reason());
                    Known::unavailable(reason.unwrap_or("the model has no weights"))
                }
            },
        }
    }

    /// What divergences were measured from.
    fn reference(&self) -> Option<Reference> {
        let divergence = self
            .rows
            .iter()
            .filter(|row| matches!(row.cell.test, Test::Kld { .. }) && is_held_against_itself(row));
        divergence.filter_map(|row| row.quality.as_ref()).find_map(|q| q.reference.clone())
    }
}

/// A candidate's value against the baseline's; scores of quality other than perplexity are told as they are.
fn change(
    column: &Column,
    [rows, baseline]: [&[&Row]; 2],
    [value, base]: [&Known<Quantity>; 2],
    noise: Option<&Noise>,
) -> Option<Change> {
    let (value, base) = (value.value()?, base.value()?);
    match column.aspect {
        Aspect::Quality(Metric::Perplexity) => {
            Change::of_perplexities(row_of(rows, column)?, row_of(baseline, column)?)
        }
        Aspect::Quality(_) => None,
        Aspect::Prefill | Aspect::Decode => {
            Change::of_speeds(row_of(rows, column)?, row_of(baseline, column)?, noise)
        }
        _ => Change::of_values(value, base),
    }
}

/// Two files of one format go by their models' names.
fn tell_apart(candidates: &mut [Candidate]) {
    let labels: Vec<String> = candidates.iter().map(|c| c.label.clone()).collect();
    for candidate in candidates {
        if labels.iter().filter(|label| **label == candidate.label).count() > 1 {
            candidate.label = candidate.model.clone();
        }
    }
}

/// The columns a row of a test of quality has values for.
fn quality(row: &Row) -> Vec<Column> {
    let told = row.metrics.keys().filter(|metric| SCORES.contains(metric));
    let column = |metric: &Metric| Column {
        aspect: Aspect::Quality(*metric),
        test: Some(row.cell.test),
        data: row.settings.get("data").cloned(),
        reference: row.settings.get("reference").cloned(),
    };
    told.map(column).collect()
}

/// A test of divergence tells the perplexity of its text too, which a test of its own may have told.
fn told_elsewhere(column: &Column, all: &BTreeSet<Column>) -> bool {
    let by_product = matches!(column.test, Some(Test::Kld { .. }))
        && column.aspect == Aspect::Quality(Metric::Perplexity);
    by_product
        && all.iter().any(|other| {
            other.aspect == column.aspect
                && other.data == column.data
                && matches!(other.test, Some(Test::Perplexity { .. }))
        })
}

/// The row that a column is about.
fn row_of<'a>(rows: &[&'a Row], column: &Column) -> Option<&'a Row> {
    let same = |row: &&Row| {
        Some(row.cell.test) == column.test
            && row.settings.get("data") == column.data.as_ref()
            && row.settings.get("reference") == column.reference.as_ref()
    };
    rows.iter().copied().find(same)
}

/// What was measured, where it is proven.
fn measured(row: Option<&Row>, column: &Column) -> Known<Quantity> {
    let Some(row) = row else { return Known::unavailable("not asked for") };
    let (metric, doubt) = match column.aspect {
        Aspect::Quality(metric) => (metric, no_quality(row)),
        Aspect::Memory => (Metric::PeakRssBytes, None),
        Aspect::Energy => (Metric::JoulesPerToken, row.not_ranked.clone()),
        _ => (Metric::TokensPerSecond, row.not_ranked.clone()),
    };
    if let Some(reason) = doubt {
        return Known::unavailable(reason);
    }
    match row.metrics.get(&metric) {
        Some(value) => value.clone().map(|e| Quantity::estimated(e, &row.records)),
        None => Known::unavailable("not told"),
    }
}

/// Why a score says nothing of the weights, if so. That a device is no hardware takes nothing from what it answers.
fn no_quality(row: &Row) -> Option<String> {
    if let Some(random) = &row.cell.model.random_weights {
        return Some(random.clone());
    }
    match &row.verification.status {
        VerificationStatus::Passed => None,
        _ if !row.outcome.is_ok() => None,
        VerificationStatus::Failed => Some("verification failed".to_owned()),
        VerificationStatus::Skipped { reason } => Some(format!("not verified: {reason}")),
    }
}
