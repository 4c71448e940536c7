//! Decision stability: the ranking again in worlds drawn from intervals, prices and workload, and the measurement that would settle it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::cost::derived;
use super::figure::{Basis, Figure};
use super::judge::{DERIVED, is_met, requirements};
use super::need::{Needs, Requirement, Spans, What, Workload};
use super::rank::Place;
use super::{Judged, Outcome};
use yardstick_record::Direction;

/// Standard errors to either side that hold 95 % of a normal distribution.
const REACH: f64 = 1.959_964;
/// Candidates whose figures are tried one by one as the next measurement.
const MOST_TRIED: usize = 8;
/// A share of worlds that a figure moves less than is not worth measuring for.
const LEAST_GAIN: f64 = 0.01;

/// How firm a decision is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Stability {
    /// Worlds drawn.
    pub worlds: usize,
    /// The seed they were drawn from.
    pub seed: u64,
    /// Candidate and the share of worlds in which it is first, the most frequent first.
    pub wins: Vec<(usize, f64)>,
    /// Share of worlds in which nothing meets every requirement.
    pub none: f64,
    /// Figures without an interval, drawn within an assumed span.
    pub assumed: usize,
    /// The measurement most worth making next.
    pub next: Option<Next>,
    /// The share of its speed below which the first loses its place, and to whom, where it was never held for minutes.
    pub unsoaked: Option<(f64, Option<usize>)>,
}

/// A measurement.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Next {
    /// Of which candidate.
    pub candidate: usize,
    /// Of what.
    pub what: What,
    /// The first's share of worlds, were this known to be what it seems; none where it is not judged at all today.
    pub share: Option<f64>,
    /// What is known of it today.
    pub basis: Option<Basis>,
}

/// Tries the decision in many worlds.
pub(super) fn stability(
    judged: &[Judged],
    needs: &Needs,
    (by, places): (What, &[Place]),
    seed: u64,
) -> Option<Stability> {
    let first = places.first()?.candidate;
    let trial = Trial::of(judged, needs, by, seed);
    let wins = trial.wins(None);
    let share = |count: usize| count as f64 / needs.spans.worlds as f64;
    let mut shares: Vec<(usize, f64)> =
        wins.iter().filter_map(|(&who, &n)| Some((who?, share(n)))).collect();
    shares.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    Some(Stability {
        worlds: needs.spans.worlds,
        seed,
        none: wins.get(&None).map_or(0.0, |n| share(*n)),
        assumed: trial.assumed(),
        next: trial.next(judged, first, &shares),
        unsoaked: trial.unsoaked(judged, first),
        wins: shares,
    })
}

/// Figures with their spreads, and the draws of every world.
struct Trial<'a> {
    players: Vec<Player>,
    work: &'a Workload,
    requirements: Vec<Requirement>,
    spans: Spans,
    by: What,
    seed: u64,
}

/// Someone who may be first.
struct Player {
    /// Index of the candidate.
    at: usize,
    /// The first of its machine: what costs the same is drawn once.
    home: usize,
    inputs: Vec<(What, Input)>,
}

#[derive(Clone, Copy)]
struct Input {
    value: f64,
    /// Standard deviation of the logarithm.
    spread: f64,
    assumed: bool,
    basis: Basis,
}

