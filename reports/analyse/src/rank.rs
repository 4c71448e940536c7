//! Ranking: which device is the fastest, with ties shown as ties.

use std::collections::BTreeMap;

use yardstick_record::{Direction, Metric, Test};

use crate::Row;

/// The rows that may be compared for speed: one machine, model, test and number of sequences.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranking {
    /// Machine.
    pub machine: String,
    /// Model.
    pub model: String,
    /// Test.
    pub test: Test,
    /// Sequences at once.
    pub sequences: usize,
    /// What is compared.
    pub metric: Metric,
    /// Rows of the comparison, best first.
    pub order: Vec<usize>,
    /// How many of the first share first place: their intervals overlap the best one's.
    pub tied: usize,
    /// First place is proven: there is no one else, or every interval is known.
    pub proven: bool,
}

/// Ranks every row that may be ranked, in the order of the rows.
pub(crate) fn rank(rows: &[Row]) -> Vec<Ranking> {
    let mut place: BTreeMap<(String, String, Test, usize), usize> = BTreeMap::new();
    let mut rankings: Vec<Ranking> = Vec::new();
    for (index, row) in rows.iter().enumerate() {
        if row.not_ranked.is_some() || row.estimate(row.headline()).is_none() {
            continue;
        }
        let machine = row.settings.get("machine").cloned().unwrap_or_default();
        let (model, test) = (row.model.clone(), row.cell.test);
        let sequences = row.cell.options.sequences;
        let key = (machine.clone(), model.clone(), test, sequences);
        let at = *place.entry(key).or_insert_with(|| {
            let metric = row.headline();
            let order = Vec::new();
            rankings.push(Ranking {
                machine,
                model,
                test,
                sequences,
                metric,
                order,
                tied: 0,
                proven: true,
            });
            rankings.len() - 1
        });
        rankings[at].order.push(index);
    }
    for ranking in &mut rankings {
        settle(ranking, rows);
    }
    rankings
}

/// Sorts best first and decides what is a tie.
fn settle(ranking: &mut Ranking, rows: &[Row]) {
    let estimate = |row: usize| rows[row].estimate(ranking.metric);
    let speed = |row: usize| estimate(row).map_or(f64::NAN, |e| e.median);
    let mut order = ranking.order.clone();
    match ranking.metric.direction() {
        Direction::Higher => order.sort_by(|&a, &b| speed(b).total_cmp(&speed(a))),
        Direction::Lower => order.sort_by(|&a, &b| speed(a).total_cmp(&speed(b))),
    }
    let interval = |row: usize| estimate(row).and_then(|e| e.interval.value());
    let ties = |row: usize| match (interval(order[0]), interval(row)) {
        (Some(best), Some(other)) => best.overlaps(other),
        _ => false,
    };
    // A wide interval far down may overlap where a narrow one above it does not: all that overlap tie.
    let (mut first, rest): (Vec<usize>, Vec<usize>) =
        order.iter().copied().partition(|&row| row == order[0] || ties(row));
    let proven = order.len() == 1 || order.iter().all(|&row| interval(row).is_some());
    let tied = first.len();
    first.extend(rest);
    (ranking.order, ranking.tied, ranking.proven) = (first, tied, proven);
}
