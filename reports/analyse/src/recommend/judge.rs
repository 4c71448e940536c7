//! Judging: a candidate's figures, what follows from them, and each requirement with its margin.

use serde::Serialize;
use yardstick_api::Known;

use super::Judged;
use super::candidate::Candidate;
use super::cost::{break_even, derived, devices};
use super::figure::{Basis, Figure};
use super::need::{Needs, Only, Requirement, What, Workload, matches};

/// Quantities that follow from others.
pub(super) const DERIVED: [What; 6] = [
    What::TtftMs,
    What::BatteryHours,
    What::JoulesPerToken,
    What::Headroom,
    What::TotalCost,
    What::CostPerMillionTokens,
];

/// A requirement and what was found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// What is required.
    pub requirement: Requirement,
    /// What was found, or why nothing was.
    pub found: Known<Figure>,
    /// It is met; none where there is no telling.
    pub met: Option<bool>,
    /// All of the figure's range says the same.
    pub shown: bool,
    /// To the nearer bound, as a share of it: negative where it is missed.
    pub margin: Option<f64>,
}

/// What a candidate amounts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It meets every requirement.
    Meets,
    /// No requirement is known to be missed, but some cannot be judged.
    Open,
    /// It misses one at least.
    Misses,
    /// Its figures are invalid or unverified.
    Barred,
}

/// Whether the filters let it pass.
pub(super) fn is_asked_about(one: &Candidate, only: &Only) -> bool {
    let any = |patterns: &[String], names: &[&str]| {
        let head = |pattern: &str, name: &str| name.split(':').next() == Some(pattern);
        patterns.is_empty()
            || patterns.iter().any(|p| names.iter().any(|n| matches(p, n) || head(p, n)))
    };
    let class = only.classes.is_empty() || one.class.is_some_and(|c| only.classes.contains(&c));
    any(&only.devices, &[&one.device])
        && any(&only.models, &[&one.model])
        && any(&only.quantisations, &[&one.quantisation])
        && class
}

pub(super) fn judged(candidate: Candidate, needs: &Needs) -> Judged {
    let work = &needs.workload;
    let value = |what: What| candidate.value(what).map(|figure| figure.value);
    let derived: Vec<(What, Known<Figure>)> =
        DERIVED.map(|what| (what, follows(&candidate, what, work))).to_vec();
    let mut judged = Judged {
        findings: Vec::new(),
        outcome: Outcome::Meets,
        devices: known(devices(&value, work)),
        break_even_days: match needs.api {
            Some(api) => known(break_even(&value, work, api)),
            None => Known::unavailable("no [api] is given"),
        },
        derived,
        candidate,
    };
    judged.findings =
        requirements(needs).map(|one| finding(one, judged.figure(one.what))).collect();
    judged.outcome = outcome(&judged);
    judged
}

fn known<T>(result: Result<T, String>) -> Known<T> {
    result.map_or_else(Known::unavailable, Known::Value)
}

/// Those stated; and where there is work for a day, that the devices get it done.
pub(super) fn requirements(needs: &Needs) -> impl Iterator<Item = Requirement> {
    let stated = needs.requirements.iter().any(|one| one.what == What::Headroom);
    let work = needs.workload.tokens_per_day.is_some() && !stated;
    let capacity = Requirement { what: What::Headroom, at_least: Some(1.0), at_most: None };
    needs.requirements.iter().copied().chain(work.then_some(capacity))
}

fn outcome(judged: &Judged) -> Outcome {
    if judged.candidate.barred.is_some() {
        Outcome::Barred
    } else if judged.findings.iter().any(|one| one.met == Some(false)) {
        Outcome::Misses
    } else if judged.findings.iter().any(|one| one.met.is_none()) {
        Outcome::Open
    } else {
        Outcome::Meets
    }
}

