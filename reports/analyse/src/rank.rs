//! Ranking: which device is the fastest, with ties shown as ties.

use std::collections::BTreeMap;

use yardstick_record::{Direction, Metric, Test};

use crate::{Choice, Difference, Noise, Ratio, Row, Versus};

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
    /// How many of the first share first place: their ratio to the best shows no difference.
    pub tied: usize,
    /// The best against the first that does not share its place, as a ratio of speeds; `None` where all tie.
    pub lead: Option<Ratio>,
    /// First place is proven: there is no one else, or every ratio to the best has an interval over launches.
    pub proven: bool,
}

/// Ranks every row that may be ranked, in the order of the rows.
pub(crate) fn rank(rows: &[Row], noise: &[Noise]) -> Vec<Ranking> {
    let mut place: BTreeMap<(String, String, Test, usize), usize> = BTreeMap::new();
    let mut rankings: Vec<Ranking> = Vec::new();
    for (index, row) in rows.iter().enumerate() {
        let headline = row.headline();
        // Of hard inputs all that is expected is all of them: there is no first place.
        let speed = !headline.is_score() && headline != yardstick_record::Metric::ChecksPassed;
        let speed = speed && row.estimate(headline).is_some();
        if row.not_ranked.is_some() || !speed {
            continue;
        }
        let machine = row.settings.get("machine").cloned().unwrap_or_default();
        let (model, test) = (row.model.clone(), row.cell.test);
        let sequences = row.cell.options.sequences;
        let data = row.settings.get("data").cloned().unwrap_or_default();
        let key = (machine.clone(), format!("{model}|{data}"), test, sequences);
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
                lead: None,
                proven: true,
            });
            rankings.len() - 1
        });
        rankings[at].order.push(index);
    }
    for ranking in &mut rankings {
        let noise = noise.iter().find(|noise| noise.machine == ranking.machine);
        settle(ranking, rows, noise);
    }
    rankings
}

/// Sorts best first and decides what is a tie.
fn settle(ranking: &mut Ranking, rows: &[Row], noise: Option<&Noise>) {
    let estimate = |row: usize| rows[row].estimate(ranking.metric);
    let speed = |row: usize| estimate(row).map_or(f64::NAN, |e| e.median);
    let mut order = ranking.order.clone();
    match ranking.metric.direction() {
        Direction::Higher => order.sort_by(|&a, &b| speed(b).total_cmp(&speed(a))),
        Direction::Lower => order.sort_by(|&a, &b| speed(a).total_cmp(&speed(b))),
    }
    let best = order[0];
    let versus: Vec<Option<Versus>> = order[1..]
        .iter()
        .map(|&row| Versus::between(&rows[row], (&rows[best], best), Choice::Fastest, noise))
        .collect();
    let interval = |row: usize| estimate(row).and_then(|e| e.interval.value());
    let ties = |row: usize, versus: &Option<Versus>| match versus.as_ref().map(|v| v.difference) {
        Some(Difference::NotShown | Difference::BelowNoise) => true,
        Some(Difference::Shown) => false,
        // One launch of each: what its samples tell is not proof, but where even they overlap it is a tie.
        Some(Difference::NoInterval) | None => match (interval(best), interval(row)) {
            (Some(best), Some(other)) => best.overlaps(other),
            _ => false,
        },
    };
    let proven =
        |v: &Option<Versus>| v.as_ref().is_some_and(|v| v.ratio.interval.value().is_some());
    ranking.proven = versus.iter().all(proven);
    // A wide interval far down may hold 1 where a narrow one above it does not: all that do tie.
    let (tied, rest): (Vec<_>, Vec<_>) =
        order[1..].iter().zip(&versus).partition(|(row, versus)| ties(**row, versus));
    ranking.tied = 1 + tied.len();
    let next = rest.first().and_then(|(_, versus)| versus.as_ref());
    ranking.lead = next.map(|versus| versus.speed().inverse());
    let others = tied.into_iter().chain(rest).map(|(row, _)| *row);
    ranking.order = std::iter::once(best).chain(others).collect();
}
