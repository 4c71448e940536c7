//! Counts of outcomes with Clopper–Pearson intervals, as markdown.

use std::fmt::Write;

use yardstick_analyse::gate::clopper_pearson;

use crate::case::{Case, Wanted};
use crate::log::Trial;

/// Trials of one case under one condition, or under all.
pub(crate) struct Row<'a> {
    pub(crate) case: Case,
    pub(crate) condition: &'a str,
    pub(crate) trials: Vec<&'a Trial>,
}

/// A line for every condition and one for all.
pub(crate) fn rows(trials: &[Trial]) -> Vec<Row<'_>> {
    let mut cases: Vec<Case> = Vec::new();
    let mut conditions = vec!["all"];
    for trial in trials {
        if let Ok(case) = Case::of(&trial.case)
            && !cases.contains(&case)
        {
            cases.push(case);
        }
        if !conditions.contains(&trial.condition.as_str()) {
            conditions.push(&trial.condition);
        }
    }
    let order = |case: &Case| (case.percent().is_none(), case.percent().unwrap_or(0.0) as i64);
    cases.sort_by(|a, b| order(a).cmp(&order(b)).then_with(|| a.name.cmp(&b.name)));
    let mut rows = Vec::new();
    for case in cases {
        for &condition in &conditions {
            let of = |t: &&Trial| {
                t.case == case.name && (condition == "all" || t.condition == condition)
            };
            let trials: Vec<&Trial> = trials.iter().filter(of).collect();
            if !trials.is_empty() {
                rows.push(Row { case: case.clone(), condition, trials });
            }
        }
    }
    rows
}

impl Row<'_> {
    pub(crate) fn count(&self, outcome: &str) -> usize {
        self.trials.iter().filter(|trial| trial.outcome == outcome).count()
    }
}

pub(crate) fn of(trials: &[Trial]) -> String {
    let mut text = String::from(
        "| candidate | beside | trials | failed | 95 % interval | passed | inconclusive | median estimate | median s | should |\n\
         | --- | --- | ---: | ---: | --- | ---: | ---: | ---: | ---: | --- |\n",
    );
    for row in rows(trials) {
        let n = row.trials.len();
        let failed = row.count("slower");
        let percent = |share: f64| format!("{:.1} %", 100.0 * share);
        let interval = clopper_pearson(failed, n, 0.95).map_or_else(
            || "–".to_owned(),
            |interval| format!("{} to {}", percent(interval.low), percent(interval.high)),
        );
        let estimate = median(row.trials.iter().filter_map(|trial| trial.estimate));
        let estimate = estimate.map_or_else(|| "–".to_owned(), |e| format!("{:+.2} %", 100.0 * e));
        let seconds = median(row.trials.iter().map(|trial| trial.seconds)).unwrap_or(f64::NAN);
        let should = match row.case.wanted() {
            Wanted::NoAlarm => "not fail",
            Wanted::Alarm => "fail",
            Wanted::Either => "either",
        };
        let _ = writeln!(
            text,
            "| {} | {} | {n} | {failed} | {interval} | {} | {} | {estimate} | {seconds:.0} | {should} |",
            row.case.name,
            row.condition,
            row.count("passed"),
            row.count("inconclusive"),
        );
    }
    text
}

pub(crate) fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied()
}
