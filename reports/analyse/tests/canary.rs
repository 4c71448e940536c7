//! The canary keeps its promise on synthetic latencies, asked after every one of them.
#![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

mod synthetic;

use std::collections::BTreeMap;

use synthetic::Random;
use yardstick_analyse::canary::{Baseline, Canary, Error, Event, Plan, Standing};

/// Lognormal latencies in ms, neighbours alike by `memory`.
fn latencies(random: &mut Random, n: usize, memory: f64, factor: f64) -> Vec<f64> {
    synthetic::chain(random, n, memory)
        .into_iter()
        .map(|z| factor * 20.0 * (0.3 * z).exp())
        .collect()
}

fn baseline(values: Vec<f64>) -> Baseline {
    Baseline { values: BTreeMap::from([("latency_ms".to_owned(), values)]), errors: (0, 0) }
}

fn ended(plan: &Plan, baseline: &Baseline, values: &[f64]) -> (Standing, usize) {
    let mut canary = Canary::new(plan, baseline).unwrap();
    for (at, value) in values.iter().enumerate() {
        canary.observe(0, &Event::Value("latency_ms".into(), *value)).unwrap();
        if canary.standing() != Standing::NeedMore {
            return (canary.standing(), at + 1);
        }
    }
    (Standing::NeedMore, values.len())
}

/// Shares of trials that rolled back and that continued, of one phase.
fn shares(trials: usize, memory: f64, factor: f64) -> (f64, f64) {
    let mut random = Random(3);
    let plan = Plan { phases: vec![100.0], ..Plan::default() };
    let mut counts = [0, 0];
    for _ in 0..trials {
        let base = baseline(latencies(&mut random, 3000, memory, 1.0));
        let values = latencies(&mut random, 3000, memory, factor);
        match ended(&plan, &base, &values).0 {
            Standing::Rollback => counts[0] += 1,
            Standing::Continue => counts[1] += 1,
            Standing::NeedMore => {}
        }
    }
    (counts[0] as f64 / trials as f64, counts[1] as f64 / trials as f64)
}

#[test]
fn one_in_a_hundred_is_rolled_back_wrongly_at_most_and_what_is_worse_is() {
    let (wrongly, onward) = shares(300, 0.0, 1.0);
    assert!(wrongly <= 0.01 && onward >= 0.95, "{wrongly} {onward}");
    // At the edge of what is tolerated, the budget counts.
    let (wrongly, _) = shares(300, 0.0, 1.05);
    assert!(wrongly <= 0.02, "{wrongly}");
    let (rightly, missed) = shares(100, 0.0, 1.25);
    assert!(rightly >= 0.97 && missed <= 0.03, "{rightly} {missed}");
    // Neighbours alike, as requests of a busy minute are.
    let (wrongly, _) = shares(100, 0.5, 1.0);
    assert!(wrongly <= 0.02, "{wrongly}");
}

#[test]
fn rates_are_better_when_higher() {
    let mut random = Random(9);
    let rates = |random: &mut Random, factor: f64| -> Vec<f64> {
        latencies(random, 4000, 0.0, 1.0).into_iter().map(|ms| factor * 1e3 / ms).collect()
    };
    let base = baseline(rates(&mut random, 1.0));
    let higher = vec!["latency_ms".to_owned()];
    let plan = Plan { phases: vec![5.0], higher, ..Plan::default() };
    assert_eq!(ended(&plan, &base, &rates(&mut random, 1.3)).0, Standing::Continue);
    assert_eq!(ended(&plan, &base, &rates(&mut random, 0.7)).0, Standing::Rollback);
}

#[test]
fn errors_roll_back_whatever_the_latency() {
    let plan = Plan { phases: vec![1.0, 100.0], ..Plan::default() };
    let base = Baseline { errors: (10, 10_000), ..Baseline::default() };
    let run = |every: usize| {
        let mut canary = Canary::new(&plan, &base).unwrap();
        for i in 0..5000 {
            canary.observe(0, &Event::Ended { error: i % every == every - 1 }).unwrap();
        }
        canary.standing()
    };
    assert_eq!(run(1000), Standing::Continue);
    assert_eq!(run(25), Standing::Rollback);
}

#[test]
fn a_phase_that_rolled_back_is_not_forgotten_in_the_next() {
    let mut random = Random(4);
    let plan = Plan { phases: vec![1.0, 10.0], ..Plan::default() };
    let base = baseline(latencies(&mut random, 3000, 0.0, 1.0));
    let mut canary = Canary::new(&plan, &base).unwrap();
    assert_eq!(canary.standing(), Standing::NeedMore);
    for (phase, factor) in [(0, 2.0), (1, 1.0)] {
        for value in latencies(&mut random, 3000, 0.0, factor) {
            canary.observe(phase, &Event::Value("latency_ms".into(), value)).unwrap();
        }
    }
    assert_eq!(canary.phases()[1].standing(), Standing::Continue);
    assert_eq!(canary.standing(), Standing::Rollback);
}

#[test]
fn what_is_no_latency_and_what_cannot_be_asked_is_refused() {
    let base = baseline(vec![1.0; 100]);
    let plan = Plan::default();
    let mut canary = Canary::new(&plan, &base).unwrap();
    for wrong in [f64::NAN, -1.0, 0.0, f64::INFINITY] {
        let event = Event::Value("latency_ms".into(), wrong);
        assert!(matches!(canary.observe(0, &event), Err(Error::Value { .. })));
    }
    let other = Event::Value("p99".into(), 1.0);
    assert_eq!(
        canary.observe(0, &other).unwrap_err().to_string(),
        "p99 has no baseline; the baseline has latency_ms"
    );
    let ended = canary.observe(0, &Event::Ended { error: false }).unwrap_err();
    assert_eq!(ended.to_string(), "error has no baseline; the baseline has latency_ms");
    let field = |plan: Plan| match Canary::new(&plan, &base) {
        Err(Error::Plan { field, .. }) => field,
        other => panic!("{other:?}"),
    };
    assert_eq!(field(Plan { phases: vec![], ..plan.clone() }), "phases");
    assert_eq!(field(Plan { phases: vec![10.0, 1.0], ..plan.clone() }), "phases");
    assert_eq!(field(Plan { caught: 0.05, ..plan.clone() }), "caught");
    assert_eq!(field(Plan { quantiles: vec![1.0], ..plan.clone() }), "quantiles");
    assert_eq!(Canary::new(&plan, &Baseline::default()).unwrap_err(), Error::Empty);
    assert!(Canary::new(&plan, &baseline(vec![1.0, -1.0])).is_err());
}
