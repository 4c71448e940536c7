//! Skipped cells that share a reason: a line for all of them instead of a row each, so that what was measured stands out.

use std::collections::BTreeMap;

use yardstick_analyse::{Comparison, Row, describe};
use yardstick_record::Outcome;

use crate::text::elide;

/// Cells of one reason that stay rows.
const FEW: usize = 1;
/// Names written out; of more, the count.
const NAMES: usize = 3;
/// Characters of a name.
const NAME: usize = 40;
/// Characters of a reason.
const REASON: usize = 400;

/// Skipped cells of one reason.
pub(crate) struct Fold<'a> {
    rows: Vec<&'a Row>,
    reason: String,
}

impl Fold<'_> {
    /// `15 cells of wgpu:0 (3 models, 5 tests) skipped: no Vulkan driver was found; fix: ...`.
    pub(crate) fn line(&self) -> String {
        let devices = self.named("devices", |row| row.member());
        let models = self.named("models", |row| row.model.clone());
        let tests = self.named("tests", |row| row.cell.test.to_string());
        format!("{} cells of {devices} ({models}; {tests}) {}", self.rows.len(), self.reason)
    }

    /// Every cell it stands for: `wgpu:0, smollm-135m:Q4_0: pp128, tg64`.
    pub(crate) fn cells(&self) -> Vec<String> {
        let mut tests: BTreeMap<(String, &str), Vec<String>> = BTreeMap::new();
        for row in &self.rows {
            tests.entry((row.member(), &row.model)).or_default().push(row.cell.test.to_string());
        }
        let line = |((device, model), tests): ((String, &str), Vec<String>)| {
            let tests = tests.join(", ");
            format!("{}, {}: {}", elide(&device, NAME), elide(model, NAME), elide(&tests, REASON))
        };
        tests.into_iter().map(line).collect()
    }

    /// The distinct names in the order of rows, or how many there are.
    fn named(&self, what: &str, name: impl Fn(&Row) -> String) -> String {
        let mut names: Vec<String> = Vec::new();
        for row in &self.rows {
            let name = name(row);
            if !names.contains(&name) {
                names.push(name);
            }
        }
        if names.len() > NAMES {
            return format!("{} {what}", names.len());
        }
        names.iter().map(|name| elide(name, NAME)).collect::<Vec<_>>().join(", ")
    }
}

/// The rows that stand in tables for people, and what the others are folded into, in the order of rows.
pub(crate) fn fold(comparison: &Comparison) -> (Vec<&Row>, Vec<Fold<'_>>) {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for reason in comparison.rows.iter().filter_map(skipped) {
        *counts.entry(reason).or_default() += 1;
    }
    let mut standing = Vec::new();
    let mut folds: Vec<Fold<'_>> = Vec::new();
    for row in &comparison.rows {
        let Some(reason) = skipped(row).filter(|reason| counts.get(reason) > Some(&FEW)) else {
            standing.push(row);
            continue;
        };
        let reason = elide(&reason, REASON);
        match folds.iter_mut().find(|fold| fold.reason == reason) {
            Some(fold) => fold.rows.push(row),
            None => folds.push(Fold { rows: vec![row], reason }),
        }
    }
    (standing, folds)
}

/// Why it was skipped, if it was.
fn skipped(row: &Row) -> Option<String> {
    matches!(row.outcome, Outcome::Skipped { .. }).then(|| describe(&row.outcome))
}
