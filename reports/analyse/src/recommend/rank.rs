//! Ranking and front: ties stay ties, and an axis on which values are missing says so.

use serde::Serialize;
use yardstick_api::Known;
use yardstick_record::Direction;

use super::{Figure, Judged, Outcome, What};
use crate::Standing;
use crate::tradeoff::pareto::{Cost, standings};

/// A place of the ranking.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Place {
    /// Place from 1; shared by all that are not shown to be worse than the best of it.
    pub place: usize,
    /// Index of the candidate.
    pub candidate: usize,
    /// Others share it.
    pub tied: bool,
}

/// An axis of the front.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Axis {
    /// Cost, speed, energy or quality.
    pub name: &'static str,
    /// By what it is told; or why there is none.
    pub what: Known<What>,
}

/// What a front weighs, the most telling quantity of each first.
const AXES: [(&str, &[What]); 4] = [
    ("cost", &[What::TotalCost, What::Price]),
    ("speed", &[What::TokensPerSecond]),
    ("energy", &[What::JoulesPerToken, What::Watts]),
    ("quality", &[What::KldMean, What::PerplexityRatio, What::Accuracy]),
];

/// Cost where all that meet every requirement have one, else energy, else speed.
pub(super) fn default_axis(judged: &[Judged]) -> What {
    let all = |what: &What| {
        let mut meets = meeting(judged).peekable();
        meets.peek().is_some() && meets.all(|(_, one)| one.figure(*what).value().is_some())
    };
    let order = [What::TotalCost, What::JoulesPerToken];
    order.into_iter().find(all).unwrap_or(What::TokensPerSecond)
}

fn meeting(judged: &[Judged]) -> impl Iterator<Item = (usize, &Judged)> {
    judged.iter().enumerate().filter(|(_, one)| one.outcome == Outcome::Meets)
}

/// Less is better.
fn cost(figure: &Figure, better: Direction) -> Cost {
    match better {
        Direction::Lower => Cost { value: figure.value, range: figure.range },
        Direction::Higher => {
            let range = figure.range.map(|(low, high)| (-high, -low));
            Cost { value: -figure.value, range }
        }
    }
}

/// Those that meet every requirement and have a value, best first.
pub(super) fn places(judged: &[Judged], by: What) -> Vec<Place> {
    let mut left: Vec<(usize, Cost)> = meeting(judged)
        .filter_map(|(at, one)| Some((at, cost(one.figure(by).value()?, by.direction()))))
        .collect();
    left.sort_by(|a, b| a.1.value.total_cmp(&b.1.value));
    let mut places = Vec::new();
    while let Some((_, best)) = left.first().copied() {
        let (here, rest): (Vec<_>, Vec<_>) =
            left.into_iter().enumerate().partition(|(i, (_, c))| *i == 0 || !best.shown_less(*c));
        let place = places.len() + 1;
        let tied = here.len() > 1;
        places.extend(here.iter().map(|(_, (candidate, _))| Place {
            place,
            candidate: *candidate,
            tied,
        }));
        left = rest.into_iter().map(|(_, one)| one).collect();
    }
    places
}

/// Axes that all have a value on, and every standing over them.
pub(super) fn front(judged: &[Judged]) -> (Vec<Axis>, Vec<(usize, Standing)>) {
    let meets: Vec<(usize, &Judged)> = meeting(judged).collect();
    let axes = AXES.map(|(name, order)| Axis { name, what: axis(&meets, order) });
    // What cannot be told weighs nothing for anyone.
    let none = Cost { value: 0.0, range: Some((0.0, 0.0)) };
    let points: Vec<Result<[Cost; 4], String>> = meets
        .iter()
        .map(|(_, one)| {
            Ok(axes.each_ref().map(|axis| match axis.what.value() {
                Some(&what) => {
                    one.figure(what).value().map_or(none, |figure| cost(figure, what.direction()))
                }
                None => none,
            }))
        })
        .collect();
    // Standings point at points; candidates are what people are shown.
    let to = |list: Vec<usize>| list.into_iter().map(|i| meets[i].0).collect();
    let standings = standings(&points).into_iter().map(|standing| match standing {
        Standing::Tied(with) => Standing::Tied(to(with)),
        Standing::Dominated(by) => Standing::Dominated(to(by)),
        other => other,
    });
    let front = meets.iter().map(|(at, _)| *at).zip(standings).collect();
    (axes.to_vec(), front)
}

/// The first quantity that all have; else what one lacks of the first.
fn axis(meets: &[(usize, &Judged)], order: &[What]) -> Known<What> {
    let lacks = |what: What| {
        meets.iter().find_map(|(_, one)| match one.figure(what) {
            Known::Value(_) => None,
            Known::Unavailable { unavailable } => Some((one.candidate.name(), unavailable)),
        })
    };
    let whole = order.iter().copied().find(|&what| !meets.is_empty() && lacks(what).is_none());
    match (whole, order.first().and_then(|&what| lacks(what))) {
        (Some(what), _) => Known::Value(what),
        (None, Some((name, reason))) => Known::unavailable(format!("{name}: {reason}")),
        (None, None) => Known::unavailable("nothing meets every requirement"),
    }
}
