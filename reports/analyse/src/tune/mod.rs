//! Tuning: which settings to measure next, and which win, from what was measured so far. Measures nothing.
//!
//! Models are screened where the search starts; those ahead are varied one setting at a time; what helped is combined; and the
//! finalists are measured again, over several launches, for the decision. One setting at a time is linear in their number where
//! a cross product is not; what it cannot see, two settings that only help together, is the price, and is said.

mod point;

use std::collections::HashSet;

use serde::Serialize;
use yardstick_api::Known;
use yardstick_record::Direction;

pub use point::{Point, Space, numerics_name};

use crate::Comparison;
use crate::recommend::{
    Figure, Finding, Judged, Needs, Outcome, Recommendation, Requirement, What, recommend,
};

/// What was measured, judged by what can be judged here.
#[derive(Clone, Debug, Serialize)]
pub struct Standings {
    /// Every candidate against the needs that remain.
    pub found: Recommendation,
    /// Needs that no candidate has a figure for, with the reason of the first.
    pub set_aside: Vec<(Requirement, String)>,
    /// What was to decide and is not known of any candidate, with the reason of the first.
    pub undecided: Option<(What, String)>,
}

impl Standings {
    /// Candidates against needs. A need that nothing here can tell anything about would keep every candidate from being chosen: it is
    /// set aside and told.
    pub fn of(comparison: &Comparison, needs: &Needs, seed: u64) -> Standings {
        let all = recommend(comparison, Vec::new(), needs.clone(), seed);
        let mut set_aside = Vec::new();
        for requirement in &needs.requirements {
            let mut findings = able(&all)
                .filter_map(|one| one.findings.iter().find(|f| f.requirement == *requirement));
            let first = findings.next();
            let judged =
                first.is_some_and(|f| f.met.is_some()) || findings.any(|f| f.met.is_some());
            if let (Some(first), false) = (first, judged) {
                let reason = first.found.reason().unwrap_or("no figure").to_owned();
                set_aside.push((*requirement, reason));
            }
        }
        let undecided = needs.rank_by.and_then(|by| {
            let figures: Vec<Known<Figure>> = able(&all).map(|one| one.figure(by)).collect();
            let none = figures.iter().all(|figure| figure.value().is_none());
            let reason = figures.first()?.reason()?.to_owned();
            none.then_some((by, reason))
        });
        if set_aside.is_empty() && undecided.is_none() {
            return Standings { found: all, set_aside, undecided };
        }
        let mut left = needs.clone();
        left.requirements.retain(|one| !set_aside.iter().any(|(other, _)| other == one));
        if undecided.is_some() {
            left.rank_by = None;
        }
        Standings { found: recommend(comparison, Vec::new(), left, seed), set_aside, undecided }
    }

    /// Points from best to worst: those that meet the needs, then those that cannot be judged, then those that miss by least;
    /// among equals by what decides. What may not be ranked is not among them.
    pub fn order(&self) -> Vec<(Point, &Judged)> {
        let mut all: Vec<(Point, &Judged)> =
            able(&self.found).filter_map(|one| Some((Point::of(&one.candidate)?, one))).collect();
        all.sort_by(|(_, a), (_, b)| {
            self.rank(a).partial_cmp(&self.rank(b)).unwrap_or(std::cmp::Ordering::Equal)
        });
        all
    }

    /// Less is better.
    fn rank(&self, one: &Judged) -> (u8, f64, f64) {
        let class = match one.outcome {
            Outcome::Meets => 0,
            Outcome::Open => 1,
            Outcome::Misses | Outcome::Barred => 2,
        };
        let missed: f64 = one.findings.iter().filter_map(missed_by).sum();
        (class, missed, self.cost(one).unwrap_or(f64::MAX))
    }

    /// What decides, less is better.
    fn cost(&self, one: &Judged) -> Option<f64> {
        let by = self.found.rank_by;
        let figure = one.figure(by);
        let value = figure.value()?.value;
        Some(if by.direction() == Direction::Higher { -value } else { value })
    }

    /// The models ahead, best first, none that misses the needs by more than `allowance` (a share) where another does not.
    pub fn models(&self, most: usize, allowance: f64) -> Vec<String> {
        let order = self.order();
        let hopeless = |one: &Judged| {
            one.findings.iter().filter_map(missed_by).any(|missed| missed > allowance)
        };
        let any = order.iter().any(|(_, one)| !hopeless(one));
        let mut seen = HashSet::new();
        let names = order.iter().filter(|(_, one)| !any || !hopeless(one)).map(|(p, _)| &p.model);
        names.filter(|name| seen.insert(*name)).take(most).cloned().collect()
    }

