//! From tests to outcomes.

use std::time::{Duration, Instant};

use yardstick_analyse::gate::Verdict;

use super::batch::{Batch, Judged};
use super::confirm::{Confirmed, confirm};
use super::{Progress, Settings, Source};
use crate::{Drift, Error, Outcome, TestReport};

/// Seconds of a test and launch beside its samples: warm-up and making ready.
const BESIDE: f64 = 0.3;
/// Share of the budget for first launches; what is left confirms.
const FIRST: f64 = 0.7;

/// Every test of both sides with its outcome, in the order they matter.
pub fn run(
    settings: &Settings,
    source: &mut dyn Source,
    told: &mut dyn FnMut(Progress<'_>),
) -> Result<Vec<TestReport>, Error> {
    let start = Instant::now();
    let tests = source.tests()?;
    let wanted = |test: &String| {
        settings.only.is_empty() || settings.only.iter().any(|part| test.contains(part.as_str()))
    };
    let mut reports: Vec<TestReport> = Vec::new();
    reports.extend(tests.only_base.iter().filter(|t| wanted(t)).map(|t| TestReport::only_base(t)));
    reports.extend(
        tests.only_candidate.iter().filter(|t| wanted(t)).map(|t| TestReport::only_candidate(t)),
    );
    reports.extend(source.known()?.into_iter().filter(|report| wanted(&report.test)));
    let both: Vec<String> = tests.both.into_iter().filter(wanted).collect();
    let skipped = both.iter().filter_map(|test| Some((test, settings.skip.get(test)?)));
    reports.extend(skipped.map(|(test, why)| TestReport::skipped(test, why)));
    let mut open: Vec<String> =
        both.into_iter().filter(|test| !settings.skip.contains_key(test)).collect();
    open.sort_by_key(|test| !settings.first.contains(test));
    if open.is_empty() {
        reports.sort_by_key(|report| report.outcome);
        return Ok(reports);
    }
    let drifts = source.drift(&open)?;
    let (same, drifted): (Vec<_>, Vec<_>) =
        open.into_iter().zip(drifts).partition(|(_, drift)| drift.within(settings.drift));
    reports.extend(drifted.into_iter().map(|(test, drift)| TestReport::drifted(test, drift)));
    if reports.iter().any(|report| report.outcome == Outcome::Drifted) {
        reports.extend(same.into_iter().map(|(test, drift)| TestReport::pointless(&test, drift)));
        reports.sort_by_key(|report| report.outcome);
        return Ok(reports);
    }
    let beside = source.beside().unwrap_or(BESIDE);
    let (now, later, seconds) = affordable(settings, beside, &same, start.elapsed());
    told(Progress::Begun { tests: now.len(), seconds });
    let until = start + settings.budget;
    let batch = Batch { settings, share: 1, seconds, until };
    let names: Vec<String> = now.iter().map(|(test, _)| test.clone()).collect();
    let judged = batch.run(source, &names, told)?;
    let confirmed = confirm(settings, source, &judged, until, told)?;
    for (judged, (_, drift)) in judged.into_iter().zip(now) {
        let second = confirmed.iter().find(|second| second.judged.test == judged.test);
        reports.push(report(judged, second, drift.clone()));
    }
    reports.extend(later.iter().map(|(test, drift)| TestReport::unaffordable(test, drift.clone())));
    reports.sort_by_key(|report| report.outcome);
    Ok(reports)
}

type Tests<'a> = &'a [(String, Drift)];

/// Tests that fit the budget, those that do not, and seconds of each in a launch.
fn affordable<'a>(
    settings: &Settings,
    beside: f64,
    tests: Tests<'a>,
    spent: Duration,
) -> (Tests<'a>, Tests<'a>, f64) {
    let looks = settings.primary.looks.first().copied().unwrap_or(1) as f64;
    let (fewest, most) = settings.seconds;
    let room = settings.budget.saturating_sub(spent).as_secs_f64() * FIRST / looks;
    let each = (room / tests.len().max(1) as f64 - beside).clamp(fewest, most);
    let fit = ((room / (each + beside)) as usize).min(tests.len());
    let (now, later) = tests.split_at(fit);
    (now, later, each)
}

fn report(first: Judged, second: Option<&Confirmed>, drift: Drift) -> TestReport {
    let gone = second.and_then(|second| second.judged.gone.as_ref()).or(first.gone.as_ref());
    let (outcome, reason) = match (first.verdict(), second) {
        _ if gone.is_some() => (Outcome::Missing, gone.cloned().unwrap_or_default()),
        (Verdict::Pass, _) => (Outcome::Passed, words(&first, Verdict::Pass)),
        (Verdict::Fail, Some(second)) if second.fails => {
            (Outcome::Slower, words(&second.judged, Verdict::Fail))
        }
        (Verdict::Fail, Some(second)) if second.judged.verdict() == Verdict::Pass => {
            let reason = words(&second.judged, Verdict::Pass);
            (Outcome::Passed, format!("measured anew, the first did not repeat: {reason}"))
        }
        (Verdict::Fail, Some(second)) => {
            let reason = words(&second.judged, second.judged.verdict());
            (Outcome::Inconclusive, format!("seemed slower; measured anew: {reason}"))
        }
        (Verdict::Fail, None) => {
            let reason = words(&first, Verdict::Fail);
            (Outcome::Inconclusive, format!("seems slower, not measured anew: {reason}"))
        }
        (verdict, _) => (Outcome::Inconclusive, words(&first, verdict)),
    };
    let shown = second.map_or(&first, |second| &second.judged).clone();
    TestReport {
        test: first.test,
        outcome,
        reason,
        drift: Some(drift),
        cost: shown.primary,
        wall: shown.wall,
        launches: first.launches,
        wall_launches: first.walls,
        confirmed: second.map(|second| second.judged.launches.clone()),
        confirmed_wall: second.map(|second| second.judged.walls.clone()),
        seconds: first.seconds + second.map_or(0.0, |second| second.judged.seconds),
        samples: first.rounds + second.map_or(0, |second| second.judged.rounds),
    }
}

/// Of the metric that decided so.
fn words(judged: &Judged, verdict: Verdict) -> String {
    let wall = judged.wall.iter().map(|decision| ("wall time ", decision));
    let mut all = judged.primary.iter().map(|decision| ("", decision)).chain(wall);
    match all.find(|(_, decision)| decision.verdict == verdict) {
        Some((of, decision)) => format!("{of}{}", decision.reason),
        None => "not decided".to_owned(),
    }
}