/// What a quantity follows from.
fn inputs(what: What, work: &Workload) -> &'static [What] {
    use What::{IdleWatts, PrefillTokensPerSecond, Price, TokensPerSecond, Watts};
    match (what, work.prompt_tokens > 0.0) {
        (What::BatteryHours, _) => &[Watts],
        (What::TtftMs, _) | (What::Headroom, true) => &[TokensPerSecond, PrefillTokensPerSecond],
        (What::Headroom, false) => &[TokensPerSecond],
        (What::JoulesPerToken, true) => &[TokensPerSecond, PrefillTokensPerSecond, Watts],
        (What::JoulesPerToken, false) => &[TokensPerSecond, Watts],
        (_, true) => &[TokensPerSecond, PrefillTokensPerSecond, Watts, IdleWatts, Price],
        (_, false) => &[TokensPerSecond, Watts, IdleWatts, Price],
    }
}

/// A quantity that follows from others. Its range takes every input at its best, and at its worst: it is wider than 95 %.
fn follows(candidate: &Candidate, what: What, work: &Workload) -> Known<Figure> {
    let at = |pick: &dyn Fn(What, &Figure) -> f64| {
        derived(what, &|of| candidate.value(of).map(|figure| pick(of, figure)), work)
    };
    let names = inputs(what, work);
    let value = match at(&|_, figure| figure.value) {
        Ok(value) if value.is_finite() => value,
        Ok(_) => return Known::unavailable("it is not finite"),
        Err(reason) => return Known::unavailable(because(candidate, names, reason)),
    };
    let used = names.iter().filter_map(|&what| Some((what, candidate.value(what)?)));
    let ranged = used.clone().all(|(_, figure)| figure.range.is_some());
    let better = |best: bool| {
        at(&|of, figure: &Figure| {
            let (low, high) = figure.range.unwrap_or((figure.value, figure.value));
            let higher = of.direction() == yardstick_record::Direction::Higher;
            if higher == best { high } else { low }
        })
    };
    let range = match (ranged, better(true), better(false)) {
        (true, Ok(a), Ok(b)) => Some((a.min(b).min(value), a.max(b).max(value))),
        _ => None,
    };
    Known::Value(Figure {
        value,
        range,
        basis: Basis::Computed,
        records: used.clone().flat_map(|(_, figure)| figure.records.clone()).collect(),
        note: unmeasured(used),
    })
}

/// The first input that is missing says why nothing follows.
fn because(candidate: &Candidate, names: &[What], reason: String) -> String {
    let optional = |what: &What| *what != What::IdleWatts;
    let missing = names.iter().filter(|what| optional(what)).find_map(|what| {
        candidate.figures.get(what).and_then(|figure| figure.reason().map(str::to_owned))
    });
    missing.map_or(reason.clone(), |why| format!("{reason}: {why}"))
}

/// `power stated, decode predicted`: what of a computed figure nobody measured.
fn unmeasured<'a>(used: impl Iterator<Item = (What, &'a Figure)>) -> Option<String> {
    let words = used.filter(|(_, figure)| !matches!(figure.basis, Basis::Measured));
    let words: Vec<String> =
        words.map(|(what, figure)| format!("{} {}", what.words(), figure.basis.words())).collect();
    (!words.is_empty()).then(|| words.join(", "))
}

pub(super) fn finding(requirement: Requirement, found: Known<Figure>) -> Finding {
    let (met, shown, margin) = match &found {
        Known::Value(figure) => {
            let met = is_met(&requirement, figure.value);
            let ends = figure.range.is_some_and(|(low, high)| {
                is_met(&requirement, low) == met && is_met(&requirement, high) == met
            });
            (Some(met), ends, margin(&requirement, figure.value))
        }
        Known::Unavailable { .. } => (None, false, None),
    };
    Finding { requirement, found, met, shown, margin }
}

pub(super) fn is_met(requirement: &Requirement, value: f64) -> bool {
    requirement.at_least.is_none_or(|least| value >= least)
        && requirement.at_most.is_none_or(|most| value <= most)
}

fn margin(requirement: &Requirement, value: f64) -> Option<f64> {
    let share = |room: f64, bound: f64| (bound != 0.0).then(|| room / bound.abs());
    let low = requirement.at_least.and_then(|least| share(value - least, least));
    let high = requirement.at_most.and_then(|most| share(most - value, most));
    [low, high].into_iter().flatten().min_by(f64::total_cmp)
}
