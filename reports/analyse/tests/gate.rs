//! The gate's decision keeps its error budgets on synthetic launches, and says what it rests on. The whole table is in
//! reports/GATE.md.

#![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

mod synthetic;

use synthetic::Random;
use synthetic::launches::{KINDS, ends, launches};
use yardstick_analyse::gate::{Launch, Plan, Verdict, decide, holm};

/// Spread of a launch as measured on a small virtual machine under compilers.
const MEASURED: f64 = 0.0076;
const TRIALS: usize = 600;

fn steady(effects: &[f64], control: f64) -> Vec<Launch> {
    effects.iter().map(|e| Launch::new(e.ln_1p(), Some(control)).unwrap()).collect()
}

/// `n` effects around a mean, alternating by `by` to either side.
fn around(mean: f64, by: f64, n: usize) -> Vec<f64> {
    (0..n).map(|i| if i % 2 == 0 { mean - by } else { mean + by }).collect()
}

#[test]
fn identical_builds_pass_and_three_percent_fail_under_every_kind_of_noise() {
    let plan = Plan::cpu_time();
    for kind in KINDS {
        let none = ends(&plan, kind, TRIALS, MEASURED, 0.0);
        // 1 % of the trials, and three standard errors of that share.
        let alarms = 0.01 + 3.0 * (0.01_f64 * 0.99 / TRIALS as f64).sqrt();
        assert!(none.fail as f64 <= alarms * TRIALS as f64, "{}: {none:?}", kind.name);
        assert!(none.percent(none.inconclusive) <= 5.0, "{}: {none:?}", kind.name);
        let three = ends(&plan, kind, TRIALS, MEASURED, 0.03);
        // A build's own luck as large as a launch's noise is not averaged away.
        let power = if kind.name == "layout, shift 1" { 90.0 } else { 97.0 };
        assert!(three.percent(three.fail) >= power, "{}: {three:?}", kind.name);
    }
}

#[test]
fn a_decision_does_not_depend_on_how_often_it_is_asked() {
    let (plan, mut random) = (Plan::cpu_time(), Random(11));
    for kind in KINDS {
        for _ in 0..20 {
            let all = launches(kind, &mut random, 24, 0.03, 0.02);
            let asked = (1..=24).map(|n| decide(&plan, &all[..n]).unwrap());
            let first = asked.into_iter().find(|d| d.verdict != Verdict::Continue);
            assert_eq!(first, Some(decide(&plan, &all).unwrap()), "{}", kind.name);
        }
    }
}

#[test]
fn between_looks_it_goes_on_and_says_how_far() {
    let decision = decide(&Plan::cpu_time(), &steady(&around(0.02, 0.04, 7), 0.0)).unwrap();
    assert_eq!((decision.verdict, decision.next_look), (Verdict::Continue, Some(10)));
    assert!(decision.reason.contains("7 launches of 10 for the next look"), "{decision:?}");
    assert!(decision.needed.is_some_and(|n| n > 6) && decision.interval.is_some());
    let none = decide(&Plan::cpu_time(), &[]).unwrap();
    assert_eq!((none.verdict, none.estimate, none.next_look), (Verdict::Continue, None, Some(6)));
    let over = none.over("the time budget is spent");
    assert_eq!(over.verdict, Verdict::Inconclusive);
    assert_eq!(over.reason, "the time budget is spent; 0 launches of 6 for the next look");
}

#[test]
fn noise_beyond_the_plan_is_inconclusive_and_says_what_it_could_have_seen() {
    let decision = decide(&Plan::cpu_time(), &steady(&around(0.01, 0.06, 24), 0.0)).unwrap();
    assert_eq!((decision.verdict, decision.launches), (Verdict::Inconclusive, 24));
    let (visible, needed) = (decision.visible.unwrap(), decision.needed.unwrap());
    assert!(visible > 0.05 && needed > 50, "{decision:?}");
    // As many launches as it named would have done.
    let plan = Plan { looks: vec![6, 10, 16, 24, needed], ..Plan::cpu_time() };
    let more = decide(&plan, &steady(&around(0.03, 0.06, needed), 0.0)).unwrap();
    assert!(more.visible.unwrap() < 0.031, "{more:?}");
    assert!(decision.reason.contains(&format!("about {needed} launches")), "{decision:?}");
}

#[test]
fn the_floor_and_the_other_copy_of_the_base_forbid_to_fail() {
    let plan = Plan::cpu_time();
    let of = |effect, control| decide(&plan, &steady(&around(effect, 0.001, 24), control)).unwrap();
    assert_eq!(of(0.014, 0.0).verdict, Verdict::Pass);
    assert_eq!(of(0.02, 0.0).verdict, Verdict::Fail);
    // The base was lucky by 1 %: its copy is slower too.
    assert_eq!(of(0.02, 0.01).verdict, Verdict::Pass);
    // The base was unlucky: the candidate is still 2 % above the slower of the two.
    let unlucky = of(0.02, -0.01);
    assert_eq!(unlucky.verdict, Verdict::Fail);
    assert!(unlucky.reason.contains("(1.0 % apart)"), "{unlucky:?}");
    assert_eq!(of(-0.03, 0.0).verdict, Verdict::Pass);
}

#[test]
fn launches_are_set_apart_by_evidence_alone_and_at_most_a_fifth_of_them() {
    let plan = Plan::cpu_time();
    let mut all = steady(&around(0.0, 0.002, 6), 0.0);
    let wild = Launch::new(0.5, Some(0.0)).unwrap();
    all.insert(0, wild.clone().apart("steal 9 %"));
    let decision = decide(&plan, &all).unwrap();
    assert_eq!((decision.verdict, decision.launches, decision.set_apart), (Verdict::Pass, 6, 1));
    // Two of eight are too many for the first look, not for the next.
    all.insert(0, wild.clone().apart("throttled"));
    assert_eq!(decide(&plan, &all).unwrap().verdict, Verdict::Continue);
    all.extend(steady(&around(0.0, 0.002, 4), 0.0));
    assert_eq!(decide(&plan, &all).unwrap().launches, 10);
    // No later look could make up for seven.
    let unfit: Vec<Launch> = (0..7).map(|_| wild.clone().apart("throttled")).collect();
    let decision = decide(&plan, &unfit).unwrap();
    assert_eq!(decision.verdict, Verdict::Inconclusive);
    assert!(decision.reason.contains("7 of 7 launches set apart (throttled: 7)"), "{decision:?}");
}

#[test]
fn fifty_kernels_share_one_budget() {
    // Every kernel is decided, those that fail are measured anew, Holm says which stand.
    let (plan, kind) = (Plan::cpu_time(), &KINDS[1]);
    let mut random = Random(5);
    let mut alarms = 0;
    let pulls = 60;
    for _ in 0..pulls {
        // Twice the noise measured, and launches that remember: the first look alone alarms for one kernel in a hundred.
        let fresh = |random: &mut Random| launches(kind, random, 24, 0.015, 0.0);
        let failed = (0..50)
            .filter(|_| decide(&plan, &fresh(&mut random)).unwrap().verdict == Verdict::Fail);
        let failed = failed.count();
        let again: Vec<f64> = (0..failed)
            .map(|_| decide(&plan.shared_by(failed), &fresh(&mut random)).unwrap().p)
            .collect();
        alarms += usize::from(holm(&again, plan.alpha).contains(&true));
    }
    assert!(alarms <= 2, "{alarms} of {pulls}");
}