impl<'a> Trial<'a> {
    /// Those of which every requirement can be judged: the others are in no world.
    fn of(judged: &[Judged], needs: &'a Needs, by: What, seed: u64) -> Trial<'a> {
        let can = |one: &Judged| {
            matches!(one.outcome, Outcome::Meets | Outcome::Misses)
                && one.findings.iter().all(|finding| finding.met.is_some())
                && one.figure(by).value().is_some()
        };
        let players = judged.iter().enumerate().filter(|(_, one)| can(one)).map(|(at, one)| {
            let known = one.candidate.figures.iter().filter_map(|(w, f)| Some((*w, f.value()?)));
            let same = |other: &Judged| other.candidate.machine == one.candidate.machine;
            Player {
                at,
                home: judged.iter().position(same).unwrap_or(at),
                inputs: known.map(|(w, f)| (w, input(w, f, &needs.spans))).collect(),
            }
        });
        Trial {
            players: players.collect(),
            work: &needs.workload,
            requirements: requirements(needs).collect(),
            spans: needs.spans,
            by,
            seed,
        }
    }

    fn assumed(&self) -> usize {
        self.players.iter().flat_map(|p| &p.inputs).filter(|(_, i)| i.assumed).count()
    }

    /// Who is first, and how often; `known`: this figure of this candidate is what it seems.
    fn wins(&self, known: Option<(usize, What)>) -> BTreeMap<Option<usize>, usize> {
        let mut wins = BTreeMap::new();
        for world in 0..self.spans.worlds {
            *wins.entry(self.first(Some(world as u64), known, None)).or_insert(0) += 1;
        }
        wins
    }

    /// The best of a world that meets every requirement; `None` for the world as it seems. `slow`: a candidate's share of its speed.
    fn first(
        &self,
        world: Option<u64>,
        known: Option<(usize, What)>,
        slow: Option<(usize, f64)>,
    ) -> Option<usize> {
        let factor = |key: u64, spread: f64| match world {
            Some(world) => (spread * normal(self.seed, world, key)).exp(),
            None => 1.0,
        };
        let mut work = self.work.clone();
        work.tokens_per_day =
            work.tokens_per_day.map(|n| n * factor(LOAD, self.spans.workload.ln_1p() / REACH));
        work.electricity_per_kwh = work
            .electricity_per_kwh
            .map(|p| p * factor(ELECTRICITY, self.spans.price.ln_1p() / REACH));
        let mut best: Option<(usize, f64)> = None;
        for Player { at, home, inputs } in &self.players {
            let value = |what: What| {
                let (_, input) = inputs.iter().find(|(of, _)| *of == what)?;
                let is_known = known == Some((*at, what));
                let whose = if what == What::Price { *home } else { *at };
                let drawn = if is_known { 1.0 } else { factor(key(whose, what), input.spread) };
                let slowed = slow.filter(|(who, _)| who == at && what == What::TokensPerSecond);
                Some(input.value * drawn * slowed.map_or(1.0, |(_, share)| share))
            };
            let of = |what: What| match value(what) {
                None if DERIVED.contains(&what) => derived(what, &value, &work).ok(),
                known => known,
            };
            let meets = |one: &Requirement| of(one.what).is_some_and(|value| is_met(one, value));
            let Some(score) = of(self.by).filter(|_| self.requirements.iter().all(meets)) else {
                continue;
            };
            let cost = if self.by.direction() == Direction::Higher { -score } else { score };
            if best.is_none_or(|(_, least)| cost < least) {
                best = Some((*at, cost));
            }
        }
        best.map(|(at, _)| at)
    }

    /// A requirement that cannot be judged of someone who might be first; else the figure that, once known, makes the first
    /// surest.
    fn next(&self, judged: &[Judged], first: usize, shares: &[(usize, f64)]) -> Option<Next> {
        if let Some(open) = self.open(judged, first) {
            return Some(open);
        }
        let now = shares.first().map_or(0.0, |(_, share)| *share);
        let winners = shares.iter().take(MOST_TRIED).map(|(who, _)| *who);
        let tried = self.players.iter().filter(|player| winners.clone().any(|w| w == player.at));
        let share = |candidate: usize, what: What| {
            let wins = self.wins(Some((candidate, what)));
            let most = wins.iter().filter(|(who, _)| who.is_some()).map(|(_, n)| *n).max();
            most.unwrap_or(0) as f64 / self.spans.worlds as f64
        };
        let all = tried.flat_map(|Player { at, inputs, .. }| {
            let open =
                inputs.iter().filter(|(what, input)| input.spread > 0.0 && *what != What::Price);
            open.map(move |(what, input)| (*at, *what, input.basis))
        });
        let best = all
            .map(|(candidate, what, basis)| (share(candidate, what), candidate, what, basis))
            .max_by(|a, b| a.0.total_cmp(&b.0))?;
        (best.0 - now >= LEAST_GAIN).then_some(Next {
            candidate: best.1,
            what: best.2,
            share: Some(best.0),
            basis: Some(best.3),
        })
    }

    /// The best of those that only lack a figure, where it would be before the first.
    fn open(&self, judged: &[Judged], first: usize) -> Option<Next> {
        let score = |one: &Judged| {
            let value = one.figure(self.by).value()?.value;
            Some(if self.by.direction() == Direction::Higher { -value } else { value })
        };
        let now = score(&judged[first])?;
        let better = judged.iter().enumerate().filter(|(_, one)| one.outcome == Outcome::Open);
        let better = better.filter_map(|(at, one)| Some((at, score(one).filter(|s| *s < now)?)));
        let (candidate, _) = better.min_by(|a, b| a.1.total_cmp(&b.1))?;
        let lacks = judged[candidate].findings.iter().find(|finding| finding.met.is_none())?;
        Some(Next { candidate, what: lacks.requirement.what, share: None, basis: None })
    }

    /// Down to which share of its speed the first stays so, in the world as it seems.
    fn unsoaked(&self, judged: &[Judged], first: usize) -> Option<(f64, Option<usize>)> {
        let stays = |share: f64| self.first(None, None, Some((first, share))) == Some(first);
        if judged[first].candidate.soaked || !stays(1.0) || stays(LEAST_SHARE) {
            return None;
        }
        let (mut low, mut high) = (LEAST_SHARE, 1.0);
        for _ in 0..20 {
            let middle = f64::midpoint(low, high);
            if stays(middle) { high = middle } else { low = middle }
        }
        Some((high, self.first(None, None, Some((first, low)))))
    }
}

/// No device throttles below this share of its speed.
const LEAST_SHARE: f64 = 0.2;

/// A range is 95 % of a lognormal; what has none is drawn within the assumed span.
fn input(what: What, figure: &Figure, spans: &Spans) -> Input {
    let of = |span: f64| span.ln_1p() / REACH;
    let (spread, assumed) = match (what, figure.range) {
        (What::Price, _) => (of(spans.price), false),
        (_, Some((low, high))) if low > 0.0 && high >= low => {
            ((high / low).ln() / (2.0 * REACH), false)
        }
        // Bytes are counted, not timed.
        (What::MemoryGib, _) => (0.0, false),
        _ => (of(spans.unknown), true),
    };
    Input { value: figure.value, spread, assumed, basis: figure.basis }
}

/// Draws that all candidates share.
const LOAD: u64 = 1;
const ELECTRICITY: u64 = 2;

fn key(candidate: usize, what: What) -> u64 {
    16 + (candidate as u64) * 64 + what as u64
}

/// A standard normal that depends on nothing but these: Box and Muller's, of two numbers of SplitMix64.
fn normal(seed: u64, world: u64, key: u64) -> f64 {
    let state = mix(mix(seed ^ 0x5EED) ^ mix(world.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ key));
    let uniform = |bits: u64| ((bits >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
    let (radius, angle) = (uniform(state), uniform(mix(state)));
    (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
}

fn mix(state: u64) -> u64 {
    let z = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_standard_normal_and_repeat() {
        let draws: Vec<f64> = (0..20_000).map(|world| normal(7, world, 3)).collect();
        let mean = draws.iter().sum::<f64>() / draws.len() as f64;
        let variance = draws.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / draws.len() as f64;
        assert!(mean.abs() < 0.03 && (variance - 1.0).abs() < 0.05, "{mean} {variance}");
        assert_eq!(normal(7, 5, 3).to_bits(), draws[5].to_bits());
        let other: Vec<f64> = (0..20_000).map(|world| normal(7, world, 4)).collect();
        let together = draws.iter().zip(&other).map(|(a, b)| a * b).sum::<f64>() / 20_000.0;
        assert!(together.abs() < 0.03, "{together}");
    }
}