    /// What goes into the last round: for each model where it started, the best of its points, and what helped put together.
    pub fn finalists(&self, models: &[String], space: &Space) -> Vec<Point> {
        let order = self.order();
        let place = |point: &Point| order.iter().position(|(other, _)| other == point);
        let mut chosen: Vec<Point> = Vec::new();
        for model in models {
            let start = space.start(model);
            let own = order.iter().map(|(point, _)| point).find(|point| point.model == *model);
            let better: Vec<&Point> = {
                let ahead = place(&start).unwrap_or(order.len());
                order[..ahead]
                    .iter()
                    .map(|(point, _)| point)
                    .filter(|p| p.model == *model)
                    .collect()
            };
            for point in [Some(start.clone()), own.cloned(), Some(combined(&start, &better))] {
                if let Some(point) = point.filter(|point| !chosen.contains(point)) {
                    chosen.push(point);
                }
            }
        }
        chosen
    }
}

/// Candidates that may be ranked.
fn able(found: &Recommendation) -> impl Iterator<Item = &Judged> {
    found.judged.iter().filter(|one| one.outcome != Outcome::Barred)
}

/// How far a bound is missed, as a share of it; nothing where it is kept or not known.
fn missed_by(finding: &Finding) -> Option<f64> {
    let missed = finding.met == Some(false);
    missed.then(|| finding.margin.map_or(1.0, |margin| (-margin).max(0.0)))
}

/// The start with each setting as in the best of the points that differ from it there. `better`: best first.
fn combined(start: &Point, better: &[&Point]) -> Point {
    let mut all = start.clone();
    for point in better.iter().rev() {
        if point.threads != start.threads {
            all.threads = point.threads;
        }
        if point.kv != start.kv {
            all.kv = point.kv;
        }
        if point.numerics != start.numerics {
            all.numerics = point.numerics;
        }
        if point.sequences != start.sequences {
            all.sequences = point.sequences;
        }
    }
    all
}

/// How a search came to its end.
#[derive(Clone, Debug, Serialize)]
pub struct Tuned {
    /// The device.
    pub device: String,
    /// What was measured in each round, in order.
    pub rounds: Vec<Round>,
    /// What was to be tried and was not, with the reason.
    pub left_out: Vec<String>,
    /// The last round, judged: what decides.
    pub standings: Standings,
    /// All rounds, judged.
    pub all: Standings,
    /// The finalists.
    pub finalists: Vec<Point>,
    /// The best finalist, and whether its figures say so; none where nothing was measured that may be ranked.
    pub winner: Option<Winner>,
}

/// A round of the search.
#[derive(Clone, Debug, Serialize)]
pub struct Round {
    /// `screening`
    pub name: String,
    /// The run its records are of.
    pub run: String,
    /// Points asked for.
    pub points: usize,
    /// Launches of each.
    pub launches: u32,
    /// How long it took.
    pub seconds: f64,
    /// Share of its samples that ran while others, or heat, disturbed them.
    pub disturbed: f64,
}

/// The best finalist.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Winner {
    /// Its settings.
    pub point: Point,
    /// It meets every need that can be judged.
    pub outcome: Outcome,
    /// Finalists that are not shown to be worse.
    pub tied: Vec<Point>,
}

/// The first of the finalists; among those whose intervals meet that of the first the one with the fewest changes to where the search
/// started. A finalist without an interval is told as tied and never put before a better value.
pub fn winner(standings: &Standings, finalists: &[Point], space: &Space) -> Option<Winner> {
    let order: Vec<(Point, &Judged)> =
        standings.order().into_iter().filter(|(point, _)| finalists.contains(point)).collect();
    let (best, judged) = order.first()?;
    let same: Vec<&(Point, &Judged)> = order
        .iter()
        .filter(|(point, one)| point != best && one.outcome == judged.outcome)
        .filter(|(_, one)| !shown_worse(standings, judged, one))
        .collect();
    let by = standings.found.rank_by;
    let ranged = |one: &Judged| one.figure(by).value().is_some_and(|f| f.range.is_some());
    // Another model is no smaller change; it stays a tie, told beside.
    let simpler = same
        .iter()
        .filter(|(point, one)| point.model == best.model && ranged(one) && ranged(judged))
        .map(|(point, _)| point);
    let simplest = simpler.chain([best]).min_by_key(|point| space.changes(point))?.clone();
    let tied = same.iter().map(|(point, _)| point).chain([best]).filter(|p| **p != simplest);
    Some(Winner { outcome: judged.outcome, tied: tied.cloned().collect(), point: simplest })
}

/// Their ranges of what decides do not meet.
fn shown_worse(standings: &Standings, best: &Judged, other: &Judged) -> bool {
    let by = standings.found.rank_by;
    let (Known::Value(one), Known::Value(two)) = (best.figure(by), other.figure(by)) else {
        return other.figure(by).value().is_none();
    };
    match (one.range, two.range, by.direction()) {
        (Some((low, _)), Some((_, high)), Direction::Higher) => high < low,
        (Some((_, high)), Some((low, _)), Direction::Lower) => low > high,
        _ => false,
    }
}
