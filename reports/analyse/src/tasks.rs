//! Scores of the tasks within a set of questions: what one number for all of them hides.

use std::collections::BTreeMap;

use yardstick_api::Known;

use crate::{CONFIDENCE, Estimate, Interval, Method, Row, UnitOfStatistics};

/// Standard errors to either side that hold 95 % of a normal distribution.
const REACH: f64 = 1.959_964;

/// A task's score.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskScore<'a> {
    /// As the questions name it.
    pub task: &'a str,
    /// Right answers.
    pub right: usize,
    /// Answers that could be right.
    pub n: usize,
    /// Share of right answers, percent, with Wilson's 95 % interval: unlike the normal one it stays between 0 and 100 and
    /// has a width where all are right.
    ///
    /// Source: E. B. Wilson, Probable inference, Journal of the American Statistical Association 22 (1927).
    pub accuracy: Estimate,
}

/// The tasks of a row's questions by name; empty where no question names one.
pub fn task_scores(row: &Row) -> Vec<TaskScore<'_>> {
    let answers = row.quality.iter().flat_map(|quality| &quality.answers);
    let mut tasks: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for answer in answers {
        if let (Some(task), Some(right)) = (&answer.task, answer.right) {
            let (found, n) = tasks.entry(task).or_default();
            *found += usize::from(right);
            *n += 1;
        }
    }
    let score = |(task, (right, n))| TaskScore { task, right, n, accuracy: accuracy(right, n) };
    tasks.into_iter().map(score).collect()
}

fn accuracy(right: usize, n: usize) -> Estimate {
    let (count, share) = (n as f64, right as f64 / n as f64);
    let square = REACH * REACH;
    let centre = (share + square / (2.0 * count)) / (1.0 + square / count);
    let spread = (share * (1.0 - share) / count + square / (4.0 * count * count)).sqrt();
    let half = REACH * spread / (1.0 + square / count);
    Estimate {
        median: 100.0 * share,
        interval: Known::Value(Interval {
            low: 100.0 * (centre - half).max(0.0),
            high: 100.0 * (centre + half).min(1.0),
            confidence: CONFIDENCE,
        }),
        n,
        unit_of_statistics: UnitOfStatistics::PositionsOrAnswers,
        method: Method::Normal,
    }
}
